"""A row of the tables as API and CLI show it: times in ISO 8601, what is in a JSON as plain values."""

from typing import Any

from gateway.model.base import decode
from gateway.model.delivery import MessageState, Outcome
from gateway.model.findings import Finding, Severity
from gateway.model.submission import Flags, Recipient, SubmissionContext
from gateway.ports import Row
from gateway.store import listings
from gateway.store.moments import iso

MESSAGE_FIELDS = tuple(column.name for column in listings.MESSAGE_COLUMNS)
_DELIVERY_FIELDS = (*(column.name for column in listings.DELIVERY_COLUMNS), "version")
DOCUMENT_FIELDS = ("kind", "title", "media_type", "sha256", "size")


_GRAVE = (Severity.ERROR, Severity.WARNING)
_MASKS = (
    ("masked_ps", "MASQUE_PS"),
    ("invisible_patient", "INVISIBLE_PATIENT"),
    ("invisible_legal_representatives", "INVISIBLE_REPRESENTANTS_LEGAUX"),
)
"""Field of `Flags` → how the DMP names it."""


def gravest(findings: tuple[Finding, ...], state: str) -> str:
    """The code of the first error, else of the first warning, "" for neither; of a held message the code
    of the last finding: that is why nothing leaves."""
    if state == MessageState.HELD and findings:
        return findings[-1].code
    codes = (one.code for grave in _GRAVE for one in findings if one.severity is grave)
    return next(codes, "")


def masks(context: str) -> list[str]:
    """From whom the document of a version is hidden; none of one whose contents were let go."""
    flags = decode(context.encode(), SubmissionContext).flags if context else Flags()
    return [name for field, name in _MASKS if getattr(flags, field)]


def delivery(row: tuple[Any, ...]) -> Row:
    """Of `listings.DELIVERY_COLUMNS` and the number of the version."""
    fields: Row = dict(zip(_DELIVERY_FIELDS, row, strict=True))
    outcome = fields["outcome"]
    last = decode(outcome.encode(), Outcome) if outcome is not None else None
    return fields | {
        "report_id": str(fields["report_id"]),
        "recipient": _address(fields["recipient"]),
        "next_try": iso(fields["next_try"]),
        "created_at": iso(fields["created_at"]),
        "updated_at": iso(fields["updated_at"]),
        "outcome": " ".join(filter(None, (last.kind.value, last.code, last.detail))) if last else None,
        "remote_ids": dict(last.remote_ids) if last else {},
    }


def _address(recipient: str | None) -> str | None:
    """The mailbox; of a recipient without one, its id."""
    if recipient is None:
        return None
    known = decode(recipient.encode(), Recipient)
    return known.address or known.id or known.name
