"""A long-lived validation process: `conformance validate --worker --kit DIR`.

JSON lines on stdin and stdout. After loading all rules it writes {"ready": true, "seconds": s}. A request is
{"id": …, "path": FILE} or {"id": …, "data": BASE64}, optionally with "name", "kind": "cda", and "official":
true for the official rules without our own; its answer {"id": …, "verdict": {…}} or {"id": …, "error": "…"}.
It ends when stdin closes.
"""

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from conformance.schematron.engine import Engine, EngineUnavailableError
from conformance.schematron.official import Official
from conformance.schematron.source import SchematronError
from conformance.schematron.steps import KitError
from conformance.validate.kinds import Kind
from conformance.validate.validator import Validator


def serve(kit: Path) -> int:
    """Answer requests until stdin closes. 1: the rules cannot be loaded, stderr says why."""
    started = time.perf_counter()
    try:
        Engine()
        validator = Validator(kit)
        assert isinstance(validator.official, Official)
        validator.official.warm()
    except (KitError, SchematronError, EngineUnavailableError, OSError) as error:
        print(str(error), file=sys.stderr)
        return 1
    _say({"ready": True, "seconds": round(time.perf_counter() - started, 3)})
    for line in sys.stdin:
        if line.strip():
            _say(_answer(validator, line))
    return 0


def _answer(validator: Validator, line: str) -> dict[str, Any]:
    identifier: Any = None
    try:
        request = json.loads(line)
        identifier = request.get("id")
        path = request.get("path")
        data = Path(path).read_bytes() if path else base64.b64decode(request["data"], validate=True)
        name = str(request.get("name") or path or "document")
        kind = Kind.CDA if request.get("kind") == "cda" else None
        verdict = validator.judge(name, data, kind, own=not request.get("official"))
    except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        return {"id": identifier, "error": f"{type(error).__name__}: {error}"}
    return {"id": identifier, "verdict": msgspec.to_builtins(verdict)}


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
    sys.stdout.flush()
