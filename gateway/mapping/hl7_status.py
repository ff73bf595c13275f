"""Status and validation time of a classic report message (spec hl7v2.md §4.4, §4.6)."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from gateway.hl7v2 import Segment
from gateway.mapping.code_rows import Hit
from gateway.mapping.hl7_reader import Group, Reader
from gateway.model.findings import Severity
from gateway.model.report import ReportStatus

_S = ReportStatus
LEAST_FINAL: Final = (_S.REGISTERED, _S.PRELIMINARY, _S.FINAL, _S.CORRECTED, _S.APPENDED)
"""Among lines of different status the report is as final as its least final line."""
_WITHDRAWN: Final = (_S.ENTERED_IN_ERROR, _S.CANCELLED)
"""Lines withdrawn count only when all are: beside others they are lines that were taken out."""


def status(scope: Group, is_content: Callable[[Segment], bool], reader: Reader) -> ReportStatus | None:
    """OBR-25 (TXA-17) before OBX-11; of several the least final. None, with a finding, when unknown.

    `is_content` tells which segments carry the report.
    """
    found = reader.find_all("report.status")
    places = [(one.value, one.location) for one in found]
    if not places:
        for segment in filter(is_content, scope.segments):
            reader.mark(segment, 11)
            if value := segment.value(11).strip():
                places.append((value, segment.location(11)))
    if not places:
        obr = scope.first("OBR")
        reader.trail.at("STATUS-UNKNOWN", obr.location(25) if obr else "OBX-11", "no status")
        return None
    known: list[tuple[Hit[ReportStatus], str]] = []
    for value, place in places:
        hit = reader.profile.codes.status(value)
        if hit is None:
            reader.trail.at("STATUS-UNKNOWN", place, f"code {value[:8]}")
            return None
        known.append((hit, place))
    hit, place = min(known, key=lambda one: _rank(one[0].value))
    reader.trail.source("status", place, hit.rule)
    return hit.value


def _rank(value: ReportStatus) -> int:
    return LEAST_FINAL.index(value) if value in LEAST_FINAL else len(LEAST_FINAL) + _WITHDRAWN.index(value)


def validated_at(state: ReportStatus, reader: Reader) -> datetime | None:
    """OBR-22 (TXA-22.15); for a validated report else OBX-14 or MSH-7, with the finding that it was guessed.

    A time that cannot be read is an error: nobody can know when the report was validated.
    """
    severity = Severity.ERROR if state.validated else Severity.WARNING
    if (found := reader.find("report.validated_at")) is not None:
        return reader.moment("validated_at", found, severity)
    if not state.validated or (guess := reader.find("report.validated_at_guessed")) is None:
        return None
    reader.trail.at("VALIDATION-TIME-GUESSED", guess.location)
    return reader.moment("validated_at", guess)
