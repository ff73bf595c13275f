"""Which deliveries a version is owed, and which must wait (REQ-12, REQ-35, REQ-47, REQ-49, REQ-54)."""

import pytest

from gateway.model.base import replace
from gateway.model.delivery import Destination
from gateway.model.people import IdentityStatus, Practitioner
from gateway.model.site import Site
from gateway.model.submission import Flags, Recipient, RecipientKind
from gateway.model.terms import Telecom
from tests.reports import CONTEXT, DUPONT
from tests.rule_cases import SITE, codes, decided, message, rows

QUALIFIED = [
    ("folder", "planned", ""),
    ("dmp", "planned", ""),
    ("mssante-ps", "planned", ""),
    ("mssante-ps", "planned", ""),
    ("mssante-patient", "planned", ""),
]
"""Requester (= médecin traitant here, mailed once), one copy, the patient."""


@pytest.mark.req("REQ-35", "REQ-47", "REQ-49")
def test_a_validated_report_of_a_qualified_identity_goes_everywhere() -> None:
    decision = decided(message())
    assert rows(decision) == QUALIFIED
    assert [(row.recipient.id, row.recipient.address) for row in decision.plan if row.recipient] == [
        ("801234567897", "alain.dupont@test-ci-sis.mssante.fr"),
        ("801234560804", "anais@cabinet.mssante.fr"),
        ("279035121518989", "279035121518989@patient.mssante.fr"),
    ]


@pytest.mark.req("REQ-12", "REQ-49")
@pytest.mark.parametrize("status", ["provisoire", "recuperee", "validee"])
def test_without_a_qualified_identity_dmp_and_patient_wait(status: str) -> None:
    decision = decided(message(patient={"identity_status": IdentityStatus(status)}))
    assert rows(decision) == [
        ("folder", "planned", ""),
        ("dmp", "blocked", "INS-NOT-QUALIFIED"),
        ("mssante-ps", "planned", ""),
        ("mssante-ps", "planned", ""),
        ("mssante-patient", "blocked", "INS-NOT-QUALIFIED"),
    ]
    assert (decision.verdict, codes(decision)) == ("block", ["INS-NOT-QUALIFIED"])
    assert decision.plan[-1].recipient is not None
    assert decision.plan[-1].recipient.address == ""  # no address from a matricule that nobody qualified


@pytest.mark.parametrize("destination", ["folder", "dmp", "mssante-ps", "mssante-patient"])
def test_only_enabled_destinations_get_rows(destination: str) -> None:
    decision = decided(message(), enabled=frozenset({Destination(destination)}))
    assert {row.destination for row in decision.plan} == {destination}


@pytest.mark.parametrize(
    ("flag", "gone"),
    [("to_dmp", "dmp"), ("to_professionals", "mssante-ps"), ("to_patient", "mssante-patient")],
)
def test_a_destination_that_the_sender_switched_off_gets_no_row(flag: str, gone: str) -> None:
    off = decided(message(flags=Flags(**{flag: False})))
    assert rows(off) == [row for row in QUALIFIED if row[0] != gone]
    on = decided(message(flags=Flags(**{flag: True})))
    assert rows(on) == QUALIFIED


def test_switched_off_destinations_block_nothing() -> None:
    flags = Flags(to_dmp=False, to_patient=False)
    decision = decided(message(flags=flags, patient={"identity_status": IdentityStatus.PROVISOIRE}))
    assert (decision.verdict, codes(decision)) == ("accept", [])


@pytest.mark.req("REQ-38", "REQ-49")
def test_before_the_announcement_the_patient_mail_is_withheld() -> None:
    decision = decided(message(flags=Flags(invisible_patient=True)))
    assert rows(decision)[-1] == ("mssante-patient", "withheld", "AWAITING-ANNOUNCEMENT")
    assert rows(decision)[:2] == QUALIFIED[:2]
    assert (decision.verdict, codes(decision)) == ("accept", ["AWAITING-ANNOUNCEMENT"])


def recipient(address: str = "", **changes: object) -> Recipient:
    return replace(
        Recipient(kind=RecipientKind.PROFESSIONAL, id="801234569999", name="X", address=address), **changes
    )


@pytest.mark.req("REQ-47")
def test_recipients_that_the_message_names_replace_those_of_the_report() -> None:
    named = recipient("adam.hoda@test-ci-sis.mssante.fr")
    decision = decided(message(context=replace(CONTEXT, recipients=(named,))))
    assert [row.recipient for row in decision.plan if row.destination is Destination.MSSANTE_PS] == [named]


def test_a_recipient_without_address_is_looked_up_in_the_directory() -> None:
    named = recipient(id="801234567897")
    decision = decided(message(context=replace(CONTEXT, recipients=(named,))))
    assert decision.plan[2].recipient == replace(named, address="alain.dupont@test-ci-sis.mssante.fr")


def test_nobody_is_mailed_twice() -> None:
    twice = (recipient("A@b.mssante.fr"), recipient("a@b.mssante.fr", id="801234568888"))
    decision = decided(message(context=replace(CONTEXT, recipients=twice)))
    assert rows(decision).count(("mssante-ps", "planned", "")) == 1


def test_an_unknown_mailbox_blocks_that_mail_alone() -> None:
    decision = decided(message(), site=Site(name="default", mail=SITE.mail))
    assert [row for row in rows(decision) if row[0] == "mssante-ps"] == [
        ("mssante-ps", "blocked", "MAILBOX-UNKNOWN")
    ] * 2
    assert rows(decision)[1] == ("dmp", "planned", "")
    assert (decision.verdict, codes(decision)) == ("block", ["MAILBOX-UNKNOWN"] * 2)


@pytest.mark.req("REQ-54")
@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("dr@mssante.fr", "planned"),
        ("dr@x.mssante.fr", "planned"),
        ("dr@X.MSSANTE.FR", "planned"),
        ("x@gmail.com", "blocked"),
        ("x@mssante.fr.evil.com", "blocked"),
        ("x@notmssante.fr", "blocked"),
        ("@mssante.fr", "blocked"),
        ("x@gmail.com\r\nBcc: a@mssante.fr", "blocked"),
    ],
)
def test_mail_leaves_only_to_trusted_domains(address: str, state: str) -> None:
    decision = decided(message(context=replace(CONTEXT, recipients=(recipient(address),))))
    reason = "" if state == "planned" else "MAILBOX-UNTRUSTED"
    assert rows(decision)[2] == ("mssante-ps", state, reason)


def test_a_mailbox_of_the_message_serves_only_when_it_is_trusted() -> None:
    own = replace(
        DUPONT, telecoms=(Telecom(value="mailto:dupont@gmail.com"), Telecom(value="mailto:d@ok.mssante.fr"))
    )
    decision = decided(
        message(requester=own, attending=None, copies_to=()), site=Site(name="x", mail=SITE.mail)
    )
    assert decision.plan[2].recipient is not None
    assert decision.plan[2].recipient.address == "d@ok.mssante.fr"


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("279035121518989@patient.formation.mssante.fr", True),
        ("155029999999945@patient.mssante.fr", False),  # another person's mailbox
        ("279035121518989@example.org", False),
    ],
)
def test_the_patient_is_mailed_at_the_own_matricule_only(address: str, taken: bool) -> None:
    named = recipient(address, kind=RecipientKind.PATIENT)
    decision = decided(message(context=replace(CONTEXT, recipients=(named,))))
    made = decision.plan[-1].recipient
    assert made is not None
    assert made.address == (address if taken else "279035121518989@patient.mssante.fr")
    assert rows(decision) == QUALIFIED  # and the professionals are those of the report


def test_a_requester_known_by_name_only_waits_for_a_mailbox() -> None:
    named = Practitioner(family="DUPONT", given="Alain")
    decision = decided(message(requester=named, attending=None, copies_to=()))
    assert rows(decision)[2] == ("mssante-ps", "blocked", "MAILBOX-UNKNOWN")
