"""Messages of the volet Transmission: ORU or MDM whose OBX carries a CDA (spec hl7v2.md §1; REQ-33).

The report comes from the CDA header; flags, sender, recipients and identity status from the message. The CDA
is kept byte for byte.
"""

from typing import NamedTuple

from gateway.cda import CdaError, CdaHeader, read
from gateway.cda.values import join_id
from gateway.hl7v2 import Message, Segment, cisis
from gateway.mapping import cda
from gateway.mapping import hl7_documents as documents
from gateway.mapping.finish import finish
from gateway.mapping.hl7_context import context
from gateway.mapping.hl7_events import document_action
from gateway.mapping.hl7_patient import status_codes
from gateway.mapping.hl7_reader import Group, Reader
from gateway.mapping.hl7_types import cx, document_id
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.people import Patient
from gateway.model.report import ImagingReport, ReportStatus
from gateway.model.submission import Action, Mapped
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


def carries_cda(message: Message) -> bool:
    """By MSH-21 (`…^CISIS_CDA_HL7_V2`), or by an observation that says XML in OBX-5.3."""
    if message.profile.partition("^")[2] in cisis.TRANSMISSION_PROFILES:
        return True
    return any(_says_xml(segment) and documents.is_document(segment) for segment in message.all("OBX"))


def _says_xml(segment: Segment) -> bool:
    head = segment.field(5)[:512].upper()
    return b"XML" in head and segment.value(5, 1, 3).strip().upper() == "XML"


def with_document(message: Message, profile: Profile, used: set[tuple[int, int]]) -> Mapped:
    """The report of a message that carries a CDA; several CDAs (N1 + N3) are documents of one version."""
    scope = Group(message.segments, message)
    reader = Reader(scope, profile, Trail(profile.site.name), used)
    embedded = documents.embedded(scope, reader)
    received = _read(embedded, reader)
    principal = _principal(received)
    segment = principal.document.segment if principal else embedded[0].segment if embedded else None
    action = Action.CREATE
    if segment is not None:
        action, found = document_action(message, segment)
        reader.trail.take(found)
    came = context(message, scope, reader, action)
    report = _report(principal, action, scope, reader) if principal else None
    if report is None or principal is None:
        return Mapped(report=None, context=came, findings=reader.trail.findings)
    blob = principal.document.blob
    came = replace(
        came,
        received_document=blob.sha256,
        received_document_id=principal.header.unique_id,
        received_set_id=join_id(principal.header.set_id) if principal.header.set_id else "",
    )
    done = finish(report, profile, reader.trail.provenance, complete=False)
    reader.trail.take(done.findings)
    return Mapped(
        report=replace(done.report, attachments=tuple(one.document.attachment for one in received)),
        context=came,
        blobs=tuple(one.document.blob for one in received),
        provenance=done.provenance,
        findings=reader.trail.findings,
    )


def _read(embedded: tuple[documents.Embedded, ...], reader: Reader) -> tuple[Received, ...]:
    """The CDAs among the documents. What stands in their place and is none is CDA-INVALID."""
    made: list[Received] = []
    stated = [one for one in embedded if one.media_type == documents.CDA or _says_xml(one.segment)]
    for document in stated or embedded:
        try:
            made.append(Received(document._replace(media_type=documents.CDA), read(document.data)))
        except CdaError as wrong:
            for found in wrong.findings:
                place = f"{document.location}/{found.location}".rstrip("/")
                reader.trail.at(found.code, place, found.detail, found.severity)
    if not embedded and not reader.trail.findings:
        reader.trail.at("REPORT-EMPTY", "OBX-5", "no document")
    return tuple(made)


def _principal(received: tuple[Received, ...]) -> Received | None:
    """The structured document (N3) when there is one, else the first."""
    return next(
        (one for one in received if one.header.body == "structured"), received[0] if received else None
    )


def _report(principal: Received, action: Action, scope: Group, reader: Reader) -> ImagingReport | None:
    header, place = principal.header, principal.document.location
    if header.code.code != cda.IMAGING_REPORT:
        reader.trail.at(
            "NOT-IMAGING", f"{place}/ClinicalDocument/code", f"document type {header.code.code[:12]}"
        )
        return None
    if scope.first("PID") is None:
        reader.trail.at("HL7-SEGMENT-MISSING", "PID")
        return None
    _compare(header, scope, reader)
    status = ReportStatus.CORRECTED if header.replaces else ReportStatus.FINAL
    if action is not Action.CREATE:
        status = _STATUS[action]
    patient = _patient(header, reader)
    return cda.report(header, patient, status, reader.profile.site.tz, reader.trail, place)


def _patient(header: CdaHeader, reader: Reader) -> Patient:
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


def _compare(header: CdaHeader, scope: Group, reader: Reader) -> None:
    """PID-3 and TXA-12 against the header (volet 2.1: PID-3 equals the recordTarget ids; REQ-32)."""
    found = reader.find("patient.ins")
    if found is not None:
        stated = cx(scope, found.segment, found.field, found.repetition)
        if header.patient.ins is not None and stated.value != header.patient.ins.value:
            reader.trail.at("CDA-MISMATCH", found.location, "INS")
    txa = scope.first("TXA")
    if txa is None:
        return
    reader.mark(txa, 2, 12, 13, 17)
    if (stated_id := document_id(scope, txa, 12)) and stated_id != header.unique_id:
        reader.trail.at("CDA-MISMATCH", txa.location(12), "document id")
    if (prior := document_id(scope, txa, 13)) and prior not in {join_id(one) for one in header.replaces}:
        reader.trail.at("CDA-MISMATCH", txa.location(13), "replaced document")
