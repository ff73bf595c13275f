"""What a validator found, as values that travel between processes and into reports."""

from gateway.model.base import Value
from gateway.model.findings import Severity


class Remark(Value):
    """One thing found. `step` is the validation step, `rule` a pattern or finding code, `source` the rule
    file with its line; `location` an XPath with indexes, a segment or a file name."""

    severity: Severity
    step: str
    text: str
    location: str = ""
    rule: str = ""
    source: str = ""
    line: int = 0
    """Line in the validated document, 0 when unknown."""
    said: str = ""
    """The rule's own words, without any value of the document."""


NO_KIT = "no official kit is named (--kit DIR)"
NO_SCHEMAS = "no ebXML schemas beside the kit"
NO_VOLET = "no volet of the kit demands a templateId of this document"
N1_HAS_NO_VOLET = "a document with an unstructured body (N1) has no volet"
UNREADABLE = "the document cannot be read"
"""Why a step did not run."""


class Step(Value):
    """One step of a validation: what it was, whether it ran (`skipped` says why not), how long."""

    name: str
    skipped: str = ""
    seconds: float = 0.0


class Verdict(Value):
    """Outcome for one file. `kind` is what it was taken for, `sha256` names the bytes that were judged."""

    name: str
    kind: str
    sha256: str
    steps: tuple[Step, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def errors(self) -> int:
        return sum(remark.severity is Severity.ERROR for remark in self.remarks)

    @property
    def warnings(self) -> int:
        return sum(remark.severity is Severity.WARNING for remark in self.remarks)

    @property
    def valid(self) -> bool:
        return not self.errors
