"""The identity feed: records after an event, and what a record does to a report."""

from datetime import UTC, datetime

import pytest

from gateway.model.base import replace
from gateway.model.delivery import Destination
from gateway.model.identity import FeedAction, IdentityEvent, IdentityRecord
from gateway.model.people import IdentityStatus, Patient, Sex
from gateway.model.submission import Action, Mapped
from gateway.model.terms import Identifier
from gateway.rules import plan
from gateway.rules.merge import identified, records, resolve
from gateway.rules.persons import disagreements
from tests.reports import PATIENT
from tests.rule_cases import ALL, SITE, message

RIS = "1.2.250.1.925.994044785528.1"
OLD, NEW, OTHER = (Identifier(value=value, system=RIS) for value in ("000003", "000007", "000009"))
WEAK = replace(PATIENT, ins=None, identifiers=(OLD,), identity_status=IdentityStatus.PROVISOIRE)
STRONG = replace(PATIENT, identifiers=(OLD,), identity_status=IdentityStatus.QUALIFIEE)


class Book:
    """The records of a site, as events leave them."""

    def __init__(self, *known: IdentityRecord) -> None:
        self.pages = {one.key: one for one in known}

    def __call__(self, key: Identifier) -> IdentityRecord | None:
        return self.pages.get(key)

    def hear(self, action: FeedAction, patient: Patient, *prior: Identifier, **more: object) -> None:
        event = IdentityEvent(action=action, patient=patient, prior=prior, **more)
        self.pages |= {one.key: one for one in records(event, self)}

    def update(self, patient: Patient, *marks: str, opposed: bool | None = None) -> None:
        self.hear(FeedAction.UPDATE, patient, marks=marks, opposed=opposed)


def report(patient: Patient = WEAK) -> Mapped:
    return message(patient={name: getattr(patient, name) for name in FIELDS})


FIELDS = ("ins", "identifiers", "birth_family", "birth_date", "sex", "identity_status", "birth_place_code")


def applied(book: Book, patient: Patient = WEAK) -> Patient:
    found = identified(report(patient), book).report
    assert found is not None
    return found.patient


def told(book: Book, patient: Patient = WEAK) -> list[str]:
    return [one.code for one in identified(report(patient), book).findings]


def test_a_record_stands_under_every_identifier() -> None:
    book = Book()
    book.update(STRONG, "VALI")
    assert set(book.pages) == {OLD, STRONG.ins}


def test_an_unknown_patient_is_left_as_the_message_says() -> None:
    mapped = report()
    assert identified(mapped, Book()) is mapped


@pytest.mark.req("REQ-12")
def test_a_qualified_identity_of_the_same_person_is_taken() -> None:
    book = Book()
    book.update(STRONG, "VALI")
    found = applied(book)
    assert found.qualified
    assert found.ins == PATIENT.ins
    assert {one.path for one in identified(report(), book).provenance if one.rule == "identity feed"} == {
        "patient.ins",
        "patient.identity_status",
    }


def test_an_identity_that_is_not_qualified_only_fills_traits() -> None:
    book = Book()
    book.update(replace(WEAK, birth_place_code="51215"), "PROV")
    found = applied(book, replace(WEAK, birth_place_code=""))
    assert found.birth_place_code == "51215"
    assert not found.qualified


def test_a_qualified_report_is_not_weakened_by_a_feed_that_knows_less() -> None:
    book = Book()
    book.update(WEAK, "PROV")
    assert applied(book, STRONG).qualified


@pytest.mark.req("REQ-16")
@pytest.mark.parametrize("mark", ["DOUT", "FICT", "DOUB", "USUR"])
def test_a_doubt_of_the_feed_takes_the_qualification_back(mark: str) -> None:
    book = Book()
    book.update(STRONG, "VALI", mark)
    assert not applied(book, STRONG).qualified


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("birth date", {"birth_date": "1961-01-01"}),
        ("sex", {"sex": Sex.MALE}),
        ("name", {"birth_family": "PAT-UN"}),
    ],
)
def test_a_number_alone_is_no_identity(name: str, change: dict[str, object]) -> None:
    book = Book()
    book.update(replace(STRONG, ins=None, used_family="", **change), "VALI")
    weak = replace(WEAK, used_family="")
    assert applied(book, weak) == report(weak).report.patient  # type: ignore[union-attr]  # it has a report
    (found,) = [one for one in identified(report(weak), book).findings if one.code == "IDENTITY-CONFLICT"]
    assert found.detail == name


def test_a_conflict_stops_all_but_the_folder_and_an_opposition_the_dmp_alone() -> None:
    book = Book()
    book.update(replace(STRONG, birth_date="1961-01-01"), "VALI")
    made = plan.make(identified(report(STRONG), book), enabled=ALL, site=SITE, action=Action.CREATE)
    assert {row.destination for row in made.rows if row.reason == "IDENTITY-CONFLICT"} == ALL - {
        Destination.FOLDER
    }
    book = Book()
    book.update(STRONG, "VALI", opposed=True)
    made = plan.make(identified(report(STRONG), book), enabled=ALL, site=SITE, action=Action.CREATE)
    assert [row.destination for row in made.rows if row.reason] == [Destination.DMP]


def test_another_matricule_is_a_conflict() -> None:
    book = Book()
    other = Identifier(value="179035121518913", system="1.2.250.1.213.1.4.10")
    book.update(replace(STRONG, ins=other), "VALI")
    assert told(book, STRONG) == ["IDENTITY-CONFLICT"]


def test_a_received_document_keeps_its_patient_but_not_its_way() -> None:
    book = Book()
    book.update(STRONG, "VALI", opposed=True)
    mapped = report()
    received = replace(mapped, context=replace(mapped.context, received_document="0" * 64))
    found = identified(received, book)
    assert found.report == mapped.report
    assert [one.code for one in found.findings] == ["DMP-OPPOSED"]


# --- updates


def test_a_message_without_status_keeps_the_qualification_of_the_same_identity() -> None:
    book = Book()
    book.update(STRONG, "VALI")
    book.update(Patient(identifiers=(OLD,), birth_family=PATIENT.birth_family))
    assert applied(book).qualified


def test_a_message_without_status_about_another_name_ends_the_qualification() -> None:
    book = Book()
    book.update(STRONG, "VALI")
    book.update(replace(STRONG, birth_family="MARTIN"))
    found = book(OLD)
    assert found is not None
    assert not found.patient.qualified


def test_a_stated_status_without_matricule_takes_it_away() -> None:
    book = Book()
    book.update(STRONG, "VALI")
    book.update(WEAK, "PROV")
    found = book(OLD)
    assert found is not None
    assert found.patient.ins is None
    assert not found.patient.qualified


def test_an_opposition_stays_until_somebody_takes_it_back() -> None:
    book = Book()
    book.update(STRONG, "VALI", opposed=True)
    book.update(STRONG, "VALI")
    assert told(book) == ["DMP-OPPOSED"]
    book.update(STRONG, "VALI", opposed=False)
    assert told(book) == []


# --- merges and links


@pytest.mark.req("REQ-17")
@pytest.mark.parametrize("action", [FeedAction.MERGE, FeedAction.CHANGE, FeedAction.LINK])
def test_a_merged_number_leads_to_the_survivor(action: FeedAction) -> None:
    book = Book()
    book.hear(action, replace(STRONG, identifiers=(NEW,)), OLD, marks=("VALI",))
    found = applied(book)
    assert found.identifiers == (NEW,)
    assert found.qualified


def test_merges_can_follow_each_other_and_turn_back() -> None:
    book = Book()
    book.hear(FeedAction.MERGE, replace(STRONG, identifiers=(NEW,)), OLD, marks=("VALI",))
    book.hear(FeedAction.MERGE, replace(STRONG, identifiers=(OTHER,)), NEW, marks=("VALI",))
    assert applied(book).identifiers == (OTHER,)
    book.hear(FeedAction.MERGE, replace(STRONG, identifiers=(OLD,)), OTHER, marks=("VALI",))
    assert applied(book).identifiers == (OLD,)


def test_a_circle_of_records_ends() -> None:
    circle = (
        IdentityRecord(key=OLD, patient=WEAK, merged_into=NEW),
        IdentityRecord(key=NEW, patient=WEAK, merged_into=OLD),
    )
    assert resolve(WEAK, Book(*circle)) is not None


def test_an_opposition_of_a_merged_record_counts_until_the_survivor_speaks() -> None:
    book = Book()
    book.update(STRONG, "VALI", opposed=True)
    book.hear(FeedAction.MERGE, replace(STRONG, identifiers=(NEW,), ins=None), OLD)
    assert "DMP-OPPOSED" in told(book, replace(WEAK, ins=None))


def test_a_link_is_undone_and_a_merge_is_not() -> None:
    for action, after in ((FeedAction.LINK, (OLD,)), (FeedAction.MERGE, (NEW,))):
        book = Book()
        survivor = replace(STRONG, identifiers=(NEW,), ins=None)
        book.hear(action, survivor, OLD, marks=("VALI",))
        book.hear(FeedAction.UNLINK, survivor, OLD, marks=("VALI",))
        assert applied(book).identifiers == after, action


# --- persons


@pytest.mark.parametrize(
    ("changes", "against"),
    [
        ({}, ()),
        ({"birth_family": "Pat Trois"}, ()),
        ({"birth_family": "MARTIN", "used_family": "PAT-TROIS"}, ()),
        ({"birth_given": "Marie-Louise", "birth_given_names": ""}, ()),
        ({"birth_date": "1979"}, ()),
        ({"birth_date": ""}, ()),
        ({"sex": None}, ()),
        ({"birth_date": "1979-03-29"}, ("birth date",)),
        ({"sex": Sex.MALE, "birth_given": "PAUL", "birth_given_names": "PAUL"}, ("given name", "sex")),
    ],
)
def test_where_two_records_disagree(changes: dict[str, object], against: tuple[str, ...]) -> None:
    one = Patient(
        birth_family="PAT-TROIS",
        birth_given="DOMINIQUE",
        birth_given_names="DOMINIQUE MARIE-LOUISE",
        birth_date="1979-03-28",
        sex=Sex.FEMALE,
    )
    assert disagreements(one, replace(one, **changes)) == against
    assert disagreements(replace(one, **changes), one) == against


# --- events in the wrong order

MORNING, NOON, EVENING = (datetime(2021, 1, 8, hour, tzinfo=UTC) for hour in (8, 12, 18))
_F = FeedAction


@pytest.mark.req("REQ-17")
def test_an_older_update_does_not_undo_a_newer_one() -> None:
    book = Book()
    book.hear(_F.UPDATE, STRONG, marks=("VALI",), opposed=True, said_at=NOON)
    book.hear(_F.UPDATE, WEAK, marks=("PROV",), opposed=False, said_at=MORNING)
    record = book(OLD)
    assert record is not None
    assert (record.marks, record.opposed, record.said_at) == (("VALI",), True, NOON)
    book.hear(_F.UPDATE, WEAK, marks=("PROV",), said_at=EVENING)
    assert applied(book).identity_status is IdentityStatus.PROVISOIRE


def test_events_without_a_time_count_in_the_order_of_their_arrival() -> None:
    book = Book()
    book.update(STRONG, "VALI")
    book.update(WEAK, "PROV")
    assert applied(book).identity_status is IdentityStatus.PROVISOIRE


def test_a_merge_that_comes_late_is_done_and_changes_no_newer_traits() -> None:
    book = Book()
    survivor = replace(STRONG, identifiers=(NEW,))
    book.hear(_F.UPDATE, survivor, marks=("VALI",), said_at=NOON)
    book.hear(_F.UPDATE, WEAK, marks=("PROV",), said_at=NOON)
    book.hear(_F.MERGE, replace(survivor, birth_family="ANCIEN"), OLD, said_at=MORNING)
    assert applied(book).birth_family == STRONG.birth_family
    assert applied(book).identifiers == (NEW,)


def test_an_older_merge_brings_no_merged_record_back() -> None:
    """7 was merged into 9 at noon; that 3 was merged into 7 in the morning comes later: all are one."""
    book = Book()
    last = replace(STRONG, identifiers=(OTHER,), ins=None)
    middle = replace(STRONG, identifiers=(NEW,), ins=None)
    book.hear(_F.UPDATE, middle, said_at=MORNING)
    book.hear(_F.MERGE, last, NEW, said_at=NOON)
    book.hear(_F.MERGE, middle, OLD, said_at=MORNING)
    assert applied(book).identifiers == (OTHER,)


def test_a_link_older_than_its_end_stays_ended() -> None:
    book = Book()
    one, other = replace(STRONG, identifiers=(NEW,), ins=None), replace(STRONG, identifiers=(OLD,), ins=None)
    book.hear(_F.UPDATE, one, said_at=MORNING)
    book.hear(_F.UPDATE, other, said_at=MORNING)
    book.hear(_F.LINK, one, OLD, said_at=MORNING)
    book.hear(_F.UNLINK, one, OLD, said_at=NOON)
    book.hear(_F.LINK, one, OLD, said_at=MORNING)
    assert applied(book, replace(WEAK, identifiers=(OLD,))).identifiers == (OLD,)
