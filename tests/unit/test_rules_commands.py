"""What commands make of the flags of a report that is kept (REQ-38, REQ-39; architecture decision 14)."""

from itertools import product

import pytest

from gateway.model.base import replace
from gateway.model.command import Command, Verb
from gateway.model.decision import KnownReport, PlannedDelivery
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.identity import KeptReport
from gateway.model.report import ReportStatus
from gateway.model.submission import Action, Flags, Recipient, RecipientKind
from gateway.rules import commands, visibility
from tests.reports import CONTEXT, REPORT
from tests.rule_cases import codes, decided, message, rows

KNOWN = KnownReport(report_id="1", status=ReportStatus.FINAL, version=1)
KEPT = KeptReport(report_id=1, set_key="CR1^1.2", number=1, report=REPORT, context=CONTEXT)
PATIENT = Recipient(kind=RecipientKind.PATIENT, id="279035121518989")
DOCTOR = Recipient(kind=RecipientKind.PROFESSIONAL, id="801234567897")


def command(verb: Verb, flag: str = "", *, mail: bool = True) -> Command:
    return Command(
        verb=verb, report_id=1, site="default", set_key="CR1^1.2", actor="test", flag=flag, mail=mail
    )


ANNOUNCE = command(Verb.ANNOUNCE)
HIDDEN = Flags(invisible_patient=True, to_patient=False)
"""What the volet demands before an announcement."""


@pytest.mark.req("REQ-38")
def test_an_announcement_takes_the_mask_away_and_owes_the_mail() -> None:
    assert commands.changed(HIDDEN, ANNOUNCE) == Flags(invisible_patient=False, to_patient=None)
    assert commands.changed(HIDDEN, command(Verb.ANNOUNCE, mail=False)).to_patient is False


@pytest.mark.req("REQ-38")
def test_the_announced_version_replaces_the_document_and_says_so() -> None:
    mapped = commands.ordered(ANNOUNCE, replace(KEPT, context=replace(CONTEXT, flags=HIDDEN)))
    assert mapped.report == REPORT
    assert mapped.context.action is Action.REPLACE
    assert mapped.context.flags.modified_confidentiality is True


@pytest.mark.req("REQ-38", "REQ-39")
@pytest.mark.parametrize(
    "given",
    [
        (ANNOUNCE, Flags()),
        (ANNOUNCE, Flags(invisible_patient=False)),
        (command(Verb.MASK, "MASQUE_PS"), Flags(masked_ps=True)),
        (command(Verb.UNMASK, "MASQUE_PS"), Flags()),
    ],
)
def test_what_is_so_already_changes_nothing(given: tuple[Command, Flags]) -> None:
    order, flags = given
    kept = replace(KEPT, context=replace(CONTEXT, flags=flags))
    assert commands.ordered(order, kept).context == kept.context


@pytest.mark.req("REQ-39")
@pytest.mark.parametrize(
    ("flag", "field"),
    [
        ("MASQUE_PS", "masked_ps"),
        ("INVISIBLE_PATIENT", "invisible_patient"),
        ("INVISIBLE_REPRESENTANTS_LEGAUX", "invisible_legal_representatives"),
        ("INVISIBLE_REP_LEGAUX", "invisible_legal_representatives"),
    ],
)
def test_every_mask_is_set_and_taken_away_alone(flag: str, field: str) -> None:
    masked = commands.changed(Flags(), command(Verb.MASK, flag))
    assert masked == Flags(**{field: True})
    if field != "invisible_patient":
        assert commands.changed(masked, command(Verb.UNMASK, flag)) == Flags(**{field: False})


@pytest.mark.req("REQ-39")
def test_no_command_leads_to_what_the_matrix_always_refuses() -> None:
    """All 128 combinations of flags under every command: what was legal stays legal, and a document that the
    patient may not see is never owed to the patient."""
    fields = tuple(visibility.FLAG_NAMES)
    orders = (ANNOUNCE, *(command(Verb.MASK, flag) for flag in ("MASQUE_PS", "INVISIBLE_PATIENT")))
    for values in product((False, True, None), repeat=3):
        for rest in product((False, True), repeat=len(fields) - 3):
            flags = Flags(
                **dict(
                    zip(
                        (*commands.MASKS, *(f for f in fields if f not in commands.MASKS)),
                        (*values, *rest),
                        strict=True,
                    )
                )
            )
            if flags.invisible_patient and flags.to_patient:
                continue  # never taken in
            for order in orders:
                after = commands.changed(flags, order)
                found = [one.code for one in visibility.check(message(flags=after))]
                assert "INVISIBLE-TO-PATIENT-MAIL" not in found, (flags, order)
                decision = decided(message(flags=after))
                states = {state for place, state, _ in rows(decision) if place == "mssante-patient"}
                assert states <= ({"withheld"} if after.invisible_patient else {"planned"}), (flags, order)
                assert ("MSS-MATRIX" in codes(decision)) is ("MSS-MATRIX" in found)


# --- what is refused


@pytest.mark.parametrize(
    ("known", "kept", "why"),
    [
        (None, None, "no such report"),
        (replace(KNOWN, version=0), None, "not validated"),
        (replace(KNOWN, status=ReportStatus.CANCELLED), KEPT, "withdrawn"),
        (KNOWN, None, "let go"),
    ],
)
def test_a_report_that_is_not_there_or_has_not_left_takes_no_command(
    known: KnownReport | None, kept: KeptReport | None, why: str
) -> None:
    found = commands.refusal(ANNOUNCE, known, kept)
    assert found is not None
    assert found.code == "COMMAND-IMPOSSIBLE" and why in found.detail


@pytest.mark.req("REQ-33", "REQ-39")
def test_a_received_cda_is_its_creators_to_change() -> None:
    kept = replace(KEPT, context=replace(CONTEXT, received_document="0" * 64))
    found = commands.refusal(command(Verb.MASK, "MASQUE_PS"), KNOWN, kept)
    assert found is not None and found.code == "COMMAND-NOT-OURS"


@pytest.mark.req("REQ-39")
@pytest.mark.parametrize(
    ("order", "code"),
    [
        (command(Verb.MASK, "CONNEXION_SECRETE"), "MASK-UNKNOWN"),
        (command(Verb.MASK, "DESTDMP"), "MASK-UNKNOWN"),
        (command(Verb.MASK, "nonsense"), "MASK-UNKNOWN"),
        (command(Verb.UNMASK, "INVISIBLE_PATIENT"), "MASK-ANNOUNCED"),
    ],
)
def test_a_flag_that_no_command_changes_is_refused_with_those_that_one_does(
    order: Command, code: str
) -> None:
    found = commands.refusal(order, KNOWN, KEPT)
    assert found is not None and found.code == code
    assert "nonsense" not in found.detail


# --- what is sent


def row(destination: Destination, recipient: Recipient | None = None, **changes: object) -> PlannedDelivery:
    return PlannedDelivery(destination=destination, action=Action.REPLACE, recipient=recipient, **changes)


@pytest.mark.req("REQ-38", "REQ-39")
def test_nobody_is_mailed_again_because_of_a_mask() -> None:
    plan = (
        row(Destination.DMP),
        row(Destination.FOLDER),
        row(Destination.MSSANTE_PS, DOCTOR),
        row(Destination.MSSANTE_PATIENT, PATIENT),
    )
    assert commands.still_owed(plan, sent=plan[:3]) == (plan[0], plan[1], plan[3])


def test_a_mail_that_waits_for_the_announcement_stays_in_the_list_of_those_that_wait() -> None:
    waits = row(
        Destination.MSSANTE_PATIENT, PATIENT, state=DeliveryState.WITHHELD, reason="AWAITING-ANNOUNCEMENT"
    )
    assert commands.still_owed((waits,), sent=(waits,)) == (waits,)
