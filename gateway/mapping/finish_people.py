"""Organisations and people of a report, completed from the site's profile (see `finish`)."""

from collections.abc import Callable

from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import changed, replace, same
from gateway.model.people import Organization, Practitioner
from gateway.model.report import ImagingReport, Section
from gateway.model.site import Site

_Change = Callable[[Practitioner, str], Practitioner]
_NOBODY = Organization()
_ORGANIZATION = ("id", "name", "telecoms", "address", "practice_setting", "facility_type")


def organizations(report: ImagingReport, profile: Profile, trail: Trail) -> ImagingReport:
    site = profile.site
    return changed(
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


def people(report: ImagingReport, profile: Profile, trail: Trail) -> ImagingReport:
    def plain(one: Practitioner, path: str) -> Practitioner:
        titled = _titled(one, path, profile, trail)
        if titled.organization is None or not profile.site.structures:
            return titled
        where = f"{path}.organization"
        return changed(titled, organization=_known(titled.organization, profile.site, where, trail))

    def radiologist(one: Practitioner, path: str) -> Practitioner:
        titled = _titled(one, path, profile, trail)
        return _radiologist(titled, path, report.performer, profile, trail)

    def section(placed: tuple[int, Section]) -> Section:
        place, one = placed
        return changed(one, author=plain(one.author, f"sections[{place}].author")) if one.author else one

    return changed(
        report,
        authors=_each(report.authors, "authors", radiologist),
        legal_authenticator=_maybe(report.legal_authenticator, "legal_authenticator", radiologist),
        authenticators=_each(report.authenticators, "authenticators", radiologist),
        requester=_maybe(report.requester, "requester", plain),
        attending=_maybe(report.attending, "attending", plain),
        copies_to=_each(report.copies_to, "copies_to", plain),
        sections=same(report.sections, tuple(map(section, enumerate(report.sections)))),
    )


def _each(values: tuple[Practitioner, ...], path: str, change: _Change) -> tuple[Practitioner, ...]:
    return same(values, tuple(change(value, f"{path}[{place}]") for place, value in enumerate(values)))


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
        return changed(one, specialty=specialty, organization=performer)
    site, where = profile.site, f"{path}.organization"
    organization = _organization(one.organization, site, site.structure, where, trail)
    return changed(one, specialty=specialty, organization=organization)


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
