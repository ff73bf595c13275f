"""Final CDA → XDS DocumentEntry: the annex « lien en-tête CDA / métadonnées XDS » (spec dmp-mss.md §1.4).

One path for a built and a received CDA: everything comes from its header, the masks from the flags of the
message (volet Transmission 2.1 §1.6), hash and size from the exact bytes.
"""

import hashlib
import re

from gateway.cda import CdaHeader, ServiceEvent
from gateway.cisis import tables
from gateway.cisis.findings import Faults
from gateway.cisis.people import author, legal_authenticator
from gateway.model.people import Patient
from gateway.model.site import Site
from gateway.model.submission import Flags
from gateway.model.terms import Code, Identifier
from gateway.xds import Author, Cx, DocumentEntry
from gateway.xds.hl7types import TimeFormError, escape, utc

MIME_TYPE = "text/xml"
LONGEST_UNIQUE_ID = 128
INS_TYPE = "NH"
"""CX.5 of an INS; that of an IPP is PI (spec dmp-mss.md §1.2)."""
_UID = re.compile(r"[0-2](\.(0|[1-9]\d*))+")


def document_entry(
    cda: bytes,
    header: CdaHeader,
    *,
    flags: Flags,
    site: Site,
    entry_id: str,
    ins_required: bool = True,
) -> DocumentEntry:
    """The metadata of `cda`, whose header is `header`. `site` gives the zone of times without offset, and
    facility type and practice setting where the header has none.

    With `ins_required` the patient is named by INS only (DMP); without, by IPP where there is no INS (a mail
    to a professional: derogation of the Référentiel MSSanté). Raises CisisError with every missing value.
    """
    faults = Faults()
    principal = header.principal or ServiceEvent()
    entry = DocumentEntry(
        entry_id=entry_id,
        unique_id=_unique_id(header, faults),
        patient_id=_patient_id(header.patient, ins_required, faults),
        source_patient_id=_source_patient_id(header.patient),
        source_patient_info=source_patient_info(header.patient),
        title=faults.needed(header.title or header.code.display, "title"),
        creation_time=_time(header.effective_time, site, faults, "effectiveTime/@value"),
        language_code=faults.needed(header.language, "languageCode/@code"),
        mime_type=MIME_TYPE,
        class_code=_class_code(header.code, faults),
        type_code=header.code,
        format_code=format_code(header),
        confidentiality_codes=_confidentiality(header, flags, faults),
        healthcare_facility_type_code=faults.needed_code(
            header.encounter.facility_type or site.structure.facility_type,
            "componentOf/encompassingEncounter/location/healthCareFacility/code",
        ),
        practice_setting_code=faults.needed_code(
            _practice_setting(principal) or site.structure.practice_setting,
            "documentationOf/serviceEvent/performer/assignedEntity/representedOrganization"
            "/standardIndustryClassCode",
        ),
        authors=_authors(header, faults),
        legal_authenticator=legal_authenticator(header.legal_authenticator, faults),
        event_codes=event_codes(header),
        reference_ids=reference_ids(header),
        service_start_time=_time(
            principal.low, site, faults, "documentationOf/serviceEvent/effectiveTime/low/@value"
        ),
        service_stop_time=_time(principal.high, site, faults) if principal.high else "",
        hash=hashlib.sha1(cda, usedforsecurity=False).hexdigest(),
        size=len(cda),
    )
    faults.check()
    return entry


def format_code(header: CdaHeader) -> Code:
    """formatCode: of an unstructured body by media type (ASS_A12), else by templateId (ASS_A11)."""
    if header.media_type or tables.XDS_SD in header.roots:
        return tables.UNSTRUCTURED_FORMATS.get(header.media_type, tables.UNLISTED_FORMAT)
    known = (code for root, code in tables.STRUCTURED_FORMATS.items() if root in header.roots)
    return next(known, tables.UNLISTED_FORMAT)


def source_patient_info(patient: Patient) -> tuple[str, ...]:
    """PID-5 with the birth name (type L) and the used name (D), PID-7, PID-8 (IHE ITI TF-3 §4.2.3.2.23)."""
    given = patient.birth_given or patient.birth_given_names.partition(" ")[0]
    names = [_pid_5(patient.birth_family, given, "L")]
    if patient.used_family:
        names.append(_pid_5(patient.used_family, patient.used_given or given, "D"))
    rows = [f"PID-5|{name}" for name in names if name]
    if patient.birth_date:
        rows.append(f"PID-7|{patient.birth_date.replace('-', '')}")
    rows.append(f"PID-8|{tables.SEXES.get(patient.sex or '', 'U')}")
    return tuple(rows)


def event_codes(header: CdaHeader) -> tuple[Code, ...]:
    """Acts (LOINC or CCAM), then CCAM translations, modalities (DCM) and regions (SNOMED CT), once each."""
    found: dict[tuple[str, str], Code] = {}
    for event in header.service_events:
        for code in (event.code, event.ccam, *event.modalities, *event.regions):
            if code is not None:
                found.setdefault((code.code, code.system), code)
    return tuple(found.values())


def reference_ids(header: CdaHeader) -> tuple[Cx, ...]:
    """Accession numbers, order numbers, Study Instance UIDs, once each (CXi; JDV_J231)."""
    found = [_reference(order.accession, tables.ACCESSION) for order in header.orders]
    found += [_reference(order.placer, tables.ORDER) for order in header.orders]
    for event in header.service_events:
        if _UID.fullmatch(event.study_uid):
            # A UID needs no assigning authority: CXi.4 stays empty (IHE ITI TF-3 table 4.2.3.1.7-2).
            found.append(Cx(value=event.study_uid, id_type=tables.STUDY_UID))
    return tuple(dict.fromkeys(item for item in found if item is not None))


def _reference(identifier: Identifier | None, kind: str) -> Cx | None:
    if identifier is None:
        return None
    if not identifier.value:
        return Cx(value=identifier.system, id_type=kind)
    return Cx(value=identifier.value, authority=identifier.system, id_type=kind)


def _unique_id(header: CdaHeader, faults: Faults) -> str:
    if len(header.unique_id) > LONGEST_UNIQUE_ID:
        faults.add("XDS-VALUE-FORM", "id", f"{len(header.unique_id)} characters, {LONGEST_UNIQUE_ID} allowed")
    return header.unique_id


def _patient_id(patient: Patient, ins_required: bool, faults: Faults) -> Cx:
    if patient.ins is not None and patient.ins.value:
        return Cx(value=patient.ins.value, authority=patient.ins.system, id_type=INS_TYPE)
    if ins_required:
        faults.add("CDA-INS-MISSING", "recordTarget/patientRole/id")
    elif not patient.identifiers:
        faults.needed("", "recordTarget/patientRole/id")
    return _source_patient_id(patient)


def _source_patient_id(patient: Patient) -> Cx:
    """The IPP; without one the INS again (spec §1.2)."""
    local = next((item for item in patient.identifiers if item.value), None)
    if local is not None:
        return Cx(value=local.value, authority=local.system, id_type="PI")
    ins = patient.ins or Identifier(value="")
    return Cx(value=ins.value, authority=ins.system, id_type=INS_TYPE)


def _pid_5(family: str, given: str, name_type: str) -> str:
    return f"{escape(family)}^{escape(given)}^^^^^{name_type}" if family or given else ""


def _time(text: str, site: Site, faults: Faults, location: str = "") -> str:
    """UTC; a missing or malformed time is a fault where `location` names a required one, else left out."""
    if not text:
        return faults.needed("", location)
    try:
        return utc(text, site.tz)
    except TimeFormError:
        if location:
            faults.add("XDS-VALUE-FORM", location, f"{len(text)} characters are no HL7 time")
        return ""


def _class_code(type_code: Code, faults: Faults) -> Code:
    found = tables.CLASS_CODES.get(type_code.code)
    if found is None:
        faults.add("XDS-CODE-UNKNOWN", "code/@code", "typeCode without a classCode")
    return found or Code(code="")


def _confidentiality(header: CdaHeader, flags: Flags, faults: Faults) -> tuple[Code, ...]:
    """The code of the CDA first, then the masks that the message asks for: 1..4 codes."""
    own = faults.needed_code(header.confidentiality, "confidentialityCode")
    return (own, *(mask for flag, mask in tables.MASKS if getattr(flags, flag)))


def _practice_setting(event: ServiceEvent) -> Code | None:
    organization = event.performer.practitioner.organization if event.performer else None
    return organization.practice_setting if organization else None


def _authors(header: CdaHeader, faults: Faults) -> tuple[Author, ...]:
    if not header.authors:
        faults.needed("", "author")
    return tuple(author(party, faults) for party in header.authors)
