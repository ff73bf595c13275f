"""Commands about kept reports (`gateway announce`, `mask`, `withdraw`): stored and answered like a message.

A command has no control id of a sender and is never answered by an older one: given twice, the second finds
that nothing is left to change.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from gateway.fhir import http_status
from gateway.model.base import encode, replace
from gateway.model.command import Command, Verb
from gateway.model.decision import MESSAGE_STATES, Decision, Verdict
from gateway.model.findings import Finding, errors, finding
from gateway.model.submission import Mapped
from gateway.ports import Clock, Conclusion, Known, Received, Settled
from gateway.rules import commands, merge

PROTOCOL = "command"
"""`Received.protocol` of a command; its peer is who gave it."""


class CommandAnswer(NamedTuple):
    """HTTP status, and the JSON object that API and CLI show."""

    status: int
    body: bytes


def received(command: Command, clock: Clock) -> Received:
    return Received(
        raw=encode(command),
        protocol=PROTOCOL,
        peer=command.actor,
        site=command.site,
        received_at=clock.now(),
        dedupe_key="",
        message_type=command.verb.value,
        report_id=command.report_id,
    )


def conclude(command: Command, known: Known, settle: Callable[[Mapped], Settled]) -> Conclusion:
    """What the commit writes for the command; `settle` decides over the report as it then is."""
    before, kept = known.report(command.site, command.set_key), known.kept(command.site, command.set_key)
    why = commands.refusal(command, before, kept)
    if why is not None or kept is None:
        return refused(command, why or finding("INTERNAL"))
    mapped = commands.ordered(command, kept)
    if command.verb is Verb.WITHDRAW:  # whoever the patient is taken for now
        settled = settle(mapped)
        if settled.decision.verdict is Verdict.REJECT:
            return refused(command, *settled.decision.findings)
        return _concluded(command, settled.decision.verdict, settled.decision.findings, settled)
    if mapped.context == kept.context:
        unchanged = (finding("CONTENT-UNCHANGED"),)
        decision = Decision(verdict=Verdict.ACCEPT, findings=unchanged)
        return _concluded(
            command,
            Verdict.ACCEPT,
            unchanged,
            Settled(mapped=mapped, decision=decision, set_key=command.set_key),
        )
    settled = settle(merge.identified(mapped, lambda key: known.identity(command.site, key)))
    decision = settled.decision
    if decision.verdict is Verdict.REJECT:
        return refused(command, *decision.findings)
    owed = commands.still_owed(decision.plan, known.sent(command.site, command.set_key))
    settled = replace(settled, decision=replace(decision, plan=owed))
    return _concluded(command, decision.verdict, decision.findings, settled)


def refused(command: Command, *why: Finding) -> Conclusion:
    """Nothing changes; what was asked is kept."""
    return _concluded(command, Verdict.REJECT, why)


def _concluded(
    command: Command, verdict: Verdict, found: tuple[Finding, ...], *settled: Settled
) -> Conclusion:
    number = settled[0].decision.number if settled else 0
    said = {
        "report_id": str(command.report_id),
        "verb": command.verb.value,
        "state": MESSAGE_STATES[verdict].value,
        "version": number or None,
        "detail": _words(command, number, found),
        "findings": [
            {
                "code": one.code,
                "severity": one.severity.value,
                "text": one.text,
                "detail": one.detail,
                "remedy": one.remedy,
            }
            for one in found
        ],
    }
    status = http_status(found) if verdict is Verdict.REJECT else 200
    answer = f"{status}\n".encode() + json.dumps(said, ensure_ascii=False).encode()
    return Conclusion(state=MESSAGE_STATES[verdict], answer=answer, reports=settled, findings=found)


def _words(command: Command, number: int, found: tuple[Finding, ...]) -> str:
    """The answer in a line: what was made, or why nothing; of a withdrawal what it comes to."""
    if number and command.verb is not Verb.WITHDRAW:
        return f"version {number} is made"
    one = next(iter(errors(found)), found[-1])
    return f"{one.text}{f' ({one.detail})' if one.detail else ''}. {one.remedy}."


def answered(answer: bytes) -> CommandAnswer:
    """The stored answer of a command."""
    status, _, body = answer.partition(b"\n")
    return CommandAnswer(int(status), body)
