"""What this room raises: each error carries the finding that answers the sender."""

from gateway.model.findings import Finding, finding


class NotHl7Error(Exception):
    """The bytes are no HL7 v2 message: no MSH, or no delimiters behind it."""

    def __init__(self, detail: str, code: str = "HL7-NOT-HL7", location: str = "") -> None:
        super().__init__(detail)
        self.finding: Finding = finding(code, location, detail)


class Base64Error(Exception):
    """A component that should hold Base64 does not."""

    def __init__(self, location: str, detail: str) -> None:
        super().__init__(f"{location}: {detail}")
        self.finding: Finding = finding("HL7-BASE64", location, detail)
