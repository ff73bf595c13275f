"""Orders and identities at intake: what they complete in a report, and what an identity event releases.

Pure functions over what the store knows; they run inside the commit.
"""

from collections.abc import Callable
from typing import NamedTuple

from gateway.model.base import replace
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.findings import Finding, finding
from gateway.model.identity import IdentityEvent, IdentityRecord, KeptReport
from gateway.model.order import ImagingOrder, MappedOrder, order_keys
from gateway.model.site import Site
from gateway.model.submission import Mapped
from gateway.model.terms import Identifier
from gateway.ports import DeliveryChange, Known, OrderEntry, Settled
from gateway.rules import merge
from gateway.rules.join import complete, late, renewed, report_keys
from gateway.rules.places import locate
from gateway.rules.plan import IDENTITY_REASONS

Settle = Callable[[Mapped], Settled]
"""Decides over a completed report."""
Planned = Callable[[Mapped], dict[Destination, str]]
"""Destination → why the plan of a report blocks it for its identity, "" when it does not."""

_UNSENT = frozenset(
    {
        DeliveryState.PLANNED,
        DeliveryState.PENDING,
        DeliveryState.WAITING,
        DeliveryState.FAILED,
        DeliveryState.AMBIGUOUS,
    }
)
"""States in which it has not left, or may yet leave again."""


def completed(mapped: Mapped, site: str, known: Known) -> Mapped:
    """`mapped` with what its orders and the identity feed know; the same object when they know nothing.

    A received CDA is not ours to complete: only what the feed forbids counts there.
    """
    report = mapped.report
    if report is None:
        return mapped
    ours = not mapped.context.received_document
    if ours and known.has_orders(site) and (orders := known.orders(site, report_keys(report))):
        guessed = any(one.code == "ACCESSION-GUESSED" for one in mapped.findings)
        joined = complete(report, orders, guessed=guessed)
        kept = tuple(one for one in mapped.findings if one.code not in joined.cured)
        mapped = replace(
            mapped,
            report=joined.report,
            trace=mapped.also_from(*joined.provenance),
            findings=(*kept, *joined.findings),
        )
    if not known.has_identities(site):
        return mapped
    return merge.identified(mapped, lambda key: known.identity(site, key))


def order_entry(
    mapped: MappedOrder, order: ImagingOrder, site: str, known: Known
) -> tuple[OrderEntry, tuple[Finding, ...]]:
    """The `order` of `mapped` as it is after its message: new, or the next version of a known one; and what
    there is to say of it."""
    before = next(iter(known.orders(site, order_keys(order))), None)
    earlier = before.order if before is not None else None
    found = (finding("ORDER-LATE", locate(mapped.provenance, "said_at")),) if late(earlier, order) else ()
    entry = OrderEntry(
        order=renewed(earlier, order),
        order_id=before.order_id if before is not None else 0,
        control=mapped.control,
        provenance=mapped.provenance,
        coverage=mapped.coverage,
    )
    return entry, found


class Spoken(NamedTuple):
    """What an identity event has for consequences."""

    records: tuple[IdentityRecord, ...]
    reports: tuple[Settled, ...]
    changes: tuple[DeliveryChange, ...]
    findings: tuple[Finding, ...]


def speak(event: IdentityEvent, site: Site, known: Known, settle: Settle, planned: Planned) -> Spoken:
    """Records after the event; a new version of every report that it releases; deliveries it stops or frees.

    A report goes out again only when a delivery that waited for its identity can go: then the header of the
    document has changed, so every destination gets the new version, the professionals as a replacement.
    What was delivered with another identity is not sent again.
    """
    records = merge.records(event, lambda key: known.identity(site.name, key))
    after = {one.key: one for one in records}

    def lookup(key: Identifier) -> IdentityRecord | None:
        return after.get(key) or known.identity(site.name, key)

    reports: list[Settled] = []
    changes: list[DeliveryChange] = []
    named = (*merge.keys(event.patient), *event.prior)
    for kept in known.waiting(site.name, named):
        mapped = merge.identified(_again(kept), lookup)
        released = _released(kept, settle(mapped))
        if released is not None:
            reports.append(released)
        else:
            changes += _changes(kept, planned(mapped), unchanged=mapped.report == kept.report)
    found = tuple(finding("IDENTITY-RELEASED", "PID-3") for _ in reports)
    if any(merge.late(event, known.identity(site.name, key)) for key in named):
        found = (finding("IDENTITY-LATE", "EVN-2"), *found)
    return Spoken(records, tuple(reports), tuple(changes), found)


def _again(kept: KeptReport) -> Mapped:
    return Mapped(report=kept.report, context=kept.context, trace=kept.trace)


def _waits(kept: KeptReport) -> set[Destination]:
    """Destinations that wait for the identity, or will unless they arrive."""
    return {one.destination for one in kept.deliveries if one.reason in IDENTITY_REASONS}


def _released(kept: KeptReport, settled: Settled) -> Settled | None:
    """The new version, when it frees at least one delivery that waits; else there is no reason for it."""
    if settled.identity is None:
        return None
    waits = _waits(kept)
    free = any(
        row.destination in waits and row.reason not in IDENTITY_REASONS for row in settled.decision.plan
    )
    return settled if free else None


def _changes(kept: KeptReport, reasons: dict[Destination, str], *, unchanged: bool) -> list[DeliveryChange]:
    """Block what the feed forbids now; let go what it allows again, when the document stays as it is."""
    made: dict[DeliveryChange, None] = {}
    for one in kept.deliveries:
        reason = reasons.get(one.destination, "")
        if one.state in _UNSENT and reason:
            made[_change(kept, one.destination, reason, block=True)] = None
        elif one.destination in _waits(kept) and unchanged and not reason and one.destination in reasons:
            made[_change(kept, one.destination, one.reason, block=False)] = None
    return list(made)


def _change(kept: KeptReport, destination: Destination, reason: str, *, block: bool) -> DeliveryChange:
    return DeliveryChange(report_id=kept.report_id, destination=destination, reason=reason, block=block)
