"""recordTarget: the patient with INS, local identifiers and the five reference traits (cda.md §3.2)."""

from gateway.cda.header_people import address, telecoms
from gateway.cda.tree import Element
from gateway.cda.vocabulary import CIVILITIES, GENDER, GENDERS
from gateway.cda.writer import Writer
from gateway.model.people import Guardian, Patient
from gateway.model.site import Site
from gateway.model.version import derive_oid, derive_uuid


def record_target(out: Writer, patient: Patient, site: Site) -> None:
    """A missing trait is a finding (TRAITS-INCOMPLETE); its element carries UNK where one must stand."""
    role = out.add(out.add(out.root, "recordTarget"), "patientRole")
    _ids(out, role, patient, site)
    address(out, role, patient.address, "patient.address")
    telecoms(out, role, patient.telecoms, "patient")
    person = out.add(role, "patient", classCode="PSN")
    _names(out, person, patient)
    if patient.sex is not None:
        code = patient.sex.value
        out.add(
            person,
            "administrativeGenderCode",
            "",
            "patient.sex",
            code=code,
            displayName=GENDERS[code],
            codeSystem=GENDER,
        )
    else:
        _missing(out, person, "administrativeGenderCode", "patient.sex")
    if patient.birth_date:
        out.add(person, "birthTime", "", "patient.birth_date", value=patient.birth_date.replace("-", ""))
    else:
        _missing(out, person, "birthTime", "patient.birth_date")
    if patient.deceased:
        out.add(person, "sdtc:deceasedInd", "", "patient.deceased", value="true")
    if patient.multiple_birth_order:
        order = str(patient.multiple_birth_order)
        out.add(person, "sdtc:multipleBirthInd", value="true")
        out.add(person, "sdtc:multipleBirthOrderNumber", "", "patient.multiple_birth_order", value=order)
    for index, guardian in enumerate(patient.guardians):
        _guardian(out, person, guardian, f"patient.guardians[{index}]")
    _birth_place(out, person, patient)


def _missing(out: Writer, person: Element, tag: str, source: str) -> None:
    out.null(person, tag)
    out.find("TRAITS-INCOMPLETE", source)


def _ids(out: Writer, role: Element, patient: Patient, site: Site) -> None:
    """INS first, then each local identifier once: all must be distinct, with root and extension.

    The matricule of an identity that is not qualified stays inside the house (référentiel INS, RNIV): a
    reader takes every INS in a document for a qualified one.
    """
    written: set[tuple[str, str]] = set()
    if patient.ins is not None and not patient.qualified:
        out.find("INS-NOT-QUALIFIED", "patient.identity_status", f"status {patient.identity_status}")
    elif patient.ins is not None and out.identifier(role, "id", patient.ins, "patient.ins"):
        written.add((patient.ins.system, patient.ins.value))
    for index, found in enumerate(patient.identifiers):
        source = f"patient.identifiers[{index}]"
        root = out.root_of(found, source, site.authorities.patient) if found.value else ""
        if root and (root, found.value) not in written:
            written.add((root, found.value))
            out.add(role, "id", "", source, root=root, extension=found.value)
    if not written:
        _assigned(out, role, patient, site)


def _assigned(out: Writer, role: Element, patient: Patient, site: Site) -> None:
    """A technical identifier of this gateway: neither a qualified INS nor a local number names the patient.

    patientRole/id is 1..* without nullFlavor (spec §3.2), and the requester must get the report all the same
    (architecture decision 15). The root belongs to nobody else, and the same patient gets the same number.
    """
    traits = (patient.birth_family, patient.birth_given_names, patient.birth_date, str(patient.sex))
    ins = patient.ins.value if patient.ins is not None else ""
    if not patient.birth_family:
        out.null(role, "id")
        out.find("PATIENT-MISSING", "patient.identifiers")
        return
    out.find("PATIENT-ID-ASSIGNED", "patient.identifiers")
    root = derive_oid(site.name, "patient-authority")
    number = str(derive_uuid(site.name, "patient", ins, *traits))
    out.add(role, "id", "", "patient.birth_family", root=root, extension=number)


def _names(out: Writer, person: Element, patient: Patient) -> None:
    """Birth name, all birth given names, the first of them, then the used names.

    When the list of given names is missing, the first one stands for the list, with a finding: the rules
    demand a given without qualifier, and a person has at least this one.
    """
    node = out.add(person, "name")
    if patient.birth_family:
        out.add(node, "family", patient.birth_family, "patient.birth_family", qualifier="BR")
    names = patient.birth_given_names or patient.birth_given
    if names:
        path = "patient.birth_given_names" if patient.birth_given_names else "patient.birth_given"
        out.add(node, "given", names, path)
    if patient.birth_given:
        out.add(node, "given", patient.birth_given, "patient.birth_given", qualifier="BR")
    if patient.used_family:
        out.add(node, "family", patient.used_family, "patient.used_family", qualifier="CL")
    if patient.used_given:
        out.add(node, "given", patient.used_given, "patient.used_given", qualifier="CL")
    for path in ("birth_family", "birth_given", "birth_given_names"):
        if not getattr(patient, path):
            out.find("TRAITS-INCOMPLETE", f"patient.{path}")


def _guardian(out: Writer, person: Element, guardian: Guardian, source: str) -> None:
    node = out.add(person, "guardian", "", source)
    address(out, node, guardian.address, f"{source}.address")
    telecoms(out, node, guardian.telecoms, source)
    name = out.add(out.add(node, "guardianPerson"), "name")
    prefix = guardian.prefix.replace(".", "").upper()
    if prefix in CIVILITIES:
        out.add(name, "prefix", prefix)
    out.add(name, "family", guardian.family)
    out.text(name, "given", guardian.given)


def _birth_place(out: Writer, person: Element, patient: Patient) -> None:
    """county = COG (5 characters, 99xxx abroad), city = label. Required as soon as the INS stands (SM)."""
    if not patient.birth_place_code:
        out.find("TRAITS-INCOMPLETE", "patient.birth_place_code")
    if not (patient.birth_place_code or patient.birth_place_name):
        return
    place = out.add(out.add(out.add(person, "birthplace"), "place"), "addr")
    out.text(place, "county", patient.birth_place_code, "patient.birth_place_code")
    out.text(place, "city", patient.birth_place_name, "patient.birth_place_name")
