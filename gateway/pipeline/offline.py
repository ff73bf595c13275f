"""One message to one artefact, without server or store: what `gateway convert` and `check` do.

The same functions as in intake and production, so what is shown here is what the gateway would do.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway import fhir, hl7v2
from gateway.hl7v2 import volet
from gateway.mapping import fhir as fhir_mapping
from gateway.mapping import hl7 as hl7_mapping
from gateway.mapping.fhir_order import orders as fhir_orders
from gateway.mapping.hl7_adt import identity as identity_event
from gateway.mapping.hl7_adt import is_identity
from gateway.mapping.hl7_documents import carries_cda
from gateway.mapping.hl7_order import is_order, orders
from gateway.mapping.sites import Profile, Sites
from gateway.model.base import replace
from gateway.model.canonical import canonical
from gateway.model.decision import Decision, KnownReport, Verdict
from gateway.model.delivery import Destination
from gateway.model.findings import Finding
from gateway.model.identity import MappedIdentity
from gateway.model.order import ImagingOrder, MappedOrder
from gateway.model.site import CdaLevel, Site
from gateway.model.submission import Mapped, Protocol, SubmissionContext, Trace
from gateway.model.version import DeliveryJob, ReportVersion, VersionIdentity, derive_oid
from gateway.pipeline.deciding import Deciding, Judgement
from gateway.pipeline.identity import identity, set_key
from gateway.pipeline.production import Composed, ProductionError, compose
from gateway.rules import addendum
from gateway.rules.decide import decide

OFFLINE_DESTINATIONS = frozenset(
    {Destination.FOLDER, Destination.DMP, Destination.MSSANTE_PS, Destination.MSSANTE_PATIENT}
)


class InputKind(StrEnum):
    HL7V2 = "hl7v2"
    FHIR = "fhir"


class UnreadableError(Exception):
    """The content is neither HL7 v2 nor FHIR JSON that we can read; `findings` say where it breaks."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(str(found) for found in findings))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Judged:
    """One report of an input with what the gateway would decide about it."""

    mapped: Mapped
    decision: Decision
    version: ReportVersion | None
    """None when the input makes no version (rejected, held)."""
    asked: "Asked | None" = None
    """An order, which is no report, where it can be named."""
    fed: bool = False
    """An order or an identity event: kept, and no report is expected of it."""
    convert_pdf: bool = False
    """What the settings want of a received PDF that is not PDF/A-1."""
    deviations: tuple[Finding, ...] = ()
    """Of a message with a CDA: where it departs from its volet. They decide nothing; in the first report."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as a document of the house that asks (IMG-DA-IMG)."""

    order: ImagingOrder
    identity: VersionIdentity
    site: Site


def recognise(data: bytes) -> InputKind:
    """JSON starts with a brace; everything else goes to the HL7 reader, which says what is wrong."""
    return InputKind.FHIR if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" else InputKind.HL7V2


def judge(
    data: bytes,
    sites: Sites,
    *,
    site: str = "",
    environment: str,
    now: datetime,
    convert_pdf: bool = False,
) -> tuple[Judged, ...]:
    """Read, map and decide as if nothing were known before. Raises UnreadableError, KeyError (site).

    `convert_pdf`: the policy for a received PDF, as in `production.compose`.
    """
    if recognise(data) is InputKind.FHIR:
        bundle, profile = _bundle(data, sites, site)
        deviations = bundle.faults
        if bundle.requests:
            context = _context(Protocol.FHIR, profile, f"Bundle/{bundle.kind}".rstrip("/"))
            return _ordered(fhir_orders(bundle, profile), context, profile, environment, now, deviations)
        mapped = fhir_mapping.reports(bundle, profile)
    else:
        message, profile = _message(data, sites, site)
        kind = f"{message.message_code}^{message.trigger_event}"
        context = _context(Protocol.HL7V2, profile, kind, message.control_id)
        if is_order(message):
            return _ordered(orders(message, profile), context, profile, environment, now)
        if is_identity(message):
            return (_identified(identity_event(message, profile), context, profile, environment),)
        mapped = hl7_mapping.reports(message, profile)
        deviations = volet.check(message) if carries_cda(message) else ()
    judged = (_judge(one, profile, environment, now) for one in mapped)
    first, *others = (dataclasses.replace(one, convert_pdf=convert_pdf) for one in judged)
    return (dataclasses.replace(first, deviations=deviations), *others)


def _bundle(data: bytes, sites: Sites, site: str) -> tuple[fhir.ReportBundle, Profile]:
    profile = sites.named(site) if site else sites.default
    try:
        return fhir.read(data), profile
    except fhir.FhirError as unreadable:
        raise UnreadableError(unreadable.findings) from None


def _message(data: bytes, sites: Sites, site: str) -> tuple[hl7v2.Message, Profile]:
    try:
        message = hl7v2.read(unframed(data))
        profile = sites.named(site) if site else sites.match(message)
        if profile.charset:
            message = hl7v2.read(unframed(data), profile.charset)
    except hl7v2.NotHl7Error as unreadable:
        raise UnreadableError((unreadable.finding,)) from None
    return message, profile


def _context(protocol: Protocol, profile: Profile, kind: str, control_id: str = "") -> SubmissionContext:
    return SubmissionContext(
        protocol=protocol, site=profile.site.name, message_type=kind, control_id=control_id
    )


def _ordered(
    read: tuple[MappedOrder, ...],
    context: SubmissionContext,
    profile: Profile,
    environment: str,
    now: datetime,
    deviations: tuple[Finding, ...] = (),
) -> tuple[Judged, ...]:
    """What becomes of the orders of a message, when nothing is known before."""
    deciding = Deciding(environment, OFFLINE_DESTINATIONS)
    judged = tuple(
        _fed(
            one,
            context,
            deciding.judge_order(one, profile.site),
            _asked(one.order, profile.site, environment, now),
        )
        for one in read
    )
    first, *others = judged
    return (dataclasses.replace(first, deviations=deviations), *others)


def _identified(
    event: MappedIdentity, context: SubmissionContext, profile: Profile, environment: str
) -> Judged:
    judgement = Deciding(environment, OFFLINE_DESTINATIONS).judge_identity(event, profile.site)
    return _fed(event, context, judgement)


def _fed(
    read: MappedOrder | MappedIdentity,
    context: SubmissionContext,
    judgement: Judgement,
    asked: "Asked | None" = None,
) -> Judged:
    """An order or an identity event: kept, and no report."""
    verdict, found = judgement
    trace = Trace(provenance=read.provenance, coverage=read.coverage)
    mapped = Mapped(report=None, context=context, trace=trace)
    return Judged(mapped, Decision(verdict=verdict, findings=found), None, asked, fed=True)


def _asked(order: ImagingOrder | None, site: Site, environment: str, now: datetime) -> Asked | None:
    if order is None:
        return None
    number = order.placer or order.filler or order.accession
    if number is None:
        return None
    base = (environment, site.name, f"order^{set_key(number)}")
    made = VersionIdentity(
        environment=environment,
        site=site.name,
        set_key=base[2],
        number=1,
        created_at=now.astimezone(site.tz).replace(microsecond=0),
        document_id=derive_oid(*base, "1", "document"),
        set_id=derive_oid(*base, "set"),
    )
    return Asked(order, made, site)


def messages(data: bytes) -> tuple[bytes, ...]:
    """The messages of a file: those of a batch, of several frames, or the one."""
    if recognise(data) is InputKind.FHIR:
        return (data,)
    return hl7v2.split_batch(unframed(data)) or (unframed(data),)


def unframed(data: bytes) -> bytes:
    """The payload of a file that was saved with its MLLP framing; other bytes as they are."""
    return data.strip(b"\x0b\x1c\r\n\x00 ") if data.lstrip()[:1] == b"\x0b" or b"\x1c" in data[-4:] else data


def _judge(mapped: Mapped, profile: Profile, environment: str, now: datetime) -> Judged:
    mapped = addendum.joined(mapped, None)
    digest = canonical(mapped).content_hash if mapped.report else ""
    known: KnownReport | None = None
    decision = decide(
        mapped,
        known,
        site=profile.site,
        environment=environment,
        enabled=OFFLINE_DESTINATIONS,
        content_hash=digest,
    )
    if decision.verdict is Verdict.REJECT or not decision.number or mapped.report is None:
        return Judged(mapped, decision, None)
    made = identity(
        mapped,
        environment=environment,
        site=profile.site,
        key=set_key(mapped.report.report_set),
        number=decision.number,
        known=known,
        now=now,
    )
    version = ReportVersion(
        version_id=0, identity=made, report=mapped.report, context=mapped.context, site=profile.site
    )
    return Judged(mapped, decision, version)


def at_level(judged: Judged, level: CdaLevel) -> Judged:
    """The same report for a site that wants this CDA level."""
    if judged.version is None:
        return judged
    site = replace(judged.version.site, cda_level=level)
    return dataclasses.replace(judged, version=replace(judged.version, site=site))


def documents(judged: Judged) -> Composed:
    """The documents of the version that the input makes, which must be one. Raises ProductionError."""
    assert judged.version is not None
    return compose(judged.version, judged.mapped.blobs, convert_pdf=judged.convert_pdf)


def jobs(judged: Judged, destination: Destination) -> tuple[DeliveryJob, ...]:
    """The deliveries that the plan owes to one destination, with their documents produced."""
    assert judged.version is not None
    made = documents(judged).documents
    return tuple(
        DeliveryJob(
            delivery_id=0,
            destination=planned.destination,
            action=planned.action,
            version=judged.version,
            documents=made,
            recipient=planned.recipient,
        )
        for planned in judged.decision.plan
        if planned.destination is destination
    )


def document_findings(judged: Judged) -> tuple[Finding, ...]:
    """What there is to say about the documents that this report would become; empty without a version."""
    if judged.version is None:
        return ()
    try:
        return documents(judged).findings
    except ProductionError as refused:
        return refused.findings
