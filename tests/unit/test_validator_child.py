"""The child process that judges: started late, restarted, given up, never trusted with its words."""

import json
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ValidationSettings
from gateway.connectors.validator import HOPELESS, LOOK, MOST, RulesValidator, findings, resolved
from gateway.model.findings import Severity
from gateway.ports import ValidatorUnavailableError

HEAD = """
import base64, json, sys, time
def say(value):
    sys.stdout.write(json.dumps(value) + "\\n"); sys.stdout.flush()
log = open({log!r}, "a")
log.write("start\\n"); log.flush()
"""
GOOD = """
say({"ready": True})
for line in sys.stdin:
    request = json.loads(line)
    data = base64.b64decode(request["data"])
    log.write("judge\\n"); log.flush()
    if data == b"kill":
        raise SystemExit(3)
    if data == b"sleep":
        time.sleep(30)
    if data == b"noise":
        print("not JSON", flush=True)
    remarks = [] if data.startswith(b"<ok") else [
        {"severity": "warning", "step": "IHE", "text": "quotes MARTIN", "said": "should … be",
         "location": "/a[1]"},
        {"severity": "error", "step": "IHE", "text": "quotes MARTIN", "said": "must be", "source": "x.sch:3"},
        {"severity": "error", "step": "XSD", "text": "value MARTIN", "rule": "SCHEMAV_CVC"},
    ]
    say({"id": request["id"], "verdict": {"remarks": remarks, "official": request["official"]}})
"""


class Bench:
    def __init__(self, folder: Path, body: str, **options: Any) -> None:
        self.log = folder / "log"
        self.kit = folder / "kit"
        self.kit.mkdir(exist_ok=True)
        script = folder / "child.py"
        script.write_text(textwrap.dedent(HEAD).format(log=str(self.log)) + body)
        command = (sys.executable, str(script))
        self.now = 0.0
        settings = ValidationSettings(kit=self.kit, command=command, **options)
        self.validator = RulesValidator(settings, clock=lambda: self.now)

    def count(self, what: str) -> int:
        return self.log.read_text().split().count(what) if self.log.is_file() else 0


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    made: list[Bench] = []

    def make(body: str = GOOD, **options: Any) -> Bench:
        made.append(Bench(tmp_path, body, **options))
        return made[-1]

    yield make
    for one in made:
        one.validator.close()


def test_the_child_starts_with_the_first_document_and_judges_equal_ones_once(bench: Any) -> None:
    one = bench()
    assert one.count("start") == 0
    assert one.validator.judge(b"<ok/>") == one.validator.judge(b"<ok/>") == ()
    assert one.validator.judge(b"<ok />") == ()
    assert (one.count("start"), one.count("judge")) == (1, 2)


def test_remarks_become_findings_without_a_word_of_the_document(bench: Any) -> None:
    found = bench().validator.judge(b"<bad/>")
    assert [(one.code, one.severity, one.detail) for one in found] == [
        ("CDA-RULE", Severity.ERROR, "IHE: must be [x.sch:3]"),
        ("CDA-SCHEMA", Severity.ERROR, "XSD: SCHEMAV_CVC"),
        ("CDA-ADVICE", Severity.WARNING, "IHE: should … be"),
    ]
    assert found[2].location == "/a[1]"
    assert "MARTIN" not in repr(found)


def test_a_child_that_ends_is_started_again_for_the_next_document(bench: Any) -> None:
    one = bench()
    with pytest.raises(ValidatorUnavailableError, match="ended"):
        one.validator.judge(b"kill")
    assert one.validator.judge(b"<ok/>") == ()
    assert one.count("start") == 2


def test_a_child_that_says_something_else_is_ended(bench: Any) -> None:
    one = bench()
    with pytest.raises(ValidatorUnavailableError):
        one.validator.judge(b"noise")
    assert one.validator.judge(b"<ok/>") == ()


def test_a_document_that_takes_too_long_is_given_up(bench: Any) -> None:
    one = bench(timeout=0.3)
    began = time.monotonic()
    with pytest.raises(ValidatorUnavailableError, match=r"no answer in 0\.3 s"):
        one.validator.judge(b"sleep")
    assert time.monotonic() - began < 25  # it sleeps 30


def test_a_document_that_always_ends_the_child_is_refused_and_may_be_tried_again(bench: Any) -> None:
    one = bench()
    for _ in range(HOPELESS - 1):
        with pytest.raises(ValidatorUnavailableError):
            one.validator.judge(b"kill")
    (found,) = one.validator.judge(b"kill")
    assert (found.code, found.severity) == ("VALIDATION-FAILED", Severity.ERROR)
    with pytest.raises(ValidatorUnavailableError):  # retried by hand: a fresh series
        one.validator.judge(b"kill")


def test_a_child_that_does_not_start_is_not_asked_again_at_once_and_says_why(bench: Any) -> None:
    one = bench("sys.exit('the kit is not there')")
    with pytest.raises(ValidatorUnavailableError, match="the kit is not there"):
        one.validator.judge(b"<ok/>")
    with pytest.raises(ValidatorUnavailableError, match="next try in 1 s"):
        one.validator.judge(b"<ok/>")
    assert one.count("start") == 1
    one.now = 1.1
    with pytest.raises(ValidatorUnavailableError, match="the kit is not there"):
        one.validator.judge(b"<ok/>")
    with pytest.raises(ValidatorUnavailableError, match="next try in 2 s"):
        one.validator.judge(b"<ok/>")


def test_a_child_that_is_never_ready_is_ended(bench: Any) -> None:
    one = bench("time.sleep(30)", start_timeout=0.3)
    with pytest.raises(ValidatorUnavailableError, match="no answer in"):
        one.validator.start()


def test_an_unknown_program_is_named(tmp_path: Path) -> None:
    settings = ValidationSettings(kit=tmp_path, command=("no-such-program",))
    with pytest.raises(ValidatorUnavailableError, match="no-such-program"):
        RulesValidator(settings).start()


def test_close_ends_a_verdict_under_way(bench: Any) -> None:
    one = bench()
    one.validator.start()
    raised: list[Exception] = []

    def judge() -> None:
        try:
            one.validator.judge(b"sleep")
        except ValidatorUnavailableError as error:
            raised.append(error)

    thread = threading.Thread(target=judge)
    thread.start()
    time.sleep(0.3)
    one.validator.close()
    thread.join(5)
    assert raised
    with pytest.raises(ValidatorUnavailableError, match="closed"):
        one.validator.judge(b"<ok/>")


def test_too_many_findings_are_counted() -> None:
    remarks = [{"severity": "error", "step": "IHE", "said": str(at)} for at in range(MOST + 7)]
    found = findings({"remarks": remarks})
    assert len(found) == MOST + 1
    assert "7 more" in found[-1].detail


def test_a_severity_that_nobody_knows_blocks() -> None:
    (found,) = findings({"remarks": [json.loads('{"severity": "odd", "step": "IHE"}')]})
    assert (found.code, found.severity) == ("CDA-RULE", Severity.ERROR)


def test_the_command_is_found_beside_this_python() -> None:
    program = resolved(("conformance", "validate"))
    assert Path(program[0]).is_file()
    assert program[1:] == ("validate",)


@pytest.mark.req("REQ-33")
def test_a_kit_that_changed_is_loaded_anew_and_judges_anew(bench: Any) -> None:
    one = bench()
    (one.kit / "a.sch").write_text("one rule")
    one.validator.judge(b"<ok/>")
    (one.kit / "a.sch").write_text("another rule")
    one.validator.judge(b"<ok/>")
    assert (one.count("start"), one.count("judge")) == (1, 1), "the kit is not looked at for each document"
    one.now += LOOK
    one.validator.judge(b"<ok/>")
    assert (one.count("start"), one.count("judge")) == (2, 2)
    one.now += LOOK
    one.validator.judge(b"<ok/>")
    assert (one.count("start"), one.count("judge")) == (2, 2), "an unchanged kit keeps its verdicts"
