"""The identity feed: what an event makes of the known records, and what a record does to a report
(REQ-11, REQ-12, REQ-17; RNIV: the identity domain is the master, a report its copy).

A record is applied to a report only when both agree on who the patient is: a number alone is no identity.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from gateway.model.base import replace
from gateway.model.findings import Finding, finding
from gateway.model.identity import FeedAction, IdentityEvent, IdentityRecord
from gateway.model.people import IdentityStatus, Patient
from gateway.model.submission import Mapped, Provenance
from gateway.model.terms import Identifier
from gateway.rules import identity
from gateway.rules.persons import disagreements, recognisable
from gateway.rules.places import locate

Lookup = Callable[[Identifier], IdentityRecord | None]
"""What is known under one identifier of the site."""

TRAITS = (
    "birth_family",
    "birth_given",
    "birth_given_names",
    "birth_date",
    "sex",
    "birth_place_code",
    "birth_place_name",
)
CONTACTS = ("used_family", "used_given", "address", "telecoms", "guardians")
_HOPS = 8
"""Longest chain of merges that is followed."""
_RULE = "identity feed"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


# --- what an event makes of the records


def records(event: IdentityEvent, known: Lookup) -> tuple[IdentityRecord, ...]:
    """The records that `event` makes or changes; each key once, the patient's own first."""
    own = tuple(_renewed(known(key), key, event) for key in keys(event.patient))
    if event.action is FeedAction.UPDATE:
        return own
    if event.action is FeedAction.UNLINK:
        return (*own, *_parted(event, known, own))
    # The survivor speaks for itself, even if it was merged before: else two merges could make a circle.
    survivors = tuple(
        one if late(event, known(one.key)) else replace(one, merged_into=None, linked=False) for one in own
    )
    return (*survivors, *(_led(_known(known, key), key, event) for key in event.prior))


def _led(record: IdentityRecord, key: Identifier, event: IdentityEvent) -> IdentityRecord:
    """The record of a prior identifier, which leads to the survivor. A merge is for good: only one that is
    newer stands against it; against a link, anything that is newer."""
    linked = event.action is FeedAction.LINK
    if late(event, record) and (linked or record.merged_into is not None):
        return record
    said = max(filter(None, (event.said_at, record.said_at)), default=None)
    return replace(record, merged_into=_survivor(key, event), linked=linked, said_at=said)


def late(event: IdentityEvent, record: IdentityRecord | None) -> bool:
    """A newer event has spoken of this record before: a queue was emptied in the wrong order."""
    known = record.said_at if record is not None else None
    return known is not None and event.said_at is not None and event.said_at < known


def keys(patient: Patient) -> tuple[Identifier, ...]:
    """The identifiers under which a patient is known: local ones first, then the matricule."""
    ins = (patient.ins,) if patient.ins is not None else ()
    return tuple(dict.fromkeys((*patient.identifiers, *ins)))


def _known(known: Lookup, key: Identifier) -> IdentityRecord:
    return known(key) or IdentityRecord(key=key, patient=Patient(identifiers=(key,)))


def _survivor(key: Identifier, event: IdentityEvent) -> Identifier:
    """The identifier of the same authority, else the first one."""
    every = keys(event.patient)
    return next((one for one in every if one.system == key.system), every[0])


def _parted(
    event: IdentityEvent, known: Lookup, own: tuple[IdentityRecord, ...]
) -> tuple[IdentityRecord, ...]:
    """Records of the second patient that a link (A24) had led to the first; merges stay."""
    ours = {one.key for one in own}
    return tuple(
        replace(one, merged_into=None, linked=False, said_at=event.said_at or one.said_at)
        for key in event.prior
        if (one := known(key)) is not None and one.linked and one.merged_into in ours and not late(event, one)
    )


def _renewed(old: IdentityRecord | None, key: Identifier, event: IdentityEvent) -> IdentityRecord:
    """The record after `event`: an empty field says nothing, a stated status (PID-32) says all."""
    new = event.patient
    if old is None:
        first = replace(new, identity_status=_status(new, event.marks)) if event.marks else new
        return IdentityRecord(
            key=key, patient=first, marks=event.marks, opposed=event.opposed, said_at=event.said_at
        )
    if late(event, old):
        return old
    opposed = old.opposed if event.opposed is None else event.opposed
    changes = {name: getattr(new, name) or getattr(old.patient, name) for name in (*TRAITS, *CONTACTS)}
    ins = new.ins if event.marks else new.ins or old.patient.ins
    whole = replace(new, **changes, ins=ins, identifiers=new.identifiers or old.patient.identifiers)
    if event.marks:
        marks = event.marks
    else:
        same = ins == old.patient.ins and not any(
            getattr(whole, name) != getattr(old.patient, name)
            for name in TRAITS
            if getattr(old.patient, name)
        )
        marks = old.marks if same else ()  # another identity than the one that was qualified
    return replace(
        old,
        patient=replace(whole, identity_status=_status(whole, marks)),
        marks=marks,
        opposed=opposed,
        said_at=event.said_at or old.said_at,
    )


def _status(patient: Patient, marks: tuple[str, ...]) -> IdentityStatus:
    return identity.status(
        code=marks[0] if marks else "",
        system=identity.HL7_0445,
        has_ins=patient.ins is not None,
        traits_complete=not identity.traits(patient),
        flags=marks[1:],
    )


# --- what a record does to a report


def resolve(patient: Patient, known: Lookup) -> IdentityRecord | None:
    """The record that speaks for `patient`, over merges and links: that of the first known identifier.

    Opposition is asked under every identifier, since it may have been told under another one: of each chain
    the last that says anything, of these the newest.
    """
    chains = [chain for key in keys(patient) if (chain := tuple(_chain(key, known)))]
    if not chains:
        return None
    said = (next((one for one in reversed(chain) if one.opposed is not None), None) for chain in chains)
    newest = max(filter(None, said), key=_spoken, default=None)
    return replace(chains[0][-1], opposed=newest.opposed if newest is not None else None)


def _spoken(record: IdentityRecord) -> tuple[datetime, bool]:
    """When; of two at the same time the one that forbids counts."""
    return record.said_at or _LONG_AGO, bool(record.opposed)


def _chain(key: Identifier, known: Lookup) -> Iterator[IdentityRecord]:
    for _ in range(_HOPS):
        record = known(key)
        if record is None:
            return
        yield record
        if record.merged_into is None:
            return
        key = record.merged_into


def identified(mapped: Mapped, known: Lookup) -> Mapped:
    """`mapped` with the patient as the feed knows him, and with what the feed forbids.

    IDENTITY-CONFLICT when both disagree on who it is; DMP-OPPOSED when the patient does not want the DMP fed.
    The report of a received CDA keeps its patient: that document is not ours to change.
    """
    report = mapped.report
    record = resolve(report.patient, known) if report is not None else None
    if report is None or record is None:
        return mapped
    found: list[Finding] = []
    changed: Patient = report.patient
    provenance: tuple[Provenance, ...] = ()
    if against := disagreements(report.patient, record.patient):
        place = locate(mapped.provenance, "patient")
        found.append(finding("IDENTITY-CONFLICT", place, ", ".join(against)))
    elif not mapped.context.received_document:
        changed, provenance = _applied(report.patient, record)
    if record.opposed:
        found.append(finding("DMP-OPPOSED", locate(mapped.provenance, "patient.identifiers")))
    if changed == report.patient and not found:
        return mapped
    return replace(
        mapped,
        report=replace(report, patient=changed),
        trace=mapped.also_from(*provenance),
        findings=(*mapped.findings, *found),
    )


def _applied(patient: Patient, record: IdentityRecord) -> tuple[Patient, tuple[Provenance, ...]]:
    """The feed raises an identity, renames a merged one, and takes back what is doubtful; a qualified
    identity of the report is never weakened by a record that merely knows less."""
    changes: dict[str, object] = {}
    known = record.patient
    if not recognisable(patient) or not recognisable(known):
        return patient, ()
    if known.qualified:
        names = (*TRAITS, "ins", "identity_status")
        changes = {name: value for name in names if (value := getattr(known, name))}
    elif patient.qualified and set(record.marks) & (identity.DOUBTFUL | identity.CONTESTED):
        changes = {"identity_status": _status(patient, record.marks)}
    elif not patient.qualified:
        changes = {
            name: value for name in TRAITS if not getattr(patient, name) and (value := getattr(known, name))
        }
    changes |= {
        name: value for name in CONTACTS if not getattr(patient, name) and (value := getattr(known, name))
    }
    numbers = _numbers(patient, record)
    if numbers != patient.identifiers:
        changes["identifiers"] = numbers
    changes = {name: value for name, value in changes.items() if value != getattr(patient, name)}
    if not changes:
        return patient, ()
    made = tuple(Provenance(path=f"patient.{name}", rule=_RULE) for name in changes)
    return replace(patient, **changes), made


def _numbers(patient: Patient, record: IdentityRecord) -> tuple[Identifier, ...]:
    """The patient's own numbers; in place of one that was merged away, that of the survivor."""
    if record.key in keys(patient):
        return patient.identifiers
    systems = {one.system for one in record.patient.identifiers}
    kept = tuple(one for one in patient.identifiers if one.system not in systems)
    return tuple(dict.fromkeys((*record.patient.identifiers, *kept)))
