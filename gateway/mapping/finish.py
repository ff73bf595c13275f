"""The last step of every mapping, common to HL7 v2 and FHIR, so that both give equal reports of one exam.

Fills what the site's profile knows and the message does not say, brings codes to those of the documents, and
times to the site's offset at their own date. Nothing that the message said is overwritten, except displays.
"""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from itertools import count
from operator import is_
from typing import NamedTuple

from gateway.hl7v2.times import whole_minutes
from gateway.mapping.finish_acts import finish_acts
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import V, replace
from gateway.model.findings import Finding
from gateway.model.people import Organization, Patient, Practitioner
from gateway.model.report import (
    Act,
    ImagingReport,
    ImagingStudy,
    OrderReference,
    ReportStatus,
    Section,
)
from gateway.model.site import Site
from gateway.model.submission import Provenance
from gateway.model.terms import Identifier

_Change = Callable[[Practitioner, str], Practitioner]
_NOBODY = Organization()
_ORGANIZATION = ("id", "name", "telecoms", "address", "practice_setting", "facility_type")


class Finished(NamedTuple):
    """The report as everything after mapping sees it; `provenance` holds given entries, then new ones."""

    report: ImagingReport
    provenance: tuple[Provenance, ...]
    findings: tuple[Finding, ...]


def finish(
    report: ImagingReport,
    profile: Profile,
    provenance: tuple[Provenance, ...] = (),
    *,
    complete: bool = True,
) -> Finished:
    """`report` completed from `profile`; findings name message locations where `provenance` knows them.

    `complete=False` for the report of a received CDA: its times are brought to the site's offset, but nothing
    is added to what its creator wrote.
    """
    trail = Trail(profile.site.name, provenance)
    report = _local_times(report, profile.site.tz)
    if complete:
        report = _authorities(report, profile, trail)
        report = finish_acts(report, profile.codes, trail)
        report = _organizations(report, profile, trail)
        report = _people(report, profile, trail)
    return Finished(_with_default_objects(report), trail.provenance, trail.findings)


def _changed(value: V, **fields: object) -> V:
    """A copy where a field became another object, else `value`: most steps change little, and a copy costs
    more than the looks."""
    for name, field in fields.items():
        if getattr(value, name) is not field:
            return replace(value, **fields)
    return value


def _same(before: tuple[V, ...], after: tuple[V, ...]) -> tuple[V, ...]:
    """`before` when nothing in it became another object."""
    return before if all(map(is_, before, after)) else after


_DEFAULTS = ImagingReport(report_set=Identifier(value=""), status=ReportStatus.FINAL, patient=Patient())


def _with_default_objects(report: ImagingReport) -> ImagingReport:
    """The same value, with the model's own objects where a field equals its default.

    The encoder leaves out a default by identity: without this, equal reports of HL7 v2 and FHIR would give
    different bytes, and the same content a new version.
    """
    encounter = report.encounter
    if encounter == _DEFAULTS.encounter:
        encounter = _DEFAULTS.encounter
    elif encounter.kind == _DEFAULTS.encounter.kind:
        encounter = replace(encounter, kind=_DEFAULTS.encounter.kind)
    return _changed(
        report,
        title=_DEFAULTS.title if report.title == _DEFAULTS.title else report.title,
        language=_DEFAULTS.language if report.language == _DEFAULTS.language else report.language,
        encounter=encounter,
    )


# --- times


def local_time(moment: datetime | None, tz: tzinfo) -> datetime | None:
    """`moment` with the fixed offset that `tz` has at that date, in whole seconds; a naive one is local.

    The same object when it is so already, as most times of a message are.
    """
    if moment is None:
        return None
    local = moment.astimezone(tz) if moment.tzinfo is not None else moment.replace(tzinfo=tz)
    offset = whole_minutes(local.utcoffset() or timedelta())
    if moment.tzinfo == offset and not moment.microsecond:
        return moment
    return local.replace(microsecond=0, tzinfo=offset)


def _local_times(report: ImagingReport, tz: tzinfo) -> ImagingReport:
    def order(one: OrderReference) -> OrderReference:
        return _changed(one, requested_at=local_time(one.requested_at, tz))

    def act(one: Act) -> Act:
        return _changed(one, start=local_time(one.start, tz), end=local_time(one.end, tz))

    def study(one: ImagingStudy) -> ImagingStudy:
        return _changed(one, started=local_time(one.started, tz))

    def section(one: Section) -> Section:
        return _changed(one, authored_at=local_time(one.authored_at, tz)) if one.authored_at else one

    encounter = report.encounter
    return _changed(
        report,
        validated_at=local_time(report.validated_at, tz),
        encounter=_changed(
            encounter, start=local_time(encounter.start, tz), end=local_time(encounter.end, tz)
        ),
        orders=_same(report.orders, tuple(map(order, report.orders))),
        acts=_same(report.acts, tuple(map(act, report.acts))),
        studies=_same(report.studies, tuple(map(study, report.studies))),
        sections=_same(report.sections, tuple(map(section, report.sections))),
    )


# --- authorities of numbers


def _authorities(report: ImagingReport, profile: Profile, trail: Trail) -> ImagingReport:
    """The profile's OID for every number whose authority the message does not name."""
    known = profile.site.authorities

    def under(identifier: Identifier | None, oid: str, path: str, name: str) -> Identifier | None:
        if identifier is None or identifier.system or not oid:
            return identifier
        trail.profile(f"{path}.system", f"authorities.{name}")
        return replace(identifier, system=oid)

    def order(number: int, one: OrderReference) -> OrderReference:
        path = f"orders[{number}]"
        return _changed(
            one,
            placer=under(one.placer, known.placer_order, f"{path}.placer", "placer_order"),
            filler=under(one.filler, known.filler_order, f"{path}.filler", "filler_order"),
            accession=under(one.accession, known.accession, f"{path}.accession", "accession"),
        )

    def act(number: int, one: Act) -> Act:
        accession = under(one.accession, known.accession, f"acts[{number}].accession", "accession")
        return _changed(one, accession=accession)

    number = under(report.encounter.number, known.encounter, "encounter.number", "encounter")
    report_set = under(report.report_set, known.filler_order, "report_set", "filler_order")
    held = report.patient.identifiers
    identifiers = tuple(
        [
            completed
            for place, one in enumerate(held)
            if (completed := under(one, known.patient, f"patient.identifiers[{place}]", "patient"))
        ]
    )
    return _changed(
        report,
        report_set=report_set,
        patient=_changed(report.patient, identifiers=_same(held, identifiers)),
        encounter=_changed(report.encounter, number=number),
        orders=_same(report.orders, tuple(map(order, count(), report.orders))),
        acts=_same(report.acts, tuple(map(act, count(), report.acts))),
    )


# --- organisations and people


def _organizations(report: ImagingReport, profile: Profile, trail: Trail) -> ImagingReport:
    site = profile.site
    return _changed(
        report,
        performer=_organization(report.performer, site, site.structure, "performer", trail),
        custodian=_organization(report.custodian, site, site.keeper, "custodian", trail),
    )


def _organization(
    named: Organization | None, site: Site, own: Organization, path: str, trail: Trail
) -> Organization | None:
    """`named`, completed when it is the site's own structure or one it knows; the own one when none is."""
    if own == _NOBODY:
        return named
    if named is None:
        trail.profile(path, "structure" if path != "custodian" else "custodian")
        return own
    if named.id and named.id != own.id:
        return _known(named, site, path, trail)
    if not named.id and named.name.casefold() != own.name.casefold():
        return named  # somebody else, whose number we do not know and must not guess
    return _completed(named, own, path, "structure", trail)


def _known(named: Organization, site: Site, path: str, trail: Trail) -> Organization:
    """`named`, with what [structures] of the profile says of its number."""
    known = site.known.get(named.id)
    return named if known is None else _completed(named, known, path, f"structures.{named.id}", trail)


def _completed(named: Organization, known: Organization, path: str, key: str, trail: Trail) -> Organization:
    wanted = (field for field in _ORGANIZATION if not getattr(named, field))
    changes = {field: value for field in wanted if (value := getattr(known, field))}
    for field in changes:
        trail.profile(f"{path}.{field}", f"{key}.{field}")
    return replace(named, **changes) if changes else named


def _people(report: ImagingReport, profile: Profile, trail: Trail) -> ImagingReport:
    def plain(one: Practitioner, path: str) -> Practitioner:
        titled = _titled(one, path, profile, trail)
        if titled.organization is None or not profile.site.structures:
            return titled
        where = f"{path}.organization"
        return _changed(titled, organization=_known(titled.organization, profile.site, where, trail))

    def radiologist(one: Practitioner, path: str) -> Practitioner:
        titled = _titled(one, path, profile, trail)
        return _radiologist(titled, path, report.performer, profile, trail)

    def section(placed: tuple[int, Section]) -> Section:
        place, one = placed
        return _changed(one, author=plain(one.author, f"sections[{place}].author")) if one.author else one

    return _changed(
        report,
        authors=_each(report.authors, "authors", radiologist),
        legal_authenticator=_maybe(report.legal_authenticator, "legal_authenticator", radiologist),
        authenticators=_each(report.authenticators, "authenticators", radiologist),
        requester=_maybe(report.requester, "requester", plain),
        attending=_maybe(report.attending, "attending", plain),
        copies_to=_each(report.copies_to, "copies_to", plain),
        sections=_same(report.sections, tuple(map(section, enumerate(report.sections)))),
    )


def _each(values: tuple[Practitioner, ...], path: str, change: _Change) -> tuple[Practitioner, ...]:
    return _same(values, tuple(change(value, f"{path}[{place}]") for place, value in enumerate(values)))


def _maybe(value: Practitioner | None, path: str, change: _Change) -> Practitioner | None:
    return None if value is None else change(value, path)


def _radiologist(
    one: Practitioner, path: str, performer: Organization | None, profile: Profile, trail: Trail
) -> Practitioner:
    """With a specialty (profile) and an organisation (the performer), which CDA and XDS authors need."""
    specialty = one.specialty
    if specialty is None and profile.site.author_specialty is not None:
        specialty = profile.site.author_specialty
        trail.profile(f"{path}.specialty", "author_specialty")
    if one.organization is None:
        trail.rule(f"{path}.organization", "performer")
        return _changed(one, specialty=specialty, organization=performer)
    site, where = profile.site, f"{path}.organization"
    organization = _organization(one.organization, site, site.structure, where, trail)
    return _changed(one, specialty=specialty, organization=organization)


def _titled(one: Practitioner, path: str, profile: Profile, trail: Trail) -> Practitioner:
    """Prefix and suffix in the codes of JDV_J245 and J246; senders mix the two and add dots.

    A title without row is left out, with a finding: the official rules refuse any other.
    """
    if not one.prefix and not one.suffix:
        return one
    titles = {"prefix": "", "suffix": ""}
    for field in ("suffix", "prefix"):
        if not (word := getattr(one, field)):
            continue
        if (hit := profile.codes.title(word)) is None:
            trail.finding("CODE-UNKNOWN", f"{path}.{field}", "title")
            continue
        kind, code = hit.value
        titles[kind] = titles[kind] or code
    return replace(one, **titles)
