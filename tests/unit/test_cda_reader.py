"""The header reader: what it gives back, and what it refuses."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from gateway import cda
from gateway.cda.reader_parts import format_ts, iso_date
from gateway.cda.xml import HUGE_FROM, MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_TAGS
from gateway.model.base import replace
from gateway.model.people import IdentityStatus
from gateway.model.terms import DCM, Address, Identifier
from tests.reports import BIDEAULT, DUPONT, HEAD, IDENTITY, REPLACEMENT, REPORT, STRUCTURE, VERSION
from tests.support import SAMPLES, needs_samples

PDF = b"%PDF-1.4\n%%EOF\n"
BUILT = cda.build_n1(VERSION, PDF).data
MINIMAL = (
    b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><code code="18748-4"/>%s</ClinicalDocument>'
)


def test_what_was_built_is_read_back() -> None:
    header = cda.read(BUILT)
    assert header.unique_id == IDENTITY.document_id
    assert header.set_id == Identifier(value="", system=IDENTITY.set_id)
    assert (header.title, header.language, header.version_number) == (REPORT.title, "fr-FR", 1)
    assert header.effective_time == "20210108111805+0100"
    assert header.patient == replace(REPORT.patient, identity_status=IdentityStatus.PROVISOIRE)
    assert (header.body, header.media_type) == ("pdf", "application/pdf")
    assert cda.embedded_pdf(BUILT) == PDF


def test_professionals_are_read_with_their_structure() -> None:
    header = cda.read(BUILT)
    written = replace(BIDEAULT, organization=replace(STRUCTURE, facility_type=None))
    assert [author.practitioner for author in header.authors] == [written]
    assert header.authors[0].id == Identifier(value="801234560801", system="1.2.250.1.71.4.2.1")
    assert header.authors[0].organization_id == Identifier(value="1920008059", system="1.2.250.1.71.4.2.2")
    assert header.legal_authenticator is not None
    assert header.legal_authenticator.practitioner == written
    assert header.legal_authenticator.time == "20210108111700+0100"
    assert header.custodian is not None
    assert header.custodian.practitioner.organization is not None
    assert header.custodian.practitioner.organization.name == STRUCTURE.name
    requester, attending = header.participants
    assert (requester.type_code, requester.practitioner) == ("REF", DUPONT)
    assert requester.time_high == "20210106093000+0100"
    assert attending.practitioner.function is not None and attending.practitioner.function.code == "PCP"
    assert [found.practitioner.family for found in header.recipients] == ["D'ARTAGNAN-LEFÈVRE"]


def test_orders_acts_and_encounter_are_read() -> None:
    header = cda.read(BUILT)
    assert header.orders[0].placer == REPORT.orders[0].placer
    assert [order.accession for order in header.orders] == [act.accession for act in REPORT.acts]
    principal = header.principal
    assert principal is not None
    assert (principal.study_uid, principal.code) == (HEAD.study_uid, HEAD.code)
    assert (principal.ccam, principal.modalities, principal.regions) == (
        HEAD.ccam,
        HEAD.modalities,
        HEAD.regions,
    )
    assert (principal.low, principal.high) == ("20210108102500+0100", "20210108105000+0100")
    assert principal.performer is not None and principal.performer.practitioner.organization is not None
    assert principal.performer.practitioner.organization.practice_setting == STRUCTURE.practice_setting
    assert header.encounter.facility_type == STRUCTURE.facility_type
    assert header.encounter.number == REPORT.encounter.number


def test_the_replaced_document_is_read() -> None:
    header = cda.read(cda.build_n1(REPLACEMENT, PDF).data)
    assert header.replaces == (Identifier(value="", system=IDENTITY.document_id),)


def test_a_document_with_id_and_code_alone_is_read() -> None:
    header = cda.read(MINIMAL % b"")
    assert header.unique_id == "1.2.3"
    assert (header.body, header.version_number, header.principal) == ("other", 0, None)
    assert cda.embedded_pdf(MINIMAL % b"") is None


def test_an_id_with_extension_is_joined_by_a_caret() -> None:
    data = MINIMAL.replace(b'root="1.2.3"', b'root="1.2.3" extension="A7"') % b""
    assert cda.read(data).unique_id == "1.2.3^A7"


def test_modality_is_read_from_any_translation_of_its_code_system() -> None:
    data = MINIMAL % (
        b'<documentationOf><serviceEvent><code code="X"><translation code="RM" codeSystem="%s"/></code>'
        b"</serviceEvent></documentationOf>" % DCM.encode()
    )
    event = cda.read(data).service_events[0]
    assert [code.code for code in event.modalities] == ["RM"]


def test_the_principal_act_is_the_first_with_a_performer() -> None:
    act = b"<documentationOf><serviceEvent><id root='%s'/>%s</serviceEvent></documentationOf>"
    performed = b"<performer><assignedEntity/></performer>"
    data = MINIMAL % (act % (b"1.1", b"") + act % (b"1.2", performed))
    principal = cda.read(data).principal
    assert principal is not None and principal.study_uid == "1.2"


def test_street_address_lines_and_parts_are_both_read() -> None:
    role = b"<recordTarget><patientRole><addr>%s</addr></patientRole></recordTarget>"
    lines = (
        b"<streetAddressLine>1 rue X</streetAddressLine><streetAddressLine>75001 PARIS</streetAddressLine>"
    )
    assert cda.read(MINIMAL % (role % lines)).patient.address == Address(lines=("1 rue X", "75001 PARIS"))
    parts = b"<houseNumber>1</houseNumber><streetName>rue  X</streetName><city>PARIS</city>"
    assert cda.read(MINIMAL % (role % parts)).patient.address == Address(lines=("1 rue X",), city="PARIS")
    assert cda.read(MINIMAL % (role % b"")).patient.address is None


def test_white_space_in_base64_is_no_fault() -> None:
    head, tail = BUILT.split(b'representation="B64">')
    assert cda.embedded_pdf(head + b'representation="B64">\n\t ' + tail[:4] + b"\r\n" + tail[4:]) == PDF


def test_a_body_that_holds_no_pdf_gives_none() -> None:
    body = b'<component><nonXMLBody><text mediaType="application/pdf">%s</text></nonXMLBody></component>'
    assert cda.embedded_pdf(MINIMAL % (body % b"aGVsbG8=")) is None
    assert cda.embedded_pdf(MINIMAL % (body % b"&#233;!!")) is None


# Times


@pytest.mark.parametrize(
    "ts, expected",
    [
        ("20210108111700+0100", datetime(2021, 1, 8, 10, 17, tzinfo=UTC)),
        ("20210108111700.123+0100", datetime(2021, 1, 8, 10, 17, tzinfo=UTC)),
        ("202101081117-0430", datetime(2021, 1, 8, 15, 47, tzinfo=UTC)),
        ("20210701111700", datetime(2021, 7, 1, 9, 17, tzinfo=UTC)),
        ("20210108", datetime(2021, 1, 7, 23, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_its_offset_or_else_in_the_given_zone(ts: str, expected: datetime) -> None:
    assert cda.parse_ts(ts, ZoneInfo("Europe/Paris")) == expected


@pytest.mark.parametrize(
    "ts", ["", "2021", "202101", "20211301", "20210108250000", "8 janvier", "2021-01-08"]
)
def test_what_is_no_day_gives_no_time(ts: str) -> None:
    assert cda.parse_ts(ts) is None


def test_iso_dates_keep_their_precision() -> None:
    assert [iso_date(ts) for ts in ("19790328", "197903", "1979", "19790328120000+0100", "x")] == [
        "1979-03-28",
        "1979-03",
        "1979",
        "1979-03-28",
        "",
    ]


def test_a_written_time_has_whole_seconds() -> None:
    moment = datetime(2021, 1, 8, 11, 17, 5, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert format_ts(moment, ZoneInfo("Europe/Paris")) == "20210108111705+0100"


# What is refused

BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>"""


@pytest.mark.parametrize(
    "data, detail",
    [
        (b"", "not well-formed"),
        (b"MSH|^~\\&|", "not well-formed"),
        (b"<ClinicalDocument", "not well-formed"),
        (b"<html/>", "root element html"),
        (b'<ClinicalDocument xmlns="urn:other"/>', "root element"),
        (b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>', "no id"),
        (b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2"/></ClinicalDocument>', "no code"),
        (BOMB + MINIMAL % b"<title>&b;</title>", "document type declaration"),
        (b"\xef\xbb\xbf \n<!-- x --><?pi x?>\n<!DOCTYPE x>" + MINIMAL % b"", "document type declaration"),
        (b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">' + MINIMAL % b"", "document type declaration"),
        ((MINIMAL % b"").decode().encode("utf-16"), "encoding other than UTF-8"),
        (b'<?xml version="1.0" encoding="UTF-7"?>' + MINIMAL % b"", "encoding other than UTF-8"),
        (b'<?xml version="1.0" encoding="utf-16"?>' + MINIMAL % b"", "encoding other than UTF-8"),
        (b"<!-- " + b"x" * 100, "not well-formed"),
    ],
)
def test_what_is_no_cda_is_refused_with_its_reason(data: bytes, detail: str) -> None:
    with pytest.raises(cda.CdaError) as caught:
        cda.read(data)
    (found,) = caught.value.findings
    assert found.code == "CDA-INVALID"
    assert detail in found.detail


def test_a_document_above_the_cap_is_refused_unread() -> None:
    with pytest.raises(cda.CdaError, match="at most"):
        cda.read(b" " * (MAX_BYTES + 1))


def test_more_tags_than_any_report_has_are_refused_unread() -> None:
    with pytest.raises(cda.CdaError, match="tags"):
        cda.read(MINIMAL % (b"<a/>" * MAX_TAGS))
    assert cda.read(MINIMAL % (b"<a/>" * 1000)).unique_id == "1.2.3"


@pytest.mark.parametrize("blanks", [0, HUGE_FROM], ids=["small", "huge"])
def test_elements_nested_deeper_than_any_report_are_refused(blanks: int) -> None:
    """Above 8 MB libxml2 itself takes 2048 levels, more than a recursion."""
    deep = b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH
    data = MINIMAL % (b"<title>" + deep + b"</title>" + b" " * blanks)
    with pytest.raises(cda.CdaError):
        cda.letter(data)
    assert [found.code for found in cda.check(data)] == ["CDA-INVALID"]


def test_an_element_of_more_attributes_than_any_report_has_is_refused() -> None:
    def document(number: int) -> bytes:
        return MINIMAL % (b"<a " + b" ".join(b'a%d=""' % one for one in range(number)) + b"/>")

    with pytest.raises(cda.CdaError, match="attributes"):
        cda.read(document(MAX_ATTRIBUTES + 1))
    assert cda.read(document(MAX_ATTRIBUTES)).unique_id == "1.2.3"


def test_a_large_pdf_below_the_cap_is_read() -> None:
    """Above 10 MB libxml2 needs huge_tree."""
    pdf = b"%PDF-" + b"0" * 12_000_000
    assert cda.embedded_pdf(cda.build_n1(VERSION, pdf).data) == pdf


def test_an_undefined_entity_is_refused() -> None:
    with pytest.raises(cda.CdaError):
        cda.read(MINIMAL % b"<title>&x;</title>")


def test_a_comment_that_quotes_a_doctype_is_no_doctype() -> None:
    assert cda.read(b"<!-- <!DOCTYPE x> -->" + MINIMAL % b"<!-- <!DOCTYPE y> -->").unique_id == "1.2.3"


# Official documents


@pytest.mark.samples
@needs_samples
def test_the_official_ris_documents_are_read() -> None:
    headers = {path.name: cda.read(path.read_bytes()) for path in sorted((SAMPLES / "cda").glob("*.xml"))}
    assert {name: header.version_number for name, header in headers.items()} == {
        "remplacement_cr_imagerie.xml": 2,
        "suppression_cr_imagerie.xml": 2,
        "transmission_initiale_cr_imagerie.xml": 1,
    }
    first = headers["transmission_initiale_cr_imagerie.xml"]
    second = headers["remplacement_cr_imagerie.xml"]
    assert second.replaces == (first.id,)
    assert second.set_id == first.set_id
    assert first.patient.ins == Identifier(value="279035121518989", system="1.2.250.1.213.1.4.10")
    assert [author.practitioner.rpps for author in first.authors] == ["01234560801", "01234560804"]
    assert first.legal_authenticator is not None
    assert first.legal_authenticator.practitioner.family == "Dart"
    assert first.orders[0].accession == Identifier(value="ACN102", system="1.2.250.1.213.4.5.2.5")
    assert first.principal is not None and first.principal.ccam is not None
    assert first.encounter.facility_type is not None and first.encounter.facility_type.code == "SA08"


@pytest.mark.samples
@needs_samples
def test_the_pdf_of_the_official_ris_documents_is_found() -> None:
    for path in (SAMPLES / "cda").glob("*.xml"):
        pdf = cda.embedded_pdf(path.read_bytes())
        assert pdf is not None and len(pdf) > 100_000
