"""Built N1 against the official XSD of the CI-SIS, read in place from the kit (cda.md §1.1, step 1)."""

from functools import cache

import pytest
from lxml import etree

from gateway import cda
from gateway.model.base import replace
from gateway.model.people import Guardian, Organization, Patient, Practitioner
from gateway.model.report import Encounter, ImagingReport, ReportStatus
from gateway.model.site import Site
from gateway.model.terms import Address, Identifier, Telecom
from gateway.model.version import ReportVersion
from tests.reports import (
    BIDEAULT,
    HEAD,
    PATIENT,
    REPLACEMENT,
    REPORT,
    STRUCTURE,
    THORAX,
    VERSION,
    with_act,
    with_patient,
    with_report,
)
from tests.support import KIT, needs_kit

pytestmark = [pytest.mark.kit, needs_kit]

EMPTY = replace(
    VERSION,
    report=ImagingReport(report_set=Identifier(value="CR-1"), status=ReportStatus.FINAL, patient=Patient()),
    site=Site(name="bare"),
)
"""Nothing at all: not a report to send, but what we build of it must still be a CDA, or say why not."""

VERSIONS: dict[str, ReportVersion] = {
    "full": VERSION,
    "replacement": REPLACEMENT,
    "foreign document replaced": replace(
        REPLACEMENT, identity=replace(REPLACEMENT.identity, replaces_document_id="1.2.3^A7")
    ),
    "birth abroad": with_patient(birth_place_code="99351", birth_place_name="MAROC"),
    "traits missing": with_patient(
        birth_given="", birth_given_names="", birth_date="", sex=None, birth_place_code="", ins=None
    ),
    "dead twin": with_patient(deceased=True, multiple_birth_order=1),
    "partial birth date": with_patient(birth_date="1979"),
    "guardian with everything": with_patient(
        guardians=(
            Guardian(
                family="NESSI",
                given="Jeanne",
                address=Address(lines=("1 Rue X",), city="PARIS", use="H"),
                telecoms=(Telecom(value="tel:0147150000", use="H"),),
            ),
        )
    ),
    "address of nine lines": with_patient(address=Address(lines=tuple("abcdefghi"), city="PARIS")),
    "address of five lines": with_patient(address=Address(lines=tuple("abcde"), insee_code="75107")),
    "many acts": with_report(acts=(HEAD, THORAX, HEAD, THORAX)),
    "no act": with_report(acts=()),
    "no LOINC": with_act(code=None),
    "no code": with_act(code=None, ccam=None),
    "no exam time": with_act(start=None, end=None),
    "no study": with_act(study_uid="", accession=None),
    "no order": with_report(orders=(), studies=(), acts=(replace(HEAD, accession=None),)),
    "hospital stay": with_report(
        encounter=Encounter(kind="IMP", start=VERSION.identity.created_at, end=VERSION.identity.created_at)
    ),
    "anonymous professionals": with_report(
        authors=(Practitioner(family="X"),),
        legal_authenticator=Practitioner(id="8"),
        requester=Practitioner(),
    ),
    "bare structure": with_report(performer=Organization(id="1750803447"), custodian=Organization(name="X")),
    "accents and signs": with_report(
        title="Écho « cœur » <&> \"'",
        patient=replace(PATIENT, birth_family="D'ÉTÉ-ŒUVRÉ"),
        authors=(replace(BIDEAULT, family="N'Guyễn-Łukasz"),),
    ),
    "no traits of a site": replace(VERSION, site=Site(name="bare", structure=STRUCTURE)),
}


@cache
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(KIT / "infrastructure" / "cda" / "CDA_extended.xsd"))


def errors(version: ReportVersion) -> list[str]:
    document = etree.fromstring(cda.build_n1(version, b"%PDF-1.4\n%%EOF\n").data)
    schema().validate(document)
    return [str(error.message) for error in schema().error_log]


@pytest.mark.req("REQ-24")
@pytest.mark.parametrize("title", VERSIONS)
def test_built_n1_is_valid_against_the_official_schema(title: str) -> None:
    assert errors(VERSIONS[title]) == []


def test_what_cannot_be_valid_is_said_by_error_findings() -> None:
    """No author, no legal authenticator: required elements that nobody may invent."""
    assert errors(EMPTY)
    built = cda.build_n1(EMPTY, b"%PDF-1.4\n%%EOF\n")
    found = {(item.code, item.location) for item in built.findings}
    assert {
        ("RPPS-MISSING", "authors"),
        ("RPPS-MISSING", "legal_authenticator"),
        ("REQUESTER-MISSING", "requester"),
        ("STRUCTURE-MISSING", "site.structure.id"),
        ("PATIENT-MISSING", "patient.identifiers"),
    } <= found


def test_the_full_report_uses_every_element_that_the_header_knows() -> None:
    """Guards the fixture: the schema test of « full » is worth what the fixture fills."""
    document = etree.fromstring(cda.build_n1(VERSION, b"%PDF-").data)
    tags = [etree.QName(node).localname for node in document]
    assert list(dict.fromkeys(tags)) == [
        *("realmCode", "typeId", "templateId", "id", "code", "title", "effectiveTime", "confidentialityCode"),
        *("languageCode", "setId", "versionNumber", "recordTarget", "author", "custodian"),
        *("informationRecipient", "legalAuthenticator", "authenticator", "participant", "inFulfillmentOf"),
        *("documentationOf", "componentOf", "component"),
    ]
    assert len(REPORT.acts) == 2
