"""Faults of a header against the sharing metadata: gathered all, raised once."""

from gateway.model.findings import Finding, finding
from gateway.model.terms import Code


class CisisError(Exception):
    """A CDA, or the site's constants, lack what sharing needs; `findings` say all of it with places."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{found.code} {found.location}".strip() for found in findings))
        self.findings = findings


class Faults:
    """Collects findings; locations are paths below ClinicalDocument, or keys of the site profile."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def add(self, code: str, location: str, detail: str = "") -> None:
        self._found.append(finding(code, location, detail))

    def needed(self, text: str, location: str) -> str:
        """`text`, noted as missing when it is empty."""
        if not text:
            self.add("XDS-VALUE-MISSING", location)
        return text

    def needed_code(self, code: Code | None, location: str) -> Code:
        if code is not None and code.code:
            return code
        self.add("XDS-VALUE-MISSING", location)
        return Code(code="")

    def check(self) -> None:
        """Raises CisisError when there is any fault."""
        if self._found:
            raise CisisError(tuple(dict.fromkeys(self._found)))
