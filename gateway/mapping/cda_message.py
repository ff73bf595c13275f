"""Messages of the volet Transmission: ORU or MDM whose OBX carries a CDA (spec hl7v2.md §1; REQ-33).

The report comes from the CDA header; flags, sender, recipients and identity status from the message. The CDA
is kept byte for byte.
"""

from typing import NamedTuple

from gateway.cda import CdaError, CdaHeader, read
from gateway.cda.values import join_id
from gateway.hl7v2 import Message, parse_date
from gateway.mapping import cda
from gateway.mapping import hl7_documents as documents
from gateway.mapping.code_rows import fold
from gateway.mapping.finish import finish
from gateway.mapping.hl7_context import context
from gateway.mapping.hl7_events import document_action
from gateway.mapping.hl7_patient import status_codes
from gateway.mapping.hl7_reader import Group, Reader, Used
from gateway.mapping.hl7_types import cx, document_id
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.findings import Finding, Severity
from gateway.model.people import Patient
from gateway.model.report import ImagingReport, ReportStatus
from gateway.model.submission import Action, Mapped, Trace
from gateway.model.terms import Identifier
from gateway.rules import identity

_STATUS = {
    Action.CREATE: ReportStatus.FINAL,
    Action.REPLACE: ReportStatus.CORRECTED,
    Action.DELETE: ReportStatus.ENTERED_IN_ERROR,
}


class Received(NamedTuple):
    """A CDA of the message with its header."""

    document: documents.Embedded
    header: CdaHeader


def with_documents(message: Message, profile: Profile, used: Used) -> tuple[Mapped, ...]:
    """One Mapped per CDA of the message, at least one.

    N1 and N3 in one ORU (§1.1) have a setId each and are replaced one by one, so each is a report set of its
    own. What is wrong with a document that could not be read stands in the first Mapped.
    """
    scope = Group(message.segments, message)
    reader = Reader(scope, profile, Trail(profile.site.name), used)
    received = read_documents(documents.embedded(scope, reader), reader)
    if not received:
        found = _event_findings(message)
        came = context(message, scope, reader, Action.CREATE)
        return (Mapped(report=None, context=came, findings=(*reader.trail.findings, *found)),)
    _distinct(received, reader)
    made = []
    for place, one in enumerate(received):
        own = reader if place == 0 else Reader(scope, profile, Trail(profile.site.name), used)
        made.append(_one(message, one, scope, own))
    return tuple(made)


def _one(message: Message, received: Received, scope: Group, reader: Reader) -> Mapped:
    """The report of one CDA: what its header says, and how the message says it came."""
    action, found = document_action(message, received.document.segment)
    reader.trail.take(found)
    came = context(message, scope, reader, action)
    report = _report(received, action, scope, reader)
    if report is None:
        return Mapped(report=None, context=came, findings=reader.trail.findings)
    attachment = received.document.attachment
    blob = received.document.blob(attachment.sha256)
    came = replace(
        came,
        received_document=blob.sha256,
        document_id=received.header.unique_id,
        prior_document_id=join_id(received.header.replaces[0]) if received.header.replaces else "",
        received_set_id=join_id(received.header.set_id) if received.header.set_id else "",
    )
    done = finish(report, reader.profile, reader.trail.provenance, complete=False)
    reader.trail.take(done.findings)
    return Mapped(
        report=replace(done.report, attachments=(attachment,)),
        context=came,
        blobs=(blob,),
        trace=Trace(provenance=done.provenance),
        findings=reader.trail.findings,
    )


def _event_findings(message: Message) -> tuple[Finding, ...]:
    """What event, ORC-1 and OBX-11 say of a message whose document cannot be read: told at once."""
    stated = next((one for one in message.all("OBX") if documents.is_document(one)), None)
    return document_action(message, stated)[1] if stated is not None else ()


def _distinct(received: tuple[Received, ...], reader: Reader) -> None:
    """CDA-SEVERAL for a document of a set that the message has already: it would replace it at once."""
    seen: set[Identifier] = set()
    for one in received:
        key = cda.report_set(one.header)
        if key in seen:
            reader.trail.at("CDA-SEVERAL", one.document.location)
        seen.add(key)


def read_documents(embedded: tuple[documents.Embedded, ...], reader: Reader) -> tuple[Received, ...]:
    """The CDAs among the documents, each once. What stands in their place and is none is CDA-INVALID."""
    made: dict[bytes, Received] = {}
    stated = [one for one in embedded if one.media_type == documents.CDA or documents.says_xml(one.segment)]
    for document in stated or embedded:
        try:
            made.setdefault(
                document.data, Received(document._replace(media_type=documents.CDA), read(document.data))
            )
        except CdaError as wrong:
            for found in wrong.findings:
                place = f"{document.location}/{found.location}".rstrip("/")
                reader.trail.at(found.code, place, found.detail, found.severity)
    if not embedded and not reader.trail.findings:
        reader.trail.at("REPORT-EMPTY", "OBX-5", "no document")
    return tuple(made.values())


def _report(received: Received, action: Action, scope: Group, reader: Reader) -> ImagingReport | None:
    header, place = received.header, received.document.location
    if header.code.code != cda.IMAGING_REPORT:
        detail = f"document type {header.code.code[:12]}"
        if header.code.code == cda.IMAGING_ORDER:
            detail += "; OBR-4 of an order says so"
        reader.trail.at("NOT-IMAGING", f"{place}/ClinicalDocument/code", detail)
        return None
    if scope.first("PID") is None:
        reader.trail.at("HL7-SEGMENT-MISSING", "PID")
        return None
    compare(header, scope, reader)
    status = ReportStatus.CORRECTED if header.replaces else ReportStatus.FINAL
    if action is not Action.CREATE:
        status = _STATUS[action]
    patient = patient_of(header, reader)
    return cda.report(header, patient, status, reader.profile.site.tz, reader.trail, place)


def patient_of(header: CdaHeader, reader: Reader) -> Patient:
    """The header's patient; whether the identity is qualified stands in PID-32 only."""
    code, flags, place = status_codes(reader)
    if place:
        reader.trail.source("patient.identity_status", place)
    patient = header.patient
    status = identity.status(
        code=code,
        system=identity.HL7_0445,
        has_ins=patient.ins is not None,
        traits_complete=not identity.traits(patient),
        flags=flags,
    )
    return replace(patient, identity_status=status)


def compare(header: CdaHeader, scope: Group, reader: Reader) -> None:
    """PID and TXA against the header (volet 2.1 §1.4: PID-3 equals the recordTarget ids; REQ-32)."""
    _compare_patient(header.patient, scope, reader)
    _compare_structure(header, scope, reader)
    txa = scope.first("TXA")
    if txa is None:
        return
    reader.mark(txa, 2, 12, 13, 17)
    if (stated_id := document_id(scope, txa, 12)) and stated_id != header.unique_id:
        reader.trail.at("CDA-MISMATCH", txa.location(12), "document id")
    if (prior := document_id(scope, txa, 13)) and prior not in {join_id(one) for one in header.replaces}:
        reader.trail.at("CDA-MISMATCH", txa.location(13), "replaced document")


def _compare_structure(header: CdaHeader, scope: Group, reader: Reader) -> None:
    """The sender's structure (PRT-8) is that of who answers for the document, as the DMP wants it."""
    signer = header.legal_authenticator
    structure = signer.practitioner.organization if signer is not None else None
    if structure is None or not structure.id:
        return
    for segment in scope.all("PRT"):
        number = segment.leaf(8, 10) if segment.leaf(4) == "SB" else ""
        if number and number not in (structure.id, structure.id[1:]):  # with its type digit, or without
            reader.trail.at("CDA-MISMATCH", segment.location(8), "structure")


def _compare_patient(patient: Patient, scope: Group, reader: Reader) -> None:
    """An INS that differs, or two traits, make another person: an error. One trait alone is a warning."""
    found = reader.find("patient.ins")
    if found is not None and patient.ins is not None:
        stated = cx(scope, found.segment, found.field, found.repetition)
        if stated.value != patient.ins.value:
            reader.trail.at("CDA-MISMATCH", found.location, "INS", Severity.ERROR)
    sexes = reader.profile.codes.sex
    differing = []
    for locator, trait, own, comparable in (
        ("patient.birth_name", "birth name", fold(patient.birth_family), fold),
        ("patient.birth_date", "birth date", patient.birth_date, parse_date),
        ("patient.sex", "sex", patient.sex or "", lambda code: hit.value if (hit := sexes(code)) else ""),
    ):
        said = reader.find(locator)
        value = comparable(said.value) if said is not None else ""
        if said is not None and value and own and not own.startswith(value) and not value.startswith(own):
            differing.append((said.location, trait))  # a partial date agrees with a whole one
    severity = Severity.ERROR if len(differing) > 1 else Severity.WARNING
    for location, trait in differing:
        reader.trail.at("CDA-MISMATCH", location, trait, severity)
