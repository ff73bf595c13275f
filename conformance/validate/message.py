"""A message: HL7 v2 by the gateway's reader and rules with hl7apy as second opinion, or a FHIR Bundle."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from conformance.validate.judgement import Judgement, Validators, joined, of_findings, timed
from conformance.validate.kinds import Kind
from conformance.verdict import Remark, Step
from gateway.model.base import replace
from gateway.model.findings import Finding, Severity

if TYPE_CHECKING:
    from conformance.validate.judgement import Validators
    from gateway.hl7v2 import Message
    from gateway.pipeline.offline import Judged

READER = "HL7 v2 reader"
SECOND = "hl7apy"
RULES = "Intake rules"
NOT_SERVED = ("HL7-TYPE-UNSUPPORTED", "HL7-EVENT-UNSUPPORTED")


def judge_hl7v2(validator: Validators, data: bytes) -> Judgement:
    """Reader, then intake rules of the site that claims it, hl7apy, and the document inside."""
    from gateway import hl7v2
    from gateway.pipeline.offline import unframed

    payload = unframed(data)
    try:
        message = hl7v2.read(payload)
    except hl7v2.NotHl7Error as error:
        return (Step(name=READER),), of_findings((error.finding,), READER)
    reader = timed(READER, lambda: of_findings(hl7v2.read(payload).findings, READER))
    second = timed(SECOND, lambda: tuple(_second_opinion(message)))
    return joined(reader, _rules(validator, payload, said=frozenset(message.findings)), second)


def judge_fhir(validator: Validators, data: bytes) -> Judgement:
    """FHIR R4 as the intake reads it, then the intake rules."""
    return _rules(validator, data, said=frozenset())


def _rules(validator: Validators, data: bytes, said: frozenset[Finding]) -> Judgement:
    """What the intake would say, in the test environment; `said` are findings reported before."""
    from gateway.mapping import sites
    from gateway.pipeline.offline import UnreadableError, judge

    started = time.perf_counter()
    try:
        judged = judge(data, sites.load(), environment="test", now=datetime.now(UTC))
    except UnreadableError as error:
        return (Step(name=RULES),), of_findings(error.findings, RULES)
    step = Step(name=RULES, seconds=time.perf_counter() - started)
    found = tuple(one for one in dict.fromkeys(_findings(judged)) if one not in said)
    documents = (
        validator.inside(blob.data, Kind.CDA)
        for one in judged
        for blob in one.mapped.blobs
        if blob.sha256 == one.mapped.context.received_document
    )
    return joined(((step,), of_findings(tuple(map(_of_a_tester, found)), RULES)), *documents)


def _findings(judged: "tuple[Judged, ...]") -> Iterator[Finding]:
    for one in judged:
        yield from one.mapped.findings
        yield from one.decision.findings
        yield from one.deviations


def _of_a_tester(found: Finding) -> Finding:
    """An ACK or an ADT is no faulty message because the intake does not serve its type."""
    return replace(found, severity=Severity.INFO) if found.code in NOT_SERVED else found


def _second_opinion(message: "Message") -> Iterator[Remark]:
    """hl7apy on each segment. What it does not know or loses is said: its silence is no assent."""
    try:
        from hl7apy.exceptions import HL7apyException
        from hl7apy.parser import parse_segment
        from hl7apy.validation import Validator as Hl7apyValidator
    except ImportError:
        yield Remark(severity=Severity.INFO, step=SECOND, text="hl7apy is not installed")
        return
    unknown: set[str] = set()
    for segment in message.segments:
        text = segment.raw.decode(message.charset, "replace")
        try:
            parsed = parse_segment(text, version=message.known_version)
            if _bare(parsed.to_er7()) != _bare(text):
                yield _lost(segment.location())
            Hl7apyValidator.validate(parsed)
        except HL7apyException as error:
            if type(error).__name__ in ("InvalidName", "UnsupportedVersion"):
                unknown.add(segment.name)
            else:
                yield Remark(
                    severity=Severity.WARNING,
                    step=SECOND,
                    text=str(error),
                    location=segment.location(),
                    rule=type(error).__name__,
                )
        except (TypeError, AttributeError, KeyError, IndexError, ValueError):
            unknown.add(segment.name)
    if unknown:
        names = ", ".join(sorted(unknown))
        text = f"hl7apy cannot read {names}: these segments have no second opinion"
        yield Remark(severity=Severity.INFO, step=SECOND, text=text)


def _bare(text: str) -> str:
    """Without the separators that close a field or a segment and carry nothing."""
    return re.sub(r"[\^&~]+(?=\||$)", "", text.rstrip("|\r\n"))


def _lost(location: str) -> Remark:
    text = "hl7apy does not give this segment back as it was: its opinion covers a part only"
    return Remark(severity=Severity.INFO, step=SECOND, text=text, location=location, rule="LOSS")
