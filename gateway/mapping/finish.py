"""The last step of every mapping, common to HL7 v2 and FHIR, so that both give equal reports of one exam.

Fills what the site's profile knows and the message does not say, brings codes to those of the documents, and
times to the site's offset at their own date. Nothing that the message said is overwritten, except displays.
"""

from datetime import datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from gateway.hl7v2.times import whole_minutes
from gateway.mapping.finish_acts import finish_acts
from gateway.mapping.finish_people import organizations, people
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.changes import changed, same
from gateway.model.findings import Finding
from gateway.model.people import Patient
from gateway.model.report import (
    Act,
    ImagingReport,
    ImagingStudy,
    OrderReference,
    ReportStatus,
    Section,
)
from gateway.model.site import Authorities
from gateway.model.submission import Provenance
from gateway.model.terms import Identifier


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
        report = organizations(report, profile, trail)
        report = people(report, profile, trail)
    return Finished(_with_default_objects(report), trail.provenance, trail.findings)


_DEFAULTS: Final = ImagingReport(
    report_set=Identifier(value=""), status=ReportStatus.FINAL, patient=Patient()
)


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
    return changed(
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
    stay = report.encounter
    return changed(
        report,
        validated_at=local_time(report.validated_at, tz),
        encounter=changed(stay, start=local_time(stay.start, tz), end=local_time(stay.end, tz)),
        orders=same(report.orders, [_order_times(one, tz) for one in report.orders]),
        acts=same(report.acts, [_act_times(one, tz) for one in report.acts]),
        studies=same(report.studies, [_study_times(one, tz) for one in report.studies]),
        sections=same(report.sections, [_section_times(one, tz) for one in report.sections]),
    )


def _order_times(one: OrderReference, tz: tzinfo) -> OrderReference:
    return changed(one, requested_at=local_time(one.requested_at, tz)) if one.requested_at else one


def _act_times(one: Act, tz: tzinfo) -> Act:
    return changed(one, start=local_time(one.start, tz), end=local_time(one.end, tz))


def _study_times(one: ImagingStudy, tz: tzinfo) -> ImagingStudy:
    return changed(one, started=local_time(one.started, tz)) if one.started else one


def _section_times(one: Section, tz: tzinfo) -> Section:
    return changed(one, authored_at=local_time(one.authored_at, tz)) if one.authored_at else one


# --- authorities of numbers


def _authorities(report: ImagingReport, profile: Profile, trail: Trail) -> ImagingReport:
    """The profile's OID for every number whose authority the message does not name."""
    known = profile.site.authorities
    stay, held = report.encounter, report.patient.identifiers
    report_set = _under(report.report_set, known.filler_order, "report_set", "filler_order", trail)
    identifiers = [
        completed
        for place, one in enumerate(held)
        if (completed := _under(one, known.patient, f"patient.identifiers[{place}]", "patient", trail))
    ]
    return changed(
        report,
        report_set=report_set,
        patient=changed(report.patient, identifiers=same(held, identifiers)),
        encounter=changed(
            stay, number=_under(stay.number, known.encounter, "encounter.number", "encounter", trail)
        ),
        orders=same(
            report.orders,
            [
                _order_numbers(one, f"orders[{place}]", known, trail)
                for place, one in enumerate(report.orders)
            ],
        ),
        acts=same(
            report.acts,
            [_act_number(one, f"acts[{place}]", known, trail) for place, one in enumerate(report.acts)],
        ),
    )


def _under(identifier: Identifier | None, oid: str, path: str, name: str, trail: Trail) -> Identifier | None:
    if identifier is None or identifier.system or not oid:
        return identifier
    trail.profile(f"{path}.system", f"authorities.{name}")
    return replace(identifier, system=oid)


def _order_numbers(one: OrderReference, path: str, known: Authorities, trail: Trail) -> OrderReference:
    return changed(
        one,
        placer=_under(one.placer, known.placer_order, f"{path}.placer", "placer_order", trail),
        filler=_under(one.filler, known.filler_order, f"{path}.filler", "filler_order", trail),
        accession=_under(one.accession, known.accession, f"{path}.accession", "accession", trail),
    )


def _act_number(one: Act, path: str, known: Authorities, trail: Trail) -> Act:
    accession = _under(one.accession, known.accession, f"{path}.accession", "accession", trail)
    return changed(one, accession=accession)
