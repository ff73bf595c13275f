"""Organisations and people of a report, completed from the site's profile (see `finish`)."""

from typing import Final

from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.changes import changed, same
from gateway.model.people import Organization, Practitioner
from gateway.model.report import ImagingReport, Section
from gateway.model.site import Site

_NOBODY: Final = Organization()
_ORGANIZATION: Final = ("id", "name", "telecoms", "address", "practice_setting", "facility_type")


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
    signs, performer = report.legal_authenticator, report.performer
    if signs is not None:
        signs = _radiologist(signs, "legal_authenticator", performer, profile, trail)
    copies = report.copies_to
    return changed(
        report,
        authors=_radiologists(report.authors, "authors", performer, profile, trail),
        legal_authenticator=signs,
        authenticators=_radiologists(report.authenticators, "authenticators", performer, profile, trail),
        requester=_other(report.requester, "requester", profile, trail),
        attending=_other(report.attending, "attending", profile, trail),
        copies_to=same(
            copies, [_person(one, f"copies_to[{place}]", profile, trail) for place, one in enumerate(copies)]
        ),
        sections=same(
            report.sections,
            [
                _section(one, f"sections[{place}]", profile, trail)
                for place, one in enumerate(report.sections)
            ],
        ),
    )


def _radiologists(
    values: tuple[Practitioner, ...],
    path: str,
    performer: Organization | None,
    profile: Profile,
    trail: Trail,
) -> tuple[Practitioner, ...]:
    return same(
        values,
        [
            _radiologist(one, f"{path}[{place}]", performer, profile, trail)
            for place, one in enumerate(values)
        ],
    )


def _other(one: Practitioner | None, path: str, profile: Profile, trail: Trail) -> Practitioner | None:
    return None if one is None else _person(one, path, profile, trail)


def _section(one: Section, path: str, profile: Profile, trail: Trail) -> Section:
    return (
        one
        if one.author is None
        else changed(one, author=_person(one.author, f"{path}.author", profile, trail))
    )


def _person(one: Practitioner, path: str, profile: Profile, trail: Trail) -> Practitioner:
    """Somebody who need not belong to the performer."""
    one = _titled(one, path, profile, trail)
    if one.organization is None or not profile.site.structures:
        return one
    return changed(one, organization=_known(one.organization, profile.site, f"{path}.organization", trail))


def _radiologist(
    one: Practitioner, path: str, performer: Organization | None, profile: Profile, trail: Trail
) -> Practitioner:
    """With a specialty (profile) and an organisation (the performer), which CDA and XDS authors need."""
    one = _titled(one, path, profile, trail)
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
