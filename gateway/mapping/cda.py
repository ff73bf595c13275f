"""The header of a received CDA → canonical report. The CDA itself passes through byte for byte (REQ-33).

Its text stays inside it: the canonical report of a received CDA has no sections.
"""

from datetime import datetime, tzinfo

from gateway.cda import CdaHeader, Party, ServiceEvent, parse_ts
from gateway.cda.values import join_id
from gateway.mapping.finish_acts import studies_of
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.people import Organization, Patient, Practitioner
from gateway.model.report import Act, Encounter, ImagingReport, OrderReference, ReportStatus
from gateway.model.terms import CIM10, Code, Identifier

IMAGING_REPORT = "18748-4"
"""ClinicalDocument/code of every imaging report (cda.md §0)."""
IMAGING_ORDER = "55115-0"
"""ClinicalDocument/code of every imaging order, which OBR-4 and TXA-2 repeat (volet Transmission §1.4)."""
ENCOUNTER_CODES = frozenset({"AMB", "IMP", "EMER", "FLD", "HH", "VR"})
"""ActEncounterCode within JDV_J142; its French codes (EXTERNE, SEANCE) are ambulatory care."""
PCP = "PCP"


def report(
    header: CdaHeader, patient: Patient, status: ReportStatus, tz: tzinfo, trail: Trail, place: str
) -> ImagingReport:
    """What the header says of the report; `place` is where the CDA stood in the message (`OBX-5.5`).

    `patient` is that of the header with the identity status of the message.
    """
    validator = header.legal_authenticator
    acts = _acts(header, tz)
    _trace(header, trail, place)
    made = ImagingReport(
        report_set=report_set(header),
        status=status,
        patient=patient,
        validated_at=time(validator.time if validator else "", tz),
        authors=tuple(party.practitioner for party in header.authors if not party.is_device),
        legal_authenticator=validator.practitioner if validator else None,
        authenticators=tuple(party.practitioner for party in header.authenticators),
        requester=participant(header, "REF"),
        attending=participant(header, "INF", PCP),
        copies_to=tuple(party.practitioner for party in header.recipients),
        custodian=header.custodian.practitioner.organization if header.custodian else None,
        performer=_performer(header),
        encounter=encounter(header, tz),
        orders=tuple(
            OrderReference(placer=order.placer, accession=order.accession) for order in header.orders
        ),
        acts=acts,
        studies=studies_of((), acts, trail),
        replaces=Identifier(value=join_id(header.replaces[0])) if header.replaces else None,
    )
    texts = {"title": header.title, "language": header.language}
    return replace(made, **{name: text for name, text in texts.items() if text})


def report_set(header: CdaHeader) -> Identifier:
    """setId, else the document that this one replaces, else its own id (architecture decision 11)."""
    if header.set_id is not None:
        return Identifier(value=join_id(header.set_id))
    return Identifier(value=join_id(header.replaces[0]) if header.replaces else header.unique_id)


def _trace(header: CdaHeader, trail: Trail, place: str) -> None:
    present = {
        "report_set": "setId" if header.set_id else "relatedDocument" if header.replaces else "id",
        "title": "title" if header.title else "",
        "patient.ins": "recordTarget/patientRole/id" if header.patient.ins else "",
        "patient.birth_family": "recordTarget/patientRole/patient/name",
        "validated_at": "legalAuthenticator/time",
        "legal_authenticator.id": "legalAuthenticator/assignedEntity/id",
        "requester": "participant[@typeCode='REF']",
        "performer": "documentationOf/serviceEvent/performer",
        "orders[0].accession": "inFulfillmentOf/order/accessionNumber" if header.orders else "",
        "acts[0].study_uid": "documentationOf/serviceEvent/id" if header.service_events else "",
        "replaces": "relatedDocument/parentDocument/id" if header.replaces else "",
    }
    for path, element in present.items():
        if element:
            trail.source(path, f"{place}/ClinicalDocument/{element}")


def time(ts: str, tz: tzinfo) -> datetime | None:
    return parse_ts(ts, tz) if ts else None


def participant(header: CdaHeader, type_code: str, function: str = "") -> Practitioner | None:
    for party in header.participants:
        code = party.practitioner.function.code if party.practitioner.function else ""
        if party.type_code == type_code and function in ("", code):
            return party.practitioner
    return None


def _performer(header: CdaHeader) -> Organization | None:
    """Structure of the principal act's performer, else of the first author, with the facility type."""
    principal = header.principal
    candidates: list[Party | None] = [principal.performer if principal else None, *header.authors]
    for party in candidates:
        organization = party.practitioner.organization if party is not None else None
        if organization is not None:
            return replace(organization, facility_type=header.encounter.facility_type)
    return None


def encounter(header: CdaHeader, tz: tzinfo) -> Encounter:
    met = header.encounter
    kind = met.code.code if met.code is not None and met.code.code in ENCOUNTER_CODES else "AMB"
    return Encounter(kind=kind, number=met.number, start=time(met.low, tz), end=time(met.high, tz))


def _acts(header: CdaHeader, tz: tzinfo) -> tuple[Act, ...]:
    """One act per serviceEvent, the principal one first."""
    events = [event for event in header.service_events if not _is_screening(event)]
    principal = header.principal
    events.sort(key=lambda event: event is not principal)
    accessions = {order.accession for order in header.orders if order.accession is not None}
    accession = accessions.pop() if len(accessions) == 1 else None
    return tuple(_act(event, accession, tz) for event in events)


def _act(event: ServiceEvent, accession: Identifier | None, tz: tzinfo) -> Act:
    named = next((code.display for code in (event.code, event.ccam) if code is not None and code.display), "")
    return Act(
        label=named,
        code=event.loinc,
        ccam=event.ccam,
        modalities=event.modalities,
        regions=event.regions,
        start=time(event.low, tz),
        end=time(event.high, tz),
        study_uid=event.study_uid,
        accession=accession,
    )


def _is_screening(event: ServiceEvent) -> bool:
    code: Code | None = event.code
    return code is not None and code.system == CIM10
