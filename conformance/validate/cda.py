"""A CDA document: schema and official rules of the kit, and the rules that the official ones miss."""

from typing import TYPE_CHECKING

from conformance.validate.validator import OWN_RULES, Judgement, joined, of_findings, timed
from conformance.verdict import Remark, Step
from conformance.xml import XmlRefusedError, parse
from gateway.model.findings import Severity

if TYPE_CHECKING:
    from conformance.validate.validator import Validator

NO_KIT = "no official kit is named (--kit DIR)"


def judge(validator: "Validator", data: bytes) -> Judgement:
    """Official validation, then our own rules (spec cda.md §2: what the official rules do not catch)."""
    from gateway import cda

    try:
        root = parse(data)
    except XmlRefusedError as error:
        refused = Remark(severity=Severity.ERROR, step="XML", text=str(error))
        return (Step(name="XML"),), (refused,)
    official: Judgement = ((Step(name="XSD and official rules", skipped=NO_KIT),), ())
    if validator.official is not None:
        official = validator.official.judge(root)
    return joined(official, timed(OWN_RULES, lambda: of_findings(cda.check(data))))
