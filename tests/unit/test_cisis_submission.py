"""SubmissionSet from the sender, and the exchange by IHE_XDM.ZIP."""

import io
import zipfile

import pytest
from lxml import etree

from gateway.cda import read
from gateway.cisis import CisisError, archive, exchange, submission
from gateway.cisis.submission import content_type_code
from gateway.model.base import replace
from gateway.model.people import Organization, Practitioner
from gateway.model.submission import Action
from gateway.model.version import DeliveryJob
from gateway.xds import Submission
from tests.support import XDS_SCHEMAS, needs_kit
from tests.unit.mail_jobs import cda_of, header_of, job, replacement, with_context, with_flags, with_site

LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
SUBSET = "IHE_XDM/SUBSET01/"


def submitted(made: DeliveryJob | None = None) -> Submission:
    made = made or job()
    return submission(made.version, cda_of(made))


@pytest.mark.req("REQ-36")
def test_the_set_has_the_patient_of_its_entry_and_ids_of_the_version() -> None:
    made, identity = submitted(), job().version.identity
    found = made.submission_set
    assert found.patient_id == made.entries[0].patient_id
    assert found.unique_id == identity.oid("submission-set")
    assert found.unique_id != made.entries[0].unique_id
    assert found.source_id == "1.2.250.1.925.994044785528.1.1"
    assert found.submission_time == "20210108101805"
    assert made.entries[0].entry_id == f"urn:uuid:{identity.uuid('document-entry')}"
    assert found.title == made.entries[0].title


def test_the_same_version_gives_the_same_submission_made_again() -> None:
    again = replace(job().version, version_id=99)
    assert submission(again, cda_of(job())) == submitted()
    assert submission(again, cda_of(job())) is not submitted()


def test_a_document_from_a_clock_that_runs_ahead_is_not_submitted_before_its_creation() -> None:
    made = job()
    late = replace(header_of(made), effective_time="20210108120000+0100")
    found = submission(made.version, cda_of(made), header=late)
    assert found.submission_set.submission_time == "20210108110000"


@pytest.mark.req("REQ-36")
def test_the_author_of_the_set_is_who_sends_not_who_wrote() -> None:
    sender = Practitioner(id="801234567897", family="DUPONT", given="Alain")
    house = Organization(id="1750100125", name="Hôpital fictif")
    (author,) = submitted(
        with_context(job(), sender=sender, sender_organization=house)
    ).submission_set.authors
    assert author.person is not None
    assert (author.person.id, author.person.name_type) == ("801234567897", "D")
    assert [(one.name, one.id) for one in author.institutions] == [("Hôpital fictif", "1750100125")]


def test_without_a_sender_the_automaton_of_the_site_sends() -> None:
    (author,) = submitted().submission_set.authors
    assert author.person is not None
    assert (author.person.id, author.person.family, author.person.given) == (
        "1920008059/gateway",
        "Passerelle",
        "0.1",
    )
    assert (author.person.name_type, author.person.id_type) == ("U", "RI")
    assert author.institutions[0].id == "1920008059"
    assert author.specialties[0].code == "DISPOSITIF"


@pytest.mark.req("REQ-36")
@pytest.mark.parametrize(
    ("patient_class", "encounter", "code"),
    [
        ("I", "AMB", "03"),
        ("O", "AMB", "07"),
        ("R", "AMB", "19"),
        ("N", "AMB", "97"),
        ("E", "AMB", "07"),
        ("", "IMP", "03"),
        ("", "AMB", "07"),
        ("", "HH", "97"),
        ("?", "EMER", "07"),
    ],
)
def test_the_content_type_follows_the_patient_class(patient_class: str, encounter: str, code: str) -> None:
    found = content_type_code(patient_class, encounter)
    assert (found.code, found.system) == (code, "1.2.250.1.213.2.2")
    assert found.display


def test_a_profile_without_its_constants_is_named() -> None:
    with pytest.raises(CisisError) as raised:
        submitted(with_site(job(), automaton_id="", source_id=""))
    assert {found.location for found in raised.value.findings} == {
        "site profile: automaton_id",
        "site profile: source_id",
    }


# ------------------------------------------------------------ exchange


def opened(made: DeliveryJob) -> zipfile.ZipFile:
    cda = cda_of(made)
    submitted = exchange(made.version, cda, made.action)
    return zipfile.ZipFile(io.BytesIO(archive(made.version, cda, submitted)))


def metadata(made: DeliveryJob) -> etree._Element:
    return etree.fromstring(opened(made).read(f"{SUBSET}METADATA.XML"))


@pytest.mark.req("REQ-50")
def test_the_archive_holds_the_exact_document_with_its_metadata() -> None:
    made = job()
    found = opened(made)
    assert found.namelist() == [
        "INDEX.HTM",
        "README.TXT",
        f"{SUBSET}METADATA.XML",
        f"{SUBSET}DOC00001.XML",
    ]
    assert found.read(f"{SUBSET}DOC00001.XML") == cda_of(made)
    root = metadata(made)
    assert root.tag == f"{{{LCM}}}SubmitObjectsRequest"
    slots = {
        slot.get("name"): [value.text for value in slot.iter(f"{{{RIM}}}Value")]
        for slot in root.iterfind(f".//{{{RIM}}}ExtrinsicObject/{{{RIM}}}Slot")
    }
    assert slots["URI"] == ["DOC00001.XML"]
    assert slots["size"] == [str(len(cda_of(made)))]
    assert "urn:action:extraMetadataSlot" not in slots


@pytest.mark.req("REQ-55")
@pytest.mark.parametrize(
    ("made", "code"),
    [
        (replacement(), "C"),
        (replacement(action=Action.CREATE), "C"),  # the CDA itself says that it replaces
        (replacement(action=Action.DELETE), "D"),
        (job(action=Action.DELETE), "D"),
    ],
)
def test_a_replacement_or_withdrawal_stands_in_the_extra_metadata(made: DeliveryJob, code: str) -> None:
    slot = "urn:action:extraMetadataSlot"
    path = f".//{{{RIM}}}ExtrinsicObject/{{{RIM}}}Slot[@name='{slot}']/{{{RIM}}}ValueList/{{{RIM}}}Value"
    assert [value.text for value in metadata(made).iterfind(path)] == [code]


def test_a_readme_names_sender_and_software_in_french() -> None:
    text = opened(job()).read("README.TXT").decode("utf-8")
    for line in (
        "  Organisme : Centre de radiologie Ambroise\r\n",
        "  Adresse : 12 Rue Ambroise, 75010 PARIS\r\n",
        "  Téléphone : 0146000000\r\n",
        "  Nom : Passerelle\r\n",
        "  Editeur : Editeur fictif\r\n",
        f"  {SUBSET}DOC00001.XML : document\r\n",
    ):
        assert line in text


def test_masks_travel_with_the_archive_too() -> None:
    root = metadata(with_flags(job(), masked_ps=True))
    scheme = "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f"
    nodes = root.iterfind(f".//{{{RIM}}}Classification[@classificationScheme='{scheme}']")
    assert [node.get("nodeRepresentation") for node in nodes] == ["N", "MASQUE_PS"]


@needs_kit
@pytest.mark.kit
@pytest.mark.req("REQ-50")
@pytest.mark.parametrize("made", [job(), replacement()])
def test_metadata_xml_fits_the_ebxml_schema(made: DeliveryJob) -> None:
    schema = etree.XMLSchema(etree.parse(str(XDS_SCHEMAS / "ebxml" / "lcm.xsd")))
    assert schema.validate(metadata(made)), schema.error_log


def test_a_submission_is_made_once_for_dmp_and_mail() -> None:
    made = job()
    mailed = submission(made.version, cda_of(made), ins_required=False)
    assert submission(made.version, cda_of(made)) is mailed


def test_a_missing_ins_is_a_fault_for_the_dmp_alone_whoever_asked_first() -> None:
    made = job()
    data = cda_of(made).replace(b'root="1.2.250.1.213.1.4.10"', b'root="1.2.250.1.925.1"')
    assert read(data).patient.ins is None
    mailed = submission(made.version, data, ins_required=False)
    assert mailed.submission_set.patient_id.id_type == "PI"
    with pytest.raises(CisisError) as raised:
        submission(made.version, data)
    assert [found.code for found in raised.value.findings] == ["CDA-INS-MISSING"]
