"""Names that a message, a report set and a version get: all derived, none invented twice."""

from datetime import datetime

from gateway.model.decision import KnownReport
from gateway.model.site import Site
from gateway.model.submission import Mapped
from gateway.model.terms import Identifier
from gateway.model.version import VersionIdentity, derive_oid


def set_key(report_set: Identifier) -> str:
    """The report set as one text, `value^system`."""
    return f"{report_set.value}^{report_set.system}"


def identity(
    mapped: Mapped,
    *,
    environment: str,
    site: Site,
    key: str,
    number: int,
    known: KnownReport | None,
    now: datetime,
    withdraws: bool = False,
) -> VersionIdentity:
    """The identity of version `number` of the set `key`, fixed once, at the commit.

    A received CDA keeps its own ids; a built one gets ids under 2.25 that depend on nothing but
    (environment, site, set, version). `withdraws`: the version makes no document, it names the one that goes.
    """
    context = mapped.context
    base = (environment, site.name, key)
    before = known.document_id if known is not None and known.version else ""
    replaced = "" if withdraws else before
    if not before and mapped.report is not None and mapped.report.replaces is not None:
        replaced = mapped.report.replaces.value
    own = context.document_id if context.received_document else derive_oid(*base, str(number), "document")
    return VersionIdentity(
        environment=environment,
        site=site.name,
        set_key=key,
        number=number,
        created_at=now.astimezone(site.tz).replace(microsecond=0),
        document_id=before if withdraws else own,
        set_id=context.received_set_id or derive_oid(*base, "set"),
        replaces_document_id=replaced,
    )
