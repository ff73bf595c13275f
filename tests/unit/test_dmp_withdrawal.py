"""TD3.3c: what is asked before a deletion, what follows from the answer, what is sent; what never goes."""

from datetime import UTC, datetime
from hashlib import sha1

import pytest
from lxml import etree

from gateway.cda import read
from gateway.dmp import DmpError, DmpQuery, delete, look_up, resolve
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.submission import Action
from gateway.model.terms import INS_NIR_DEMO, Identifier
from gateway.model.version import DeliveryJob
from gateway.pipeline.destinations import PrepareError
from gateway.pipeline.destinations.dmp import prepare
from gateway.xds import FoundEntry
from tests.reports import PATIENT
from tests.support import XDS_SCHEMAS
from tests.unit.dmp_jobs import cda, ids, job
from tests.unit.pki_files import cachet

P, D = OutcomeKind.PERMANENT, OutcomeKind.DELIVERED
URL = "https://localhost/registry"
ENTRY = "urn:uuid:6f1f62f0-6d0c-5d3a-9c41-5d3f4b5e2a10"
UNIQUE = read(cda()).unique_id
HASH = sha1(cda(), usedforsecurity=False).hexdigest()
SENT = (("entryUUID", "urn:uuid:old"), ("uniqueId", UNIQUE))
RIM = "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}"
LCM = "{urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0}"


def deletion(*previous: tuple[str, str], **changes: object) -> DeliveryJob:
    return job(action=Action.DELETE, previous_remote_ids=previous, **changes)


def question(made: DeliveryJob) -> DmpQuery:
    found = look_up(
        made, cachet=cachet(), url=URL, message_id="urn:uuid:1", assertion_id="_1", now=datetime.now(UTC)
    )
    assert found is not None, "a deletion is never sent without asking"
    return found


def entry(unique_id: str = UNIQUE, status: str = "Approved", **more: str) -> FoundEntry:
    return FoundEntry(entry_uuid=more.pop("entry_uuid", ENTRY), unique_id=unique_id, status=status, **more)


def answered(*found: FoundEntry, made: DeliveryJob | None = None) -> DeliveryJob | Outcome:
    made = made or deletion(*SENT)
    return resolve(made, question(made), found)


def ended(*found: FoundEntry, made: DeliveryJob | None = None) -> tuple[OutcomeKind, str]:
    outcome = answered(*found, made=made)
    assert isinstance(outcome, Outcome), "nothing is sent"
    return outcome.kind, outcome.code


def target(*found: FoundEntry, made: DeliveryJob | None = None) -> dict[str, str]:
    resolved = answered(*found, made=made)
    assert isinstance(resolved, DeliveryJob), resolved
    return dict(resolved.previous_remote_ids)


# --- the question and its answer


@pytest.mark.req("REQ-42")
def test_the_present_entry_uuid_is_deleted_not_the_one_kept() -> None:
    made = deletion(*SENT)
    query = question(made)
    assert (query.unique_id, query.replaced_id) == (UNIQUE, UNIQUE)
    assert f"('{UNIQUE}')".encode() in query.body
    assert target(entry(hash=HASH))["entryUUID"] == ENTRY


@pytest.mark.req("REQ-42")
def test_after_a_change_of_metadata_the_approved_entry_goes() -> None:
    other = entry(status="Deprecated", entry_uuid="urn:uuid:11111111-1111-1111-1111-111111111111")
    assert target(other, entry())["entryUUID"] == ENTRY


def test_an_archived_document_goes_too() -> None:
    assert target(entry(status="Archived"))["status"] == "Archived"


def test_where_the_last_version_never_arrived_the_one_before_goes() -> None:
    before = deletion(("entryUUID", "urn:uuid:old"), ("uniqueId", "1.2.250.7"))
    assert target(entry("1.2.250.7"), made=before)["uniqueId"] == "1.2.250.7"


def test_of_two_versions_the_one_that_still_stands_goes() -> None:
    before = deletion(("entryUUID", "urn:uuid:old"), ("uniqueId", "1.2.250.7"))
    assert target(entry("1.2.250.7", "Deprecated"), entry(), made=before)["uniqueId"] == UNIQUE


def test_a_document_that_is_deleted_already_is_done() -> None:
    assert ended(entry(status="Deleted")) == (D, "found")


def test_a_repeat_after_silence_that_finds_nothing_is_done() -> None:
    """Some registries do not show what is deleted."""
    assert ended(made=deletion(*SENT, attempt=2, unanswered=True)) == (D, "found")


def test_nothing_is_done_where_nobody_knew_whether_it_arrived_and_it_did_not() -> None:
    assert ended(made=deletion()) == (D, "found")


def test_a_document_that_arrived_and_is_not_found_needs_a_person() -> None:
    assert ended() == (P, "DMP-ENTRY-UNKNOWN")


def test_a_document_that_somebody_else_replaced_stays() -> None:
    assert ended(entry(status="Deprecated")) == (P, "DMP-ENTRY-DEPRECATED")


def test_a_document_with_other_bytes_is_never_deleted() -> None:
    assert ended(entry(hash="0" * 40)) == (P, "XDSNonIdenticalHash")


def test_a_document_of_another_patient_is_never_deleted() -> None:
    stranger = "111111111111120^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert ended(entry(patient_id=stranger)) == (P, "CDA-MISMATCH")


def test_a_feed_of_unknown_end_is_not_repeated_once_the_report_is_withdrawn() -> None:
    feed = job(attempt=2, unanswered=True, recalled=True)
    outcome = resolve(feed, question(feed), ())
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, "REPORT-RECALLED")
    found = resolve(feed, question(feed), (entry(hash=HASH),))
    assert isinstance(found, Outcome) and found.kind is D, "it had arrived: the deletion behind it goes"


def test_a_document_fed_again_after_its_deletion_has_not_arrived_yet() -> None:
    again = job(attempt=2)
    assert resolve(again, question(again), (entry(status="Deleted", hash=HASH),)) == again


# --- the request


def request(made: DeliveryJob) -> etree._Element:
    sent = delete(
        made, cachet=cachet(), url=URL, message_id="urn:uuid:1", assertion_id="_1", now=datetime.now(UTC)
    )
    assert sent.action == "urn:ihe:iti:2010:UpdateDocumentSet"
    assert sent.content_type.startswith("application/soap+xml") and sent.action in sent.content_type
    assert (sent.entry_uuid, sent.unique_id) == (ENTRY, UNIQUE)
    found = etree.fromstring(sent.body).find(f".//{LCM}SubmitObjectsRequest")
    assert found is not None
    return found


RESOLVED = (("entryUUID", ENTRY), ("uniqueId", UNIQUE), ("status", "Approved"))


@pytest.mark.req("REQ-40")
def test_one_association_from_the_submission_set_to_the_entry_tells_the_new_status() -> None:
    (link,) = request(deletion(*RESOLVED)).iter(f"{RIM}Association")
    (package,) = request(deletion(*RESOLVED)).iter(f"{RIM}RegistryPackage")
    assert link.get("associationType") == "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus"
    assert (link.get("sourceObject"), link.get("targetObject")) == (package.get("id"), ENTRY)
    slots = {one.get("name"): one.findtext(f".//{RIM}Value") for one in link.iter(f"{RIM}Slot")}
    assert slots == {
        "OriginalStatus": "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved",
        "NewStatus": "urn:asip:ci-sis:2010:StatusType:Deleted",
    }


def test_the_request_holds_no_entry() -> None:
    assert not list(request(deletion(*RESOLVED)).iter(f"{RIM}ExtrinsicObject"))


@pytest.mark.kit
@pytest.mark.req("REQ-40")
def test_the_request_is_valid_by_the_official_schema() -> None:
    if not XDS_SCHEMAS.is_dir():
        pytest.skip(f"no official schemas at {XDS_SCHEMAS}")
    schema = etree.XMLSchema(etree.parse(str(XDS_SCHEMAS / "ebxml" / "XDS.b_DocumentRepository.xsd")))
    schema.assertValid(request(deletion(*RESOLVED)))


def refused(made: DeliveryJob) -> list[str]:
    with pytest.raises(DmpError) as error:
        request(made)
    return [found.code for found in error.value.findings]


def test_without_a_registry_nothing_is_deleted() -> None:
    with pytest.raises(PrepareError) as error:
        prepare(deletion(*RESOLVED), cachet=cachet(), url=URL, registry="", now=datetime.now(UTC), ids=ids())
    assert [found.code for found in error.value.findings] == ["DMP-REGISTRY-MISSING"]


def test_without_an_entry_uuid_nothing_is_sent() -> None:
    assert refused(deletion()) == ["DMP-ENTRY-UNKNOWN"]


def test_the_record_of_another_patient_is_never_touched() -> None:
    other = replace(PATIENT, ins=Identifier(value="279035121518989", system=INS_NIR_DEMO))
    made = deletion(*RESOLVED)
    report = replace(made.version.report, patient=other)
    assert refused(replace(made, version=replace(made.version, report=report))) == ["CDA-MISMATCH"]
