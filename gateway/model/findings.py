"""What is wrong with an input, said for people; and the one catalogue of finding codes.

A rule never writes prose into the wire: it makes a `Finding` with a code, a place and a value class, and
every answer (ERR segment, OperationOutcome, CLI, page) renders it from the catalogue, `findings.csv`.
"""

import csv
from enum import StrEnum
from pathlib import Path

from gateway.model.base import Value


class Severity(StrEnum):
    ERROR = "error"
    """The input, or one of its deliveries, cannot go on."""
    WARNING = "warning"
    """Taken with a deviation that somebody should mend."""
    INFO = "info"


class FindingSpec(Value):
    """One row of the catalogue.

    `err3` is the ERR-3 code (HL7 table 0357; 207 with `err5` when the fault is one of application), `err5` a
    code of table 0533 as the volet Transmission uses it, `http` the status that a FHIR intake answers when
    this finding alone refuses the input. `retry` asks the sender to resend later (AR instead of AE).
    """

    code: str
    severity: Severity
    text: str
    remedy: str
    err3: str = "207"
    err5: str = ""
    http: int = 422
    retry: bool = False


class Finding(Value):
    """One fault or remark. `location` is `PID-3[2].4`, an XPath or a FHIRPath, in the terms of the input.

    `detail` tells what was found as a class of value ("14 digits", "code RX"), never clinical text nor a
    whole identity.
    """

    code: str
    severity: Severity
    location: str = ""
    detail: str = ""

    @property
    def spec(self) -> FindingSpec:
        return CATALOGUE[self.code]

    @property
    def text(self) -> str:
        return self.spec.text

    @property
    def remedy(self) -> str:
        return self.spec.remedy

    def __str__(self) -> str:
        place = f" at {self.location}" if self.location else ""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.severity} {self.code}{place}: {self.text}{detail}. {self.remedy}"


def finding(code: str, location: str = "", detail: str = "", severity: Severity | None = None) -> Finding:
    """A finding of the catalogue; `severity` overrides the usual one (a site's policy).

    Raises KeyError for a code that is not in the catalogue.
    """
    return Finding(code=code, severity=severity or CATALOGUE[code].severity, location=location, detail=detail)


def errors(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(found for found in findings if found.severity is Severity.ERROR)


def _load() -> dict[str, FindingSpec]:
    with Path(__file__).with_name("findings.csv").open(encoding="utf-8", newline="") as table:
        return {
            row["code"]: FindingSpec(
                code=row["code"],
                severity=Severity(row["severity"]),
                text=row["text"],
                remedy=row["remedy"],
                err3=row["err3"],
                err5=row["err5"],
                http=int(row["http"]),
                retry=row["retry"] == "yes",
            )
            for row in csv.DictReader(table)
        }


CATALOGUE: dict[str, FindingSpec] = _load()
"""All finding codes, from `findings.csv` beside this file."""
