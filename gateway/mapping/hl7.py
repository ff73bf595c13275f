"""A parsed HL7 v2 message → canonical reports, with provenance, coverage and findings.

Two families arrive (spec hl7v2.md §0): messages with a CDA (volet Transmission) and classic RIS reports.
Nothing raises: what cannot be read is a finding with its place.
"""

from collections import defaultdict

from gateway.hl7v2 import Message
from gateway.mapping.cda_message import with_documents
from gateway.mapping.coverage import coverage
from gateway.mapping.hl7_context import context
from gateway.mapping.hl7_documents import carries_cda
from gateway.mapping.hl7_events import action, refused
from gateway.mapping.hl7_reader import Group, Reader, Used
from gateway.mapping.hl7_report import classic
from gateway.mapping.sites import Profile
from gateway.mapping.trail import Trail
from gateway.model.base import replace
from gateway.model.submission import Mapped


def reports(message: Message, profile: Profile) -> tuple[Mapped, ...]:
    """One Mapped per report of `message`, at least one.

    `report` is None only when none can be made; then an error finding says why. Findings of reading the
    message stand in the first one; the coverage is that of the whole message, in each.
    """
    used: Used = defaultdict(set)
    mapped = _reports(message, profile, used)
    covered = coverage(message, used, profile)
    first = replace(mapped[0], findings=(*message.findings, *mapped[0].findings))
    return tuple(replace(one, trace=replace(one.traced, coverage=covered)) for one in (first, *mapped[1:]))


def _reports(message: Message, profile: Profile, used: Used) -> tuple[Mapped, ...]:
    why_not = refused(message)
    if why_not:
        scope = Group(message.segments, message)
        reader = Reader(scope, profile, Trail(profile.site.name), used)
        came = context(message, scope, reader, action(message))
        return (Mapped(report=None, context=came, findings=(*why_not, *reader.trail.findings)),)
    if carries_cda(message):
        return with_documents(message, profile, used)
    return classic(message, profile, used)
