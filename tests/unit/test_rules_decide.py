"""The decision: reject, hold, block, accept; version number; create or replace (architecture 8–13)."""

from datetime import datetime

import pytest

from gateway.model.base import replace
from gateway.model.decision import KnownReport, PlannedDelivery
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.findings import Severity, errors, finding
from gateway.model.people import IdentityStatus
from gateway.model.report import ReportStatus
from gateway.model.site import Site
from gateway.model.submission import Action, Flags, Mapped, Provenance, Trace
from gateway.model.terms import INS_NIR, Identifier
from tests.reports import CONTEXT
from tests.rule_cases import SITE, codes, decided, message, rows


def known(version: int = 1, content_hash: str = "old") -> KnownReport:
    return KnownReport(
        report_id="r1",
        status=ReportStatus.FINAL,
        version=version,
        content_hash=content_hash,
        document_id="1.2.3",
    )


def actions(decision_of: Mapped, before: KnownReport | None = None) -> set[Action]:
    return {row.action for row in decided(decision_of, before).plan}


# --- taken


@pytest.mark.req("REQ-35")
def test_a_first_validated_report_is_version_1_and_a_creation() -> None:
    decision = decided(message())
    assert (decision.verdict, decision.number, decision.findings) == ("accept", 1, ())
    assert actions(message()) == {Action.CREATE}


@pytest.mark.parametrize("status", ["final", "corrected", "appended"])
def test_new_content_of_a_known_report_is_the_next_version_and_a_replacement(status: str) -> None:
    later = message(status=ReportStatus(status))
    decision = decided(later, known(version=3))
    assert (decision.verdict, decision.number, codes(decision)) == ("accept", 4, [])
    assert actions(later, known(version=3)) == {Action.REPLACE}


def test_the_first_validated_content_of_a_held_report_is_a_creation() -> None:
    held = KnownReport(report_id="r1", status=ReportStatus.PRELIMINARY)
    assert decided(message(), held).number == 1
    assert actions(message(), held) == {Action.CREATE}


def test_unchanged_content_makes_no_version_and_no_delivery() -> None:
    decision = decided(message(), known(content_hash="same"), content_hash="same")
    assert (decision.verdict, decision.number, decision.plan) == ("accept", 0, ())
    assert codes(decision) == ["CONTENT-UNCHANGED"]


@pytest.mark.parametrize("status", ["corrected", "appended"])
def test_a_correction_of_an_unknown_original_is_taken_as_new(status: str) -> None:
    decision = decided(message(status=ReportStatus(status)))
    assert (decision.verdict, decision.number, codes(decision)) == ("accept", 1, ["ORIGINAL-UNKNOWN"])
    assert actions(message(status=ReportStatus(status))) == {Action.CREATE}


def test_a_replacement_that_names_its_original_stays_one() -> None:
    named = message(context=replace(CONTEXT, action=Action.REPLACE), replaces=Identifier(value="1.2.3.4"))
    decision = decided(named)
    assert codes(decision) == ["ORIGINAL-UNKNOWN"]
    assert actions(named) == {Action.REPLACE}


# --- held


@pytest.mark.req("REQ-30")
@pytest.mark.parametrize("status", ["registered", "preliminary"])
@pytest.mark.parametrize("before", [None, known()])
def test_an_unvalidated_report_is_held_and_nothing_leaves(status: str, before: KnownReport | None) -> None:
    decision = decided(message(status=ReportStatus(status)), before)
    assert (decision.verdict, decision.number, decision.plan) == ("hold", 0, ())
    assert codes(decision) == ["NOT-VALIDATED"]


def test_an_unvalidated_report_may_lack_what_only_a_validated_one_needs() -> None:
    draft = message(status=ReportStatus.PRELIMINARY, validated_at=None, legal_authenticator=None, sections=())
    assert decided(draft).verdict == "hold"


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
@pytest.mark.parametrize("before", [None, known(version=0)])
def test_the_withdrawal_of_what_never_left_is_held(status: str, before: KnownReport | None) -> None:
    decision = decided(message(status=ReportStatus(status)), before)
    assert (decision.verdict, decision.number, decision.plan) == ("hold", 0, ())


WITHDRAWALS = [
    message(status=ReportStatus.CANCELLED),
    message(status=ReportStatus.ENTERED_IN_ERROR),
    message(context=replace(CONTEXT, action=Action.DELETE)),
]


@pytest.mark.parametrize("withdrawal", WITHDRAWALS)
def test_the_withdrawal_of_a_version_that_never_left_recalls_it(withdrawal: Mapped) -> None:
    decision = decided(withdrawal, known())
    assert (decision.verdict, decision.number, decision.recalls) == ("accept", 0, True)
    assert codes(decision) == ["REPORT-RECALLED"]


DELETIONS = (
    PlannedDelivery(destination=Destination.FOLDER, action=Action.DELETE, state=DeliveryState.PENDING),
    PlannedDelivery(destination=Destination.DMP, action=Action.DELETE, state=DeliveryState.PENDING),
)


@pytest.mark.req("REQ-40")
@pytest.mark.parametrize("withdrawal", WITHDRAWALS)
def test_the_withdrawal_of_what_left_is_one_more_version_that_deletes_it(withdrawal: Mapped) -> None:
    decision = decided(withdrawal, known(2), sent=DELETIONS, current=message().report)
    assert (decision.verdict, decision.number, decision.recalls) == ("accept", 3, True)
    assert decision.plan == DELETIONS
    assert codes(decision) == ["REPORT-TAKEN-BACK"]


@pytest.mark.req("REQ-40")
def test_the_flags_of_a_withdrawal_limit_nothing() -> None:
    """A wrong report must go wherever it went, also where the message does not send it."""
    flags = Flags(to_dmp=False, to_professionals=False, to_patient=False)
    quiet = message(context=replace(CONTEXT, action=Action.DELETE, flags=flags))
    assert decided(quiet, known(), sent=DELETIONS, current=message().report).plan == DELETIONS


@pytest.mark.parametrize("withdrawal", WITHDRAWALS)
def test_a_second_withdrawal_changes_nothing(withdrawal: Mapped) -> None:
    gone = replace(known(), status=ReportStatus.ENTERED_IN_ERROR)
    decision = decided(withdrawal, gone)
    assert (decision.verdict, decision.number, decision.recalls) == ("accept", 0, False)
    assert codes(decision) == ["REPORT-WITHDRAWN-BEFORE"]


# --- late

EARLIER, LATER = "2021-01-08T09:00:00+01:00", "2021-01-08T18:00:00+01:00"


def at(text: str) -> dict[str, datetime]:
    return {"validated_at": datetime.fromisoformat(text)}


def test_a_report_older_than_the_version_taken_before_is_kept_and_not_sent() -> None:
    newer = replace(message().report, **at(LATER))
    decision = decided(message(**at(EARLIER)), known(), current=newer)
    assert (decision.verdict, decision.number, codes(decision)) == ("hold", 0, ["REPORT-LATE"])
    assert decided(message(**at(LATER)), known(), current=newer).number == 2, (
        "the same signature: newer words"
    )


def test_a_guessed_validation_time_makes_nothing_late() -> None:
    newer = replace(message().report, **at(LATER))
    guessed = replace(message(**at(EARLIER)), findings=(finding("VALIDATION-TIME-GUESSED", "MSH-7"),))
    assert decided(guessed, known(), current=newer).number == 2


def test_the_document_that_the_version_taken_before_replaces_comes_late() -> None:
    newer = replace(message().report, replaces=Identifier(value="1.2.3.1"))
    original = message(context=replace(CONTEXT, document_id="1.2.3.1"))
    assert codes(decided(original, known(), current=newer)) == ["REPORT-LATE"]


@pytest.mark.parametrize("version", [0, 1])
def test_a_report_validated_before_its_withdrawal_is_not_sent(version: int) -> None:
    gone = replace(
        known(version=version),
        status=ReportStatus.ENTERED_IN_ERROR,
        changed_at=datetime.fromisoformat("2021-01-08T12:00:00+01:00"),
    )
    late = decided(message(**at(EARLIER)), gone)
    assert (late.verdict, late.number, codes(late)) == ("hold", 0, ["REPORT-WITHDRAWN"])
    assert decided(message(**at(LATER)), gone).number == version + 1, "validated anew"


# --- rejected


@pytest.mark.parametrize("withdrawal", WITHDRAWALS)
def test_the_withdrawal_of_what_is_no_longer_kept_is_never_acknowledged(withdrawal: Mapped) -> None:
    decision = decided(withdrawal, known(), sent=DELETIONS)
    assert (decision.verdict, decision.number, decision.plan) == ("reject", 0, ())
    assert codes(decision) == ["WITHDRAWAL-UNSERVED"]


@pytest.mark.req("REQ-13", "REQ-14")
@pytest.mark.parametrize(
    ("ins", "code"),
    [
        (Identifier(value="279035121518988", system="1.2.250.1.213.1.4.10"), "INS-KEY"),
        (Identifier(value="279035121518989", system=INS_NIR), "INS-ENV"),
        (Identifier(value="279035121518989", system="1.2.250.1.213.1.4.5"), "INS-SYSTEM"),
    ],
)
@pytest.mark.parametrize("status", ["final", "preliminary"])
def test_a_wrong_ins_rejects_validated_or_not(ins: Identifier, code: str, status: str) -> None:
    decision = decided(message(patient={"ins": ins}, status=ReportStatus(status)))
    assert (decision.verdict, decision.number, decision.plan, codes(decision)) == ("reject", 0, (), [code])


@pytest.mark.req("REQ-26")
def test_all_faults_of_mapping_and_rules_are_told_at_once() -> None:
    faulty = replace(
        message(validated_at=None, legal_authenticator=None), findings=(finding("REF-DANGLING", "Bundle.x"),)
    )
    decision = decided(faulty)
    assert decision.verdict == "reject"
    assert codes(decision) == ["REF-DANGLING", "VALIDATION-TIME-MISSING", "RPPS-MISSING"]


def test_a_warning_of_mapping_hides_no_error_of_the_same_code() -> None:
    warned = replace(
        message(legal_authenticator=None),
        findings=(finding("RPPS-MISSING", "OBR-16", severity=Severity.WARNING),),
    )
    assert [one.location for one in errors(decided(warned).findings)] == ["OBR-32"]


def test_no_report_is_a_rejection_even_without_an_error_finding() -> None:
    decision = decided(Mapped(report=None, context=CONTEXT))
    assert (decision.verdict, codes(decision)) == ("reject", ["INTERNAL"])


# --- identities and places


@pytest.mark.req("REQ-11", "REQ-12")
def test_missing_traits_are_named_where_the_patient_stands() -> None:
    lacking = replace(
        message(patient={"sex": None, "birth_place_code": "", "identity_status": IdentityStatus.VALIDEE}),
        trace=Trace(provenance=(Provenance(path="patient", source="PID"),)),
    )
    decision = decided(lacking)
    assert codes(decision) == ["TRAITS-INCOMPLETE", "INS-NOT-QUALIFIED"]
    assert (decision.findings[0].location, decision.findings[0].detail) == ("PID", "sex, birth_place_code")


def test_a_patient_without_ins_is_not_asked_for_traits() -> None:
    bare = {"ins": None, "sex": None, "identity_status": IdentityStatus.PROVISOIRE}
    assert codes(decided(message(patient=bare))) == ["INS-NOT-QUALIFIED"]


# --- policies of a site


def policy(code: str, severity: str) -> Site:
    return replace(SITE, policies=((code, severity),))


def test_a_policy_sharpens_a_warning() -> None:
    unqualified = message(patient={"identity_status": IdentityStatus.PROVISOIRE})
    decision = decided(unqualified, site=policy("INS-NOT-QUALIFIED", "error"))
    assert (decision.verdict, rows(decision), decision.number) == ("reject", [], 0)


def test_a_policy_softens_an_error() -> None:
    lenient = policy("REQUESTER-MISSING", "warning")
    decision = decided(message(requester=None), site=lenient)
    assert (decision.verdict, codes(decision)) == ("accept", ["REQUESTER-MISSING"])


@pytest.mark.req("REQ-14")
def test_no_policy_lets_a_real_matricule_into_a_test_gateway() -> None:
    real = message(patient={"ins": Identifier(value="279035121518989", system=INS_NIR)})
    assert decided(real, site=policy("INS-ENV", "info")).verdict == "reject"
