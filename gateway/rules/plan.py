"""The destination plan: deliveries owed to a report version, and which must wait (REQ-12, 35, 47, 49).

One row per destination and recipient, always in a state: PLANNED, BLOCKED (curable, `reason` names the
finding) or WITHHELD (the patient learns from a physician first). Images and ZAM are planned with their own
transactions, not here.
"""

from collections.abc import Iterator

from gateway.model.base import Value, replace
from gateway.model.decision import PlannedDelivery
from gateway.model.delivery import DeliveryState, Destination
from gateway.model.findings import Finding, finding
from gateway.model.people import Practitioner
from gateway.model.report import ImagingReport
from gateway.model.site import Site
from gateway.model.submission import Action, Mapped, Recipient, RecipientKind
from gateway.mssante.address import patient_address, trusted
from gateway.rules.places import locate, placed

IDENTITY_REASONS = frozenset({"INS-NOT-QUALIFIED", "IDENTITY-CONFLICT", "DMP-OPPOSED"})
"""Reasons of blocked deliveries that the identity feed cures."""


class Plan(Value):
    """Rows of the ledger to write, and what they have to say."""

    rows: tuple[PlannedDelivery, ...] = ()
    findings: tuple[Finding, ...] = ()


def make(mapped: Mapped, *, enabled: frozenset[Destination], site: Site, action: Action) -> Plan:
    """The plan of a validated report; `mapped.report` must not be None.

    Destinations that are not enabled, or that the sender switched off (DESTDMP = N…), get no row.
    """
    report = mapped.report
    if report is None:
        raise ValueError("a message without report has no plan")
    flags = mapped.context.flags
    rows: list[PlannedDelivery] = []
    found: list[Finding] = []
    if Destination.FOLDER in enabled:
        rows.append(PlannedDelivery(destination=Destination.FOLDER, action=action))
    if Destination.DMP in enabled and flags.to_dmp is not False:
        rows.append(_gated(report, PlannedDelivery(destination=Destination.DMP, action=action)))
    if Destination.MSSANTE_PS in enabled and flags.to_professionals is not False:
        for recipient, path in _professionals(mapped, report, site):
            row, problem = _mail(recipient, path, action, site)
            rows.append(row)
            found.extend(placed(problem, mapped))
    # Beside INVISIBLE_PATIENT the volet demands DESTMSSANTEPAT = N: the mail is owed after the announcement.
    # That of a received document is its creator's next message.
    announced_here = flags.invisible_patient and not mapped.context.received_document
    if Destination.MSSANTE_PATIENT in enabled and (flags.to_patient is not False or announced_here):
        rows.append(_patient(mapped, report, action, site))
    rows = _halted(rows, {one.code for one in mapped.findings})
    if any(row.reason == "INS-NOT-QUALIFIED" for row in rows):
        place = locate(mapped.provenance, "patient.identity_status")
        found.insert(0, finding("INS-NOT-QUALIFIED", place, f"status {report.patient.identity_status}"))
    if any(row.reason == "AWAITING-ANNOUNCEMENT" for row in rows):
        found.append(finding("AWAITING-ANNOUNCEMENT", locate(mapped.provenance, "context.flags")))
    return Plan(rows=tuple(rows), findings=tuple(found))


def _halted(rows: list[PlannedDelivery], said: set[str]) -> list[PlannedDelivery]:
    """What the identity feed forbids: with IDENTITY-CONFLICT all but the folder, since nobody knows whose
    report it is; with DMP-OPPOSED the DMP."""

    def stops(row: PlannedDelivery) -> str:
        if "IDENTITY-CONFLICT" in said and row.destination is not Destination.FOLDER:
            return "IDENTITY-CONFLICT"
        opposed = "DMP-OPPOSED" in said and row.destination is Destination.DMP
        return "DMP-OPPOSED" if opposed and row.state is DeliveryState.PLANNED else ""

    return [
        replace(row, state=DeliveryState.BLOCKED, reason=reason) if (reason := stops(row)) else row
        for row in rows
    ]


def _gated(report: ImagingReport, row: PlannedDelivery) -> PlannedDelivery:
    """Blocked until the identity is qualified: DMP and patient only (architecture decision 15)."""
    if report.patient.qualified and report.patient.ins is not None:
        return row
    return replace(row, state=DeliveryState.BLOCKED, reason="INS-NOT-QUALIFIED")


def _mail(
    recipient: Recipient, path: str, action: Action, site: Site
) -> tuple[PlannedDelivery, tuple[Finding, ...]]:
    row = PlannedDelivery(destination=Destination.MSSANTE_PS, action=action, recipient=recipient)
    reason = (
        "MAILBOX-UNKNOWN"
        if not recipient.address
        else ""
        if trusted(recipient.address, site)
        else "MAILBOX-UNTRUSTED"
    )
    if not reason:
        return row, ()
    return replace(row, state=DeliveryState.BLOCKED, reason=reason), (finding(reason, path),)


def _professionals(mapped: Mapped, report: ImagingReport, site: Site) -> Iterator[tuple[Recipient, str]]:
    """Recipients and their canonical paths: those that the message names (PRT RCT), else requester, médecin
    traitant and copies. Nobody twice."""
    named = [
        (_addressed(one, site), f"context.recipients[{index}]")
        for index, one in enumerate(mapped.context.recipients)
        if one.kind is not RecipientKind.PATIENT
    ] or [
        (_from_practitioner(one, site), path) for path, one in _correspondents(report) if one.id or one.family
    ]
    seen: set[str] = set()
    for recipient, path in named:
        name = recipient.address.lower() or recipient.id or recipient.name
        if name not in seen:
            seen.add(name)
            yield recipient, path


def _correspondents(report: ImagingReport) -> Iterator[tuple[str, Practitioner]]:
    if report.requester is not None:
        yield "requester", report.requester
    if report.attending is not None:
        yield "attending", report.attending
    for index, copy in enumerate(report.copies_to):
        yield f"copies_to[{index}]", copy


def _addressed(recipient: Recipient, site: Site) -> Recipient:
    return recipient if recipient.address else replace(recipient, address=_lookup(recipient.id, site))


def _from_practitioner(person: Practitioner, site: Site) -> Recipient:
    """The directory of the profile first; else a mailbox that the message gives, when it is a trusted one."""
    address = _lookup(person.id, site) or next(
        (
            telecom.value.removeprefix("mailto:")
            for telecom in person.telecoms
            if telecom.value.startswith("mailto:") and trusted(telecom.value.removeprefix("mailto:"), site)
        ),
        "",
    )
    name = " ".join(part for part in (person.suffix, person.given, person.family) if part)
    return Recipient(kind=RecipientKind.PROFESSIONAL, id=person.id, name=name, address=address)


def _lookup(identifier: str, site: Site) -> str:
    """Mailbox of a PS_IdNat or Struct_IdNat in the profile's directory, which may name the bare RPPS."""
    if not identifier:
        return ""
    names = {identifier, identifier[1:] if identifier[0] == "8" and len(identifier) == 12 else identifier}
    return next((address for known, address in site.directory if known in names), "")


def _patient(mapped: Mapped, report: ImagingReport, action: Action, site: Site) -> PlannedDelivery:
    """The patient's mail: sent by default since 31/12/2022 (arrêté du 26/04/2022), flag or not.

    The address follows from the matricule alone; one that the message names (PRT RCT) is taken only when it
    is that of the same matricule in a trusted domain: another would be another person's mailbox.
    """
    ins = report.patient.ins.value if report.patient.ins is not None else ""
    named = (one.address for one in mapped.context.recipients if one.kind is RecipientKind.PATIENT)
    own = (address for address in named if address.rpartition("@")[0] == ins and trusted(address, site))
    recipient = Recipient(
        kind=RecipientKind.PATIENT,
        id=ins,
        address=next(own, patient_address(ins)) if ins and report.patient.qualified else "",
    )
    row = _gated(
        report,
        PlannedDelivery(destination=Destination.MSSANTE_PATIENT, action=action, recipient=recipient),
    )
    if row.state is DeliveryState.PLANNED and mapped.context.flags.invisible_patient:
        return replace(row, state=DeliveryState.WITHHELD, reason="AWAITING-ANNOUNCEMENT")
    return row
