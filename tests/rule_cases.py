"""What the tests of the rules decide on: one message that says everything, and how it is decided."""

from gateway.model.base import replace
from gateway.model.decision import Decision, KnownReport
from gateway.model.delivery import Destination
from gateway.model.report import ImagingReport
from gateway.model.site import Mail, Site
from gateway.model.submission import Flags, Mapped, SubmissionContext
from gateway.rules import decide
from tests.reports import CONTEXT, PATIENT, REPORT

ALL = frozenset({Destination.FOLDER, Destination.DMP, Destination.MSSANTE_PS, Destination.MSSANTE_PATIENT})
SITE = Site(
    name="default",
    mail=Mail(trusted_domains=("mssante.fr",)),
    directory=(
        ("01234567897", "alain.dupont@test-ci-sis.mssante.fr"),
        ("801234560804", "anais@cabinet.mssante.fr"),
    ),
)
"""Knows the mailboxes of requester (by RPPS) and copy (by PS_IdNat)."""


def message(
    *,
    context: SubmissionContext = CONTEXT,
    flags: Flags | None = None,
    patient: dict[str, object] | None = None,
    **changes: object,
) -> Mapped:
    """The full report as a mapped message, with some fields of it, of its patient or its flags changed."""
    report: ImagingReport = replace(REPORT, patient=replace(PATIENT, **(patient or {})), **changes)
    return Mapped(report=report, context=replace(context, flags=flags) if flags else context)


def decided(
    mapped: Mapped, known: KnownReport | None = None, site: Site = SITE, **changes: object
) -> Decision:
    arguments: dict[str, object] = {"environment": "test", "enabled": ALL, "content_hash": "new", **changes}
    return decide(mapped, known, site=site, **arguments)  # type: ignore[arg-type]  # a test passes what it states


def rows(decision: Decision) -> list[tuple[str, str, str]]:
    """(destination, state, reason) of every planned delivery."""
    return [(str(row.destination), str(row.state), row.reason) for row in decision.plan]


def codes(decision: Decision) -> list[str]:
    return [one.code for one in decision.findings]
