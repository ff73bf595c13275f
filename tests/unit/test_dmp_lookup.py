"""TD3.1b around a delivery: when the DMP is asked, for what, and what follows from its answer."""

from datetime import UTC, datetime
from hashlib import sha1

import pytest

from gateway.cda import read
from gateway.dmp import DmpQuery, judge_query, look_up, resolve
from gateway.model.base import replace
from gateway.model.delivery import Outcome, OutcomeKind
from gateway.model.version import DeliveryJob
from gateway.xds import FoundEntry
from tests.reports import REPLACEMENT, VERSION
from tests.unit.dmp_jobs import cda, job, replacement
from tests.unit.pki_files import cachet

T, P, D, R = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT, OutcomeKind.DELIVERED, OutcomeKind.REFUSED
OLD, NEW = VERSION.identity.document_id, REPLACEMENT.identity.document_id
ENTRY = "urn:uuid:6f1f62f0-6d0c-5d3a-9c41-5d3f4b5e2a10"
URL = "https://localhost/registry"


def question(made: DeliveryJob) -> DmpQuery | None:
    return look_up(
        made, cachet=cachet(), url=URL, message_id="urn:uuid:1", assertion_id="_1", now=datetime.now(UTC)
    )


def asked(made: DeliveryJob) -> DmpQuery:
    found = question(made)
    assert found is not None
    return found


def entry(unique_id: str, status: str = "Approved", **more: str) -> FoundEntry:
    return FoundEntry(entry_uuid=more.pop("entry_uuid", ENTRY), unique_id=unique_id, status=status, **more)


def test_the_first_attempt_of_a_new_document_asks_nothing() -> None:
    assert question(job()) is None


def test_a_repeat_asks_for_its_own_document() -> None:
    query = asked(job(attempt=2))
    assert (query.unique_id, query.replaced_id, query.url) == (read(cda()).unique_id, "", URL)


@pytest.mark.req("REQ-42")
def test_a_replacement_asks_for_its_predecessor_though_an_entry_uuid_is_known() -> None:
    query = asked(replacement(("entryUUID", ENTRY), ("uniqueId", OLD)))
    assert (query.unique_id, query.replaced_id) == (NEW, OLD)
    assert f"('{NEW}','{OLD}')".encode() in query.body


@pytest.mark.req("REQ-42")
def test_a_replacement_of_what_came_from_elsewhere_asks_for_what_the_cda_names() -> None:
    assert asked(replacement()).replaced_id == OLD


def test_a_version_that_never_left_is_passed_over() -> None:
    """The CDA names version 2, which was cancelled; the DMP holds version 1."""
    assert asked(replacement(("entryUUID", ENTRY), ("uniqueId", "1.2.250.1"))).replaced_id == "1.2.250.1"


@pytest.mark.req("REQ-42")
def test_the_entry_uuid_of_the_answer_counts_not_the_one_kept() -> None:
    made = replacement(("entryUUID", "urn:uuid:old"), ("uniqueId", OLD))
    known = resolve(made, asked(made), (entry(OLD),))
    assert known == replace(made, previous_remote_ids=(("entryUUID", ENTRY), ("uniqueId", OLD)))


@pytest.mark.req("REQ-42")
def test_after_a_change_of_metadata_the_approved_entry_counts() -> None:
    made = replacement()
    found = (entry(OLD, "Deprecated", entry_uuid="urn:uuid:before"), entry(OLD))
    known = resolve(made, asked(made), found)
    assert isinstance(known, DeliveryJob)
    assert dict(known.previous_remote_ids)["entryUUID"] == ENTRY


@pytest.mark.parametrize(
    ("found", "code"),
    [((), "DMP-ENTRY-UNKNOWN"), ((entry(OLD, "Deprecated"),), "DMP-ENTRY-DEPRECATED")],
)
def test_without_an_entry_to_replace_the_delivery_stops(found: tuple[FoundEntry, ...], code: str) -> None:
    made = replacement()
    ended = resolve(made, asked(made), found)
    assert isinstance(ended, Outcome)
    assert (ended.kind, ended.code) == (P, code)


@pytest.mark.req("REQ-43", "REQ-78")
def test_a_document_that_is_there_is_delivered_without_sending() -> None:
    made = job(attempt=2)
    digest = sha1(cda(), usedforsecurity=False).hexdigest()
    ended = resolve(made, asked(made), (entry(OLD, hash=digest),))
    assert isinstance(ended, Outcome)
    assert (ended.kind, ended.remote_ids) == (D, (("entryUUID", ENTRY), ("uniqueId", OLD)))


def test_another_document_under_our_unique_id_is_no_delivery() -> None:
    made = job(attempt=2)
    ended = resolve(made, asked(made), (entry(OLD, hash="00"),))
    assert isinstance(ended, Outcome)
    assert (ended.kind, ended.code) == (P, "XDSNonIdenticalHash")


def test_a_repeat_that_had_not_arrived_goes_on() -> None:
    made = job(attempt=2)
    assert resolve(made, asked(made), ()) is made


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, b"", T),
        (504, b"", T),
        (200, b"<html/>", T),
        (404, b"", P),
    ],
)
def test_a_question_without_a_clear_answer_is_asked_again_or_shown(
    status: int, body: bytes, kind: OutcomeKind
) -> None:
    told = judge_query(status, "text/html", body)
    assert isinstance(told, Outcome)
    assert told.kind is kind
    assert told.detail.startswith("asking for the document")
