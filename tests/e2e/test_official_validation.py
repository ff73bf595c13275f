"""With a kit configured nothing leaves that the official rules refuse, and nothing leaves unjudged."""

import base64
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Gateway
from tests.support import FIXTURES, KIT, PATIENCE, needs_kit

MDM = FIXTURES / "hl7v2" / "mdm_cda.er7"
EMBEDDED = re.compile(rb"(\^text\^XML\^Base64\^)([^|\r]+)")


def message(folder: Path, name: str, change: tuple[bytes, bytes] = (b"", b"")) -> Path:
    """The MDM fixture under another control id, its CDA changed in one place."""
    raw = MDM.read_bytes()
    field = EMBEDDED.search(raw)
    assert field is not None
    document = base64.b64decode(field[2])
    assert change[0] in document
    document = document.replace(*change, 1)
    raw = raw.replace(field[2], base64.b64encode(document))
    segments = raw.split(b"\r")
    msh = segments[0].split(b"|")
    msh[9] = name.encode()
    file = folder / f"{name}.er7"
    file.write_bytes(b"\r".join([b"|".join(msh), *segments[1:]]))
    return file


def until(
    gateway: Gateway, state: str, count: int = 1, seconds: float = 4 * PATIENCE
) -> list[dict[str, Any]]:
    """The deliveries, when `count` are in `state` or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        rows = gateway.rows("deliveries")
        if sum(row["state"] == state for row in rows) >= count or time.monotonic() > deadline:
            return rows
        time.sleep(0.3)


@pytest.fixture
def unserved(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that the test starts itself."""
    one = Gateway(tmp_path)
    yield one
    if one.process is not None:
        one.process.stop()


@pytest.mark.kit
@needs_kit
@pytest.mark.req("REQ-24", "REQ-33")
def test_a_document_that_the_official_rules_refuse_is_taken_blocked_and_never_sent(
    unserved: Gateway, tmp_path: Path
) -> None:
    gateway = unserved
    gateway.environment["GATEWAY_VALIDATION__KIT"] = str(KIT)
    gateway.serve()
    # Our own rules have no opinion on the form of the language: the official ones do.
    bad = message(tmp_path, "REFUSED", (b'<languageCode code="fr-FR"/>', b'<languageCode code="francais"/>'))
    sent = gateway.run("send", bad, "--to", gateway.mllp)
    assert "AA REFUSED" in sent.stdout
    (row,) = until(gateway, "blocked")
    assert (row["state"], row["reason"], row["attempts"]) == ("blocked", "CDA-RULE", 0)
    assert not list(gateway.outbox.glob("*/cda.xml"))
    (shown,) = gateway.rows("message", "1")
    (judgement,) = shown["judgements"]
    assert judgement["official"] is True
    (found,) = [one for one in judgement["findings"] if one["severity"] == "error"]
    assert "languageCode" in found["location"]
    assert ".sch:" in found["detail"]
    assert "francais" not in json.dumps(judgement), "no value of the document"
    assert found["code"] in gateway.run("message", "1").stdout

    good = message(tmp_path, "GOOD")
    sent = gateway.run("send", good, "--to", gateway.mllp)
    assert "AA GOOD" in sent.stdout
    rows = until(gateway, "delivered")
    assert "delivered" in [row["state"] for row in rows]
    (written,) = gateway.outbox.glob("*/cda.xml")
    assert b"fr-FR" in written.read_bytes()
    told = gateway.run("doctor").stdout
    assert re.search(r"ok +validation +official rules", told)


def test_without_a_verdict_nothing_leaves_and_doctor_says_so(unserved: Gateway, tmp_path: Path) -> None:
    gateway = unserved
    gateway.environment["GATEWAY_VALIDATION__KIT"] = str(tmp_path)
    command = json.dumps([sys.executable, "-c", "raise SystemExit('the rules are gone')"])
    gateway.environment["GATEWAY_VALIDATION__COMMAND"] = command
    gateway.serve()
    assert "AA" in gateway.run("send", message(tmp_path, "WAITS"), "--to", gateway.mllp).stdout
    time.sleep(2)
    (row,) = gateway.rows("deliveries")
    assert row["state"] == "planned"
    assert not list(gateway.outbox.glob("*/cda.xml"))
    doctor = gateway.run("doctor")
    assert doctor.returncode == 1
    assert re.search(r"error +validation +.*the rules are gone", doctor.stdout)


def test_without_a_kit_doctor_says_that_only_our_own_checks_run(unserved: Gateway) -> None:
    assert re.search(r"warning +validation +official rules are not run", unserved.run("doctor").stdout)


def test_a_kit_that_is_not_there_stops_the_start(unserved: Gateway, tmp_path: Path) -> None:
    unserved.environment["GATEWAY_VALIDATION__KIT"] = str(tmp_path / "none")
    done = unserved.run("serve")
    assert done.returncode == 1
    assert "validation.kit" in done.stderr
