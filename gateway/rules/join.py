"""A report and the orders it answers: the orders fill what the report lacks, and nothing else (REQ-64).

An order that comes after its report is joined to later versions only: what was decided stays decided.
"""

from typing import NamedTuple

from gateway.model.base import V, replace
from gateway.model.findings import Finding, finding
from gateway.model.order import ImagingOrder, KnownOrder, keys, order_keys
from gateway.model.people import Practitioner
from gateway.model.report import Act, ImagingReport, ImagingStudy, OrderReference
from gateway.model.submission import Provenance
from gateway.model.terms import Identifier
from gateway.rules.persons import disagreements, fold

_STATE = ("pregnancy", "contraindications", "devices")
_GIVEN = ("products", "radiopharmaceuticals", "exposure")
"""What was given is told after the exam (téléradiologie flux 4). Site and side are not taken: what was asked
for need not be what was done."""
_NUMBERS = ("placer", "filler", "accession", "requested_at", "reason", "reasons")


class Joined(NamedTuple):
    """`provenance` are the entries to add; `cured` the finding codes that the orders made untrue."""

    report: ImagingReport
    provenance: tuple[Provenance, ...] = ()
    findings: tuple[Finding, ...] = ()
    cured: frozenset[str] = frozenset()


def report_keys(report: ImagingReport) -> tuple[str, ...]:
    """The names under which the orders of a report may be known, the surest first."""
    own = (key for one in report.orders for key in keys(one.placer, one.filler, one.accession))
    acts = (
        key
        for act in report.acts
        for key in keys(None, None, act.accession, (act.study_uid,) if act.study_uid else ())
    )
    return tuple(dict.fromkeys((*own, *acts)))


def complete(report: ImagingReport, orders: tuple[KnownOrder, ...], *, guessed: bool = False) -> Joined:
    """`report` with what it lacks from `orders`: who asked, why, for whom copies are, numbers, study,
    pregnancy and contra-indications, products given.

    Cancelled orders tell nothing. `guessed`: the accession number of the report is one that mapping guessed,
    which an order corrects. An order about somebody else is ORDER-PATIENT-MISMATCH, and left.
    """
    made: list[Provenance] = []
    found: list[Finding] = []
    cured: set[str] = set()
    alive = [one for one in orders if one.order.status.alive]
    for one in alive:
        against = disagreements(report.patient, one.order.patient)
        if against:
            found.append(finding("ORDER-PATIENT-MISMATCH", "orders", ", ".join(against)))
            continue
        rule = f"order of message {one.control_id}"
        if guessed and one.order.accession is not None:
            report = _corrected(report, one.order.accession)
            cured.add("ACCESSION-GUESSED")
        steps = (_people, _numbers, _exam, _study if len(alive) == 1 else _study_of_accession)
        for step in steps:
            paths, report = step(report, one.order)
            made.extend(Provenance(path=path, rule=rule) for path in paths)
    return Joined(report, tuple(made), tuple(found), frozenset(cured))


Change = tuple[tuple[str, ...], ImagingReport]
"""(canonical paths that were filled, report)."""


def _people(report: ImagingReport, order: ImagingOrder) -> Change:
    changes: dict[str, object] = {}
    if order.requester is not None and _unknown(report.requester, order.requester):
        changes["requester"] = order.requester
    if report.attending is None and order.attending is not None:
        changes["attending"] = order.attending
    if not report.copies_to and order.copies_to:
        changes["copies_to"] = order.copies_to
    return tuple(changes), replace(report, **changes) if changes else report


def _exam(report: ImagingReport, order: ImagingOrder) -> Change:
    """What the order says of the patient, and of its one act that the one act of the report does not say."""
    changes: dict[str, object] = {
        name: value for name in _STATE if not getattr(report, name) and (value := getattr(order, name))
    }
    paths = list(changes)
    if len(report.acts) == len(order.acts) == 1:
        (act,), (asked,) = report.acts, order.acts
        given = {name: value for name in _GIVEN if not getattr(act, name) and (value := getattr(asked, name))}
        if given:
            changes["acts"] = (replace(act, **given),)
            paths += [f"acts[0].{name}" for name in given]
    return tuple(paths), replace(report, **changes) if changes else report


def _unknown(named: Practitioner | None, ordering: Practitioner) -> bool:
    """Nobody is named, or the one whom the order names with his national number."""
    if named is None or not (named.id or named.family):
        return True
    return not named.id and bool(ordering.id) and fold(named.family) == fold(ordering.family)


def _numbers(report: ImagingReport, order: ImagingOrder) -> Change:
    place = _reference(report, order)
    known = report.orders[place] if place < len(report.orders) else OrderReference()
    changes = {
        name: value for name in _NUMBERS if not getattr(known, name) and (value := getattr(order, name))
    }
    if not changes:
        return (), report
    filled = replace(known, **changes)
    paths = tuple(f"orders[{place}].{name}" for name in changes)
    made = (*report.orders[:place], filled, *report.orders[place + 1 :])
    acts = report.acts
    if "accession" in changes and len(report.orders) <= 1:
        acts = tuple(act if act.accession else replace(act, accession=filled.accession) for act in acts)
    return paths, replace(report, orders=made, acts=acts)


def _reference(report: ImagingReport, order: ImagingOrder) -> int:
    """The reference that shares a number with the order; the only one of a report; else a new one."""
    named = set(order_keys(order))
    for place, one in enumerate(report.orders):
        if named & set(keys(one.placer, one.filler, one.accession)):
            return place
    return 0 if len(report.orders) == 1 else len(report.orders)


def _study_of_accession(report: ImagingReport, order: ImagingOrder) -> Change:
    return _study(report, order, only=False)


def _study(report: ImagingReport, order: ImagingOrder, *, only: bool = True) -> Change:
    """The one study of the order, for acts without study: all of them, or those of its accession number."""
    if len(order.study_uids) != 1:
        return (), report
    (uid,) = order.study_uids
    paths: list[str] = []
    acts: list[Act] = []
    for place, act in enumerate(report.acts):
        mine = act.accession is not None and act.accession == order.accession
        if not act.study_uid and (mine or only):
            act = replace(act, study_uid=uid)
            paths.append(f"acts[{place}].study_uid")
        acts.append(act)
    if not paths:
        return (), report
    studies = report.studies
    if all(study.uid != uid for study in studies):
        first = next(act for act in acts if act.study_uid == uid)
        study = ImagingStudy(
            uid=uid,
            accession=first.accession,
            modalities=tuple(one.code for one in first.modalities),
            started=first.start,
        )
        paths.append(f"studies[{len(studies)}].uid")
        studies = (*studies, study)
    return tuple(paths), replace(report, acts=tuple(acts), studies=studies)


def _corrected(report: ImagingReport, accession: Identifier) -> ImagingReport:
    """The order's accession number in place of the one that was guessed for want of any."""
    guesses = {one.accession for one in report.orders}
    return replace(
        report,
        orders=tuple(replace(one, accession=accession) for one in report.orders),
        acts=tuple(
            replace(act, accession=accession) if act.accession in guesses else act for act in report.acts
        ),
        studies=tuple(
            replace(one, accession=accession) if one.accession in guesses else one for one in report.studies
        ),
    )


def late(known: ImagingOrder | None, new: ImagingOrder) -> bool:
    """A queue was emptied in the wrong order: a newer message spoke of this order before."""
    before = known.said_at if known is not None else None
    return before is not None and new.said_at is not None and new.said_at < before


def renewed(known: ImagingOrder | None, new: ImagingOrder) -> ImagingOrder:
    """The order after a further message: what `new` does not say stays as it was known.

    A message older than the one before (`late`) only fills what nobody has said yet.
    """
    if known is None:
        return new
    if late(known, new):
        known, new = new, known
    whole = _overlaid(known, new, ImagingOrder(status=new.status, patient=new.patient))
    return replace(whole, status=new.status, patient=new.patient, acts=_acts(known.acts, new.acts))


def _overlaid(known: V, new: V, empty: V) -> V:
    """`new` with the fields of `known` where it says no more than `empty`."""
    return replace(
        new,
        **{
            one: getattr(known, one)
            for one in new.__struct_fields__
            if getattr(new, one) == getattr(empty, one)
        },
    )


def _acts(known: tuple[Act, ...], new: tuple[Act, ...]) -> tuple[Act, ...]:
    if len(known) != len(new):
        return new or known
    return tuple(_overlaid(before, now, Act()) for before, now in zip(known, new, strict=True))
