"""How a simulator misbehaves on demand: one switch with a countdown, set by option or over HTTP."""

import json
from typing import Any

from conformance.simulators.http import Request, Response


class Switch:
    """The present mode of a simulator. `count` submissions take it, then it is `ok` again; 0: until changed.

    `modes` are the names that this simulator knows, `ok` among them.
    """

    def __init__(self, modes: frozenset[str]) -> None:
        self.modes = modes
        self.mode = "ok"
        self.count = 0

    def set(self, mode: str, count: int = 0) -> None:
        """Raises ValueError for a mode that is not known here."""
        if mode not in self.modes:
            raise ValueError(f"mode {mode!r} is not one of {', '.join(sorted(self.modes))}")
        self.mode, self.count = mode, max(count, 0)

    def take(self) -> str:
        """The mode for one submission."""
        mode = self.mode
        if self.count:
            self.count -= 1
            if self.count == 0:
                self.mode = "ok"
        return mode


def control(request: Request, switch: Switch, ledger: list[dict[str, Any]]) -> Response | None:
    """Answer /health, /ledger and /control; None for any other path.

    `POST /control {"mode": "drop", "count": 2}` answers the state that it set, 400 with the reason otherwise.
    """
    if request.path == "/health":
        return _json({"status": "ok", "mode": switch.mode, "count": switch.count, "entries": len(ledger)})
    if request.path == "/ledger":
        return _json(ledger)
    if request.path != "/control":
        return None
    if request.method != "POST":
        return _json({"error": "POST a mode"}, 405)
    try:
        wish = json.loads(request.body)
        switch.set(str(wish["mode"]), int(wish.get("count", 0)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return _json({"error": str(error)}, 400)
    return _json({"mode": switch.mode, "count": switch.count})


def _json(value: Any, status: int = 200) -> Response:
    return Response(status, "application/json", json.dumps(value, ensure_ascii=False).encode())
