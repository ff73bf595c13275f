"""ebRIM: each attribute of the metadata stands where IHE ITI TF-3 §4.2.3 puts it."""

from typing import Any

import pytest
from lxml import etree

from gateway.model.base import replace
from gateway.model.terms import Code
from gateway.xds import Association, MetadataError, submit_objects_request
from gateway.xds.model import REPLACES
from tests.support import XDS_SCHEMAS, needs_kit
from tests.unit.xds_samples import ENTRY, ENTRY_ID, SET_ID, SUBMISSION

NS = {
    "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "lcm": "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0",
}


def xpath(root: etree._Element, path: str) -> Any:
    return root.xpath(path, namespaces=NS)


@pytest.fixture(scope="module")
def request_() -> etree._Element:
    return etree.fromstring(submit_objects_request(SUBMISSION))


SLOTS = {
    "creationTime": ["20210108101700"],
    "languageCode": ["fr-FR"],
    "legalAuthenticator": ["801234560801^BIDEAULT^Jacques^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"],
    "serviceStartTime": ["20210108092500"],
    "serviceStopTime": ["20210108101700"],
    "sourcePatientId": ["IPP101^^^&1.2.250.1.213.4.5.2.4&ISO^PI"],
    "sourcePatientInfo": ["PID-5|PAT-TROIS^DOMINIQUE^^^^^L", "PID-7|19790328", "PID-8|F"],
    "hash": ["2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"],
    "size": ["42"],
    "urn:ihe:iti:xds:2013:referenceIdList": [
        "ACN102^^^&1.2.250.1.213.4.5.2.5&ISO^urn:ihe:iti:xds:2013:accession"
    ],
}


@pytest.mark.req("REQ-36")
@pytest.mark.parametrize("name", SLOTS)
def test_a_slot_of_the_document_entry(request_: etree._Element, name: str) -> None:
    assert xpath(request_, f"//rim:ExtrinsicObject/rim:Slot[@name='{name}']//rim:Value/text()") == SLOTS[name]


CODES = [
    ("41a5887f-8865-4c09-adf7-e362475b143a", "31", "1.2.250.1.213.1.1.4.1", "Imagerie médicale"),
    ("f0306f51-975f-434e-a61c-c59651d33983", "18748-4", "2.16.840.1.113883.6.1", "CR d'imagerie médicale"),
    (
        "a09d5840-386c-46f2-b5ad-9c3699a4309d",
        "urn:ihe:iti:xds-sd:pdf:2008",
        "1.3.6.1.4.1.19376.1.2.3",
        "PDF",
    ),
    ("f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "SA08", "1.2.250.1.71.4.2.4", "Cabinet de groupe"),
    ("cccf5598-8b07-4b77-a05e-ae952c785ead", "AMBULATOIRE", "1.2.250.1.213.1.1.4.9", "Ambulatoire"),
    ("f4f85eac-e6cb-4883-b524-f2705394840f", "N", "2.16.840.1.113883.5.25", "Normal"),
]


@pytest.mark.req("REQ-36")
@pytest.mark.parametrize(("scheme", "code", "system", "display"), CODES)
def test_a_code_is_a_classification_with_scheme_and_name(
    request_: etree._Element, scheme: str, code: str, system: str, display: str
) -> None:
    (node,) = xpath(request_, f"//rim:Classification[@classificationScheme='urn:uuid:{scheme}']")
    assert node.get("classifiedObject") == ENTRY_ID
    assert node.get("nodeRepresentation") == code
    assert xpath(node, "rim:Slot[@name='codingScheme']//rim:Value/text()") == [system]
    assert xpath(node, "rim:Name/rim:LocalizedString/@value") == [display]


def test_the_author_of_the_document(request_: etree._Element) -> None:
    (node,) = xpath(
        request_,
        "//rim:Classification[@classificationScheme='urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d']",
    )
    assert node.get("nodeRepresentation") == ""
    assert {slot.get("name"): xpath(slot, ".//rim:Value/text()") for slot in node} == {
        "authorPerson": ["801234560801^BIDEAULT^Jacques^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"],
        "authorInstitution": ["Centre de radiologie Ambroise^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1920008059"],
        "authorRole": ["Correspondant"],
        "authorSpecialty": ["G15_10/SM44^Médecin - Radio-diagnostic (SM)^1.2.250.1.213.1.1.4.5"],
    }


def test_external_identifiers(request_: etree._Element) -> None:
    found = {
        xpath(node, "rim:Name/rim:LocalizedString/@value")[0]: (
            node.get("identificationScheme"),
            node.get("registryObject"),
            node.get("value"),
        )
        for node in xpath(request_, "//rim:ExternalIdentifier")
    }
    patient = "279035121518989^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert found == {
        "XDSDocumentEntry.patientId": ("urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", ENTRY_ID, patient),
        "XDSDocumentEntry.uniqueId": ("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab", ENTRY_ID, "2.25.117"),
        "XDSSubmissionSet.patientId": ("urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", SET_ID, patient),
        "XDSSubmissionSet.sourceId": (
            "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
            SET_ID,
            "1.2.250.1.213.4.5.2.9",
        ),
        "XDSSubmissionSet.uniqueId": ("urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", SET_ID, "2.25.118"),
    }


def test_the_submission_set_is_a_classified_registry_package(request_: etree._Element) -> None:
    (package,) = xpath(request_, "//rim:RegistryPackage")
    assert package.get("id") == SET_ID
    assert xpath(package, "rim:Slot[@name='submissionTime']//rim:Value/text()") == ["20210108101800"]
    assert xpath(package, "rim:Classification/@classificationNode") == [
        "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
    ]
    (content,) = xpath(
        package,
        "rim:Classification[@classificationScheme='urn:uuid:aa543740-bdda-424e-8c96-df4873be8500']",
    )
    assert content.get("nodeRepresentation") == "07"
    assert xpath(
        package,
        "count(rim:Classification[@classificationScheme='urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d'])",
    )


def test_every_entry_is_a_member_of_the_set_as_original(request_: etree._Element) -> None:
    (member,) = xpath(request_, "//rim:Association")
    assert member.get("associationType") == "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    assert (member.get("sourceObject"), member.get("targetObject")) == (SET_ID, ENTRY_ID)
    assert xpath(member, "rim:Slot[@name='SubmissionSetStatus']//rim:Value/text()") == ["Original"]


def test_a_replacement_points_from_the_new_entry_to_the_old_entry_uuid() -> None:
    old = "urn:uuid:11111111-2222-4333-8444-555555555555"
    replacing = replace(SUBMISSION, associations=(Association(kind=REPLACES, source=ENTRY_ID, target=old),))
    (link,) = xpath(
        etree.fromstring(submit_objects_request(replacing)),
        "//rim:Association[@associationType='urn:ihe:iti:2007:AssociationType:RPLC']",
    )
    assert (link.get("sourceObject"), link.get("targetObject")) == (ENTRY_ID, old)


def test_masks_stand_beside_the_first_confidentiality_code() -> None:
    mask = Code(code="MASQUE_PS", system="1.2.250.1.213.1.1.4.13", display="Masqué aux professionnels")
    masked = replace(ENTRY, confidentiality_codes=(*ENTRY.confidentiality_codes, mask))
    request = etree.fromstring(submit_objects_request(replace(SUBMISSION, entries=(masked,))))
    scheme = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
    path = f"//rim:Classification[@classificationScheme='{scheme}']/@nodeRepresentation"
    assert xpath(request, path) == ["N", "MASQUE_PS"]


def test_absent_values_leave_no_slot() -> None:
    bare = replace(ENTRY, service_stop_time="", reference_ids=(), uri="", event_codes=())
    names = xpath(
        etree.fromstring(submit_objects_request(replace(SUBMISSION, entries=(bare,)))),
        "//rim:ExtrinsicObject/rim:Slot/@name",
    )
    assert not {"serviceStopTime", "URI", "urn:ihe:iti:xds:2013:referenceIdList"} & set(names)


def test_ids_are_unique_and_equal_submissions_give_equal_bytes(request_: etree._Element) -> None:
    ids = xpath(request_, "//@id")
    assert len(ids) == len(set(ids))
    assert submit_objects_request(SUBMISSION) == submit_objects_request(SUBMISSION)


def test_a_value_beyond_the_longest_slot_is_refused_by_name() -> None:
    long = replace(ENTRY, source_patient_info=("PID-5|" + "X" * 256,))
    with pytest.raises(MetadataError, match="slot sourcePatientInfo"):
        submit_objects_request(replace(SUBMISSION, entries=(long,)))


@needs_kit
@pytest.mark.kit
@pytest.mark.req("REQ-36")
def test_the_request_fits_the_ebxml_schema(request_: etree._Element) -> None:
    schema = etree.XMLSchema(etree.parse(str(XDS_SCHEMAS / "ebxml" / "lcm.xsd")))
    assert schema.validate(request_), schema.error_log


def test_a_file_for_people_has_an_attribute_a_line_and_else_the_same_text() -> None:
    lines = submit_objects_request(SUBMISSION, line_end="\n").splitlines()
    assert "".join(lines) == submit_objects_request(SUBMISSION)
    assert sum("<rim:Slot" in line for line in lines) == sum("<rim:ValueList>" in line for line in lines)
    assert not [line for line in lines if line.count("<rim:Classification ") > 1]


def test_uri_and_extra_slots_are_of_each_submission_though_the_rest_is_kept() -> None:
    plain = submit_objects_request(SUBMISSION)
    named = replace(ENTRY, uri="DOC00001.XML", extra_slots=(("urn:x", ("C",)),))
    written = submit_objects_request(replace(SUBMISSION, entries=(named,)))
    slots = etree.fromstring(written).iterfind(".//rim:ExtrinsicObject/rim:Slot", NS)
    assert [slot.get("name") for slot in slots][-3:] == [
        "URI",
        "urn:ihe:iti:xds:2013:referenceIdList",
        "urn:x",
    ]
    assert submit_objects_request(SUBMISSION) == plain
