"""A CDA document: schema and official rules of the kit, and the rules that the official ones miss."""

from typing import TYPE_CHECKING

from conformance.validate.judgement import OWN_RULES, Judgement, Validators, joined, of_findings, timed
from conformance.verdict import NO_KIT, Remark, Step
from conformance.xml import XmlRefusedError, parse
from gateway.model.findings import Severity

if TYPE_CHECKING:
    from conformance.validate.judgement import Validators


def judge(validator: Validators, data: bytes) -> Judgement:
    """Official validation, then our own rules (spec cda.md §2: what the official rules do not catch)."""
    from gateway import cda

    official = judge_officially(validator, data)
    if official[0][0].name == "XML":
        return official
    return joined(official, timed(OWN_RULES, lambda: of_findings(cda.check(data))))


def judge_officially(validator: Validators, data: bytes) -> Judgement:
    """The steps of the kit; one step "XML" with an error for what is not to be parsed."""
    try:
        root = parse(data)
    except XmlRefusedError as error:
        refused = Remark(severity=Severity.ERROR, step="XML", text=str(error))
        return (Step(name="XML"),), (refused,)
    if validator.official is None:
        return (Step(name="XSD and official rules", skipped=NO_KIT),), ()
    return validator.official.judge(root)
