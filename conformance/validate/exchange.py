"""What travels: XDS metadata, an IHE_XDM.ZIP, a mail of MSSanté; by the rules that the simulators use."""

from typing import TYPE_CHECKING

from lxml import etree

from conformance.schematron.official import schema_remarks
from conformance.simulators import ebrim, mail_rules, xdm, xds_rules
from conformance.simulators.xds_faults import Fault, Submission
from conformance.simulators.xds_rules import EXCHANGE_METADATA_RULES
from conformance.validate.judgement import Judgement, Validators, joined, timed
from conformance.validate.kinds import Kind
from conformance.verdict import NO_SCHEMAS, Remark, Step
from conformance.xml import XmlRefusedError, parse
from gateway.model.findings import Severity

if TYPE_CHECKING:
    from conformance.validate.judgement import Validators

METADATA_STEP = "XDS metadata rules"


def judge_xds(validator: Validators, data: bytes) -> Judgement:
    """An lcm:SubmitObjectsRequest: XSD where the kit has it, then §1.6, without the bytes it speaks of.

    A local number instead of an INS is taken: METADATA.XML of a mail may carry it.
    """
    try:
        root = parse(data)
    except XmlRefusedError as error:
        return (Step(name="XML"),), (Remark(severity=Severity.ERROR, step="XML", text=str(error)),)
    request = next(root.iter(f"{{{ebrim.LCM}}}SubmitObjectsRequest"), None)
    if request is None:
        nothing = Remark(severity=Severity.ERROR, step="XML", text="There is no SubmitObjectsRequest")
        return (Step(name="XML"),), (nothing,)
    submission = Submission(ebrim.read(request), {})
    rules = timed(
        METADATA_STEP, lambda: _remarks(METADATA_STEP, xds_rules.check(submission, EXCHANGE_METADATA_RULES))
    )
    return joined(_schema(validator, request), rules)


def judge_xdm(validator: Validators, data: bytes) -> Judgement:
    """The archive with its metadata, hashes and names; then each document inside."""
    step = "XDM archive"
    archive = xdm.read(data)
    judged = [timed(step, lambda: _remarks(step, archive.faults))]
    judged += [validator.inside(document.data, Kind.CDA) for document in archive.documents]
    return joined(*judged)


def judge_mail(validator: Validators, data: bytes) -> Judgement:
    """A mail as it was sent (.eml); the To header stands for the recipient of the envelope."""
    step = "MSSanté mail"
    mail = mail_rules.read(data, ())
    recipients = tuple(one for one in mail.to.split(",") if one.strip())
    mail = mail_rules.read(data, tuple(one.rpartition("<")[2].strip("> ") for one in recipients))
    judged = [timed(step, lambda: _remarks(step, mail.faults))]
    if mail.archive is not None:
        judged += [validator.inside(document.data, Kind.CDA) for document in mail.archive.documents]
    return joined(*judged)


def _schema(validator: Validators, request: etree._Element) -> Judgement:
    folder = validator.xds_schemas
    if folder is None:
        return (Step(name="XSD", skipped=NO_SCHEMAS),), ()
    schema = etree.XMLSchema(etree.parse(str(folder / "lcm.xsd")))
    return timed("XSD", lambda: tuple(schema_remarks(schema, request)))


def _remarks(step: str, faults: tuple[Fault, ...]) -> tuple[Remark, ...]:
    return tuple(
        Remark(severity=Severity.ERROR, step=step, text=fault.text, location=fault.place, rule=fault.code)
        for fault in faults
    )
