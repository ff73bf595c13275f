"""Orders fill what a report lacks, and nothing else."""

from datetime import UTC, datetime

import pytest

from gateway.model.base import replace
from gateway.model.imaging import AdministeredProduct, ContraIndication
from gateway.model.order import ImagingOrder, KnownOrder, OrderStatus, keys, order_keys
from gateway.model.people import Practitioner
from gateway.model.report import Act, ImagingReport, OrderReference
from gateway.model.terms import Code, Identifier
from gateway.rules.join import complete, late, renewed, report_keys
from tests.reports import PATIENT, REPORT

DUPONT = Practitioner(id="801234567897", family="DUPONT", given="Alain")
COPY = Practitioner(id="801234560801", family="BIDEAULT", given="Jacques")
PLACER, FILLER = Identifier(value="P1", system="1.2.3"), Identifier(value="F1", system="1.2.4")
ACCESSION, STUDY = Identifier(value="A1", system="1.2.5"), "1.2.250.1.925.27.1"

BARE = replace(
    REPORT,
    requester=None,
    attending=None,
    copies_to=(),
    orders=(OrderReference(filler=FILLER),),
    acts=(Act(label="Scanner", modalities=(Code(code="CT"),)),),
    studies=(),
)
ORDER = ImagingOrder(
    status=OrderStatus.REQUESTED,
    patient=PATIENT,
    placer=PLACER,
    filler=FILLER,
    accession=ACCESSION,
    acts=(Act(study_uid=STUDY),),
    requester=DUPONT,
    attending=COPY,
    copies_to=(COPY,),
    reason="Céphalées",
)


def known(order: ImagingOrder = ORDER, number: int = 1) -> KnownOrder:
    return KnownOrder(order_id=number, order=order, control_id="ORD-1")


def joined(report: ImagingReport = BARE, *orders: KnownOrder) -> ImagingReport:
    return complete(report, orders or (known(),)).report


def test_the_patients_state_and_what_was_given_but_neither_site_nor_side() -> None:
    right = Code(code="24028007")
    told = replace(
        ORDER,
        acts=(
            Act(
                products=(AdministeredProduct(label="Iobitridol"),), sites=(Code(code="1"),), laterality=right
            ),
        ),
        pregnancy=Code(code="60001007"),
        contraindications=(ContraIndication(comment="Claustrophobe"),),
    )
    done = complete(BARE, (known(told),))
    (act,) = done.report.acts
    assert [one.label for one in act.products] == ["Iobitridol"]
    assert (act.sites, act.laterality) == ((), None)
    assert done.report.pregnancy == Code(code="60001007")
    assert [one.comment for one in done.report.contraindications] == ["Claustrophobe"]
    assert {"pregnancy", "contraindications", "acts[0].products"} <= {one.path for one in done.provenance}


def test_everything_that_an_order_may_fill() -> None:
    done = complete(BARE, (known(),))
    report = done.report
    assert (report.requester, report.attending, report.copies_to) == (DUPONT, COPY, (COPY,))
    assert report.orders == (
        OrderReference(placer=PLACER, filler=FILLER, accession=ACCESSION, reason="Céphalées"),
    )
    assert (report.acts[0].study_uid, report.acts[0].accession) == (STUDY, ACCESSION)
    assert [(one.uid, one.accession, one.modalities) for one in report.studies] == [
        (STUDY, ACCESSION, ("CT",))
    ]
    assert {one.path for one in done.provenance} == {
        "requester",
        "attending",
        "copies_to",
        "orders[0].placer",
        "orders[0].accession",
        "orders[0].reason",
        "acts[0].study_uid",
        "studies[0].uid",
    }
    assert {one.rule for one in done.provenance} == {"order of message ORD-1"}


def test_what_the_report_says_stays() -> None:
    own = replace(
        BARE,
        requester=COPY,
        attending=DUPONT,
        copies_to=(DUPONT,),
        orders=(OrderReference(placer=PLACER, filler=FILLER, accession=FILLER, reason="Vertiges"),),
        acts=(Act(study_uid="1.2.3.4", accession=FILLER),),
    )
    done = complete(own, (known(),))
    assert done.report == own
    assert done.provenance == ()


@pytest.mark.parametrize("status", [one for one in OrderStatus if not one.alive])
def test_an_order_that_is_no_more_tells_nothing(status: OrderStatus) -> None:
    assert joined(BARE, known(replace(ORDER, status=status))) == BARE


def test_an_order_about_another_person_is_said_and_left() -> None:
    other = replace(ORDER, patient=replace(PATIENT, birth_date="1961-01-01"))
    done = complete(BARE, (known(other),))
    assert done.report == BARE
    assert [(one.code, one.detail) for one in done.findings] == [("ORDER-PATIENT-MISMATCH", "birth date")]


def test_a_requester_without_number_gets_that_of_the_same_person_only() -> None:
    assert joined(replace(BARE, requester=Practitioner(family="Dupont"))).requester == DUPONT
    martin = Practitioner(family="MARTIN")
    assert joined(replace(BARE, requester=martin)).requester == martin


def test_a_guessed_accession_number_gives_way_to_that_of_the_order() -> None:
    guessed = replace(
        BARE, orders=(OrderReference(filler=FILLER, accession=FILLER),), acts=(Act(accession=FILLER),)
    )
    done = complete(guessed, (known(),), guessed=True)
    assert done.report.orders[0].accession == ACCESSION
    assert done.report.acts[0].accession == ACCESSION
    assert done.cured == {"ACCESSION-GUESSED"}
    assert complete(guessed, (known(),)).report.orders[0].accession == FILLER


def test_each_of_several_orders_fills_its_own_reference() -> None:
    second = replace(
        ORDER,
        placer=None,
        filler=COPIED,
        accession=Identifier(value="A2"),
        acts=(Act(study_uid="1.2.9"),),
        reason="Toux",
    )
    report = replace(
        BARE,
        orders=(OrderReference(filler=FILLER), OrderReference(filler=COPIED)),
        acts=(Act(accession=ACCESSION), Act(accession=Identifier(value="A2"))),
    )
    done = joined(report, known(), known(second, 2))
    assert [one.reason for one in done.orders] == ["Céphalées", "Toux"]
    assert [one.study_uid for one in done.acts] == [STUDY, "1.2.9"]


COPIED = Identifier(value="F2", system="1.2.4")


def test_a_report_without_any_number_is_found_by_its_study() -> None:
    report = replace(BARE, orders=(), acts=(Act(study_uid=STUDY),))
    assert set(report_keys(report)) & set(order_keys(ORDER)) == {f"study:{STUDY}"}
    assert joined(report).orders == (
        OrderReference(placer=PLACER, filler=FILLER, accession=ACCESSION, reason="Céphalées"),
    )


def test_numbers_of_other_authorities_are_other_names() -> None:
    other = Identifier(value="P1", system="9.9")
    assert not set(keys(other, None, None)) & set(order_keys(ORDER))


def test_a_later_message_keeps_what_it_does_not_say() -> None:
    cancel = ImagingOrder(
        status=OrderStatus.CANCELLED, patient=PATIENT, placer=PLACER, cancellation="Patient reparti"
    )
    found = renewed(ORDER, cancel)
    assert (found.status, found.cancellation) == (OrderStatus.CANCELLED, "Patient reparti")
    assert (found.requester, found.acts, found.accession) == (DUPONT, ORDER.acts, ACCESSION)
    assert renewed(None, cancel) == cancel


def test_a_later_message_completes_the_act() -> None:
    later = replace(ORDER, acts=(Act(label="IRM"),), reason="Vertiges")
    found = renewed(ORDER, later)
    assert (found.acts[0].label, found.acts[0].study_uid, found.reason) == ("IRM", STUDY, "Vertiges")


def test_an_older_message_only_fills_what_nobody_has_said() -> None:
    """The queue of a restarted EAI: NW of ten o'clock behind CM of eleven."""
    done = replace(
        ORDER, status=OrderStatus.COMPLETED, said_at=datetime(2026, 1, 5, 11, tzinfo=UTC), reason=""
    )
    asked = replace(ORDER, said_at=datetime(2026, 1, 5, 10, tzinfo=UTC), question="Hémorragie ?")
    found = renewed(done, asked)
    assert (found.status, found.said_at) == (OrderStatus.COMPLETED, done.said_at)
    assert (found.reason, found.question) == (ORDER.reason, "Hémorragie ?")
    assert late(done, asked)
    assert not late(asked, done)


@pytest.mark.parametrize("moment", [None, datetime(2026, 1, 5, 11, tzinfo=UTC)])
def test_a_message_of_the_same_or_no_time_is_not_late(moment: datetime | None) -> None:
    known = replace(ORDER, said_at=datetime(2026, 1, 5, 11, tzinfo=UTC))
    assert renewed(known, replace(ORDER, status=OrderStatus.CANCELLED, said_at=moment)).status == (
        OrderStatus.CANCELLED
    )
