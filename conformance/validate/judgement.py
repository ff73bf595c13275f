"""What a judge of one kind gives, and what it may ask of the validator that called it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from conformance.validate.kinds import Kind
from conformance.verdict import Remark, Step
from gateway.model.findings import Finding

if TYPE_CHECKING:
    from conformance.schematron.official import Official

Judgement = tuple[tuple[Step, ...], tuple[Remark, ...]]
OWN_RULES = "Own rules"


class Validators(Protocol):
    """The other validators, for what a file holds inside; `official` None: no kit is named."""

    official: "Official | None"
    xds_schemas: Path | None

    def inside(self, data: bytes, kind: Kind) -> Judgement:
        """Steps and remarks alone: for a document inside a message or an archive."""
        ...


Judge = Callable[[Validators, bytes], Judgement]


def timed(name: str, run: Callable[[], tuple[Remark, ...]]) -> Judgement:
    """`run` as one step with its time."""
    started = time.perf_counter()
    remarks = run()
    return (Step(name=name, seconds=time.perf_counter() - started),), remarks


def joined(*judgements: Judgement) -> Judgement:
    """Several judgements as one, in order."""
    steps = tuple(step for one in judgements for step in one[0])
    return steps, tuple(remark for one in judgements for remark in one[1])


def of_findings(findings: tuple[Finding, ...], step: str = OWN_RULES) -> tuple[Remark, ...]:
    """Findings of the gateway as remarks: text, detail and remedy in one line."""
    return tuple(
        Remark(
            severity=found.severity,
            step=step,
            text=f"{found.text}{f' ({found.detail})' if found.detail else ''}. {found.remedy}",
            location=found.location,
            rule=found.code,
        )
        for found in findings
    )
