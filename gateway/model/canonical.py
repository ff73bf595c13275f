"""A mapped report as the JSON that is kept of it, and the hash that tells its versions apart."""

import hashlib

from gateway.model.base import Value, encode
from gateway.model.submission import Mapped


class Canonical(Value):
    """Encoded once: the hash is over the text that is kept. Made before the commit, while nobody waits."""

    content_hash: str
    report: str
    context: str
    trace: str


def canonical(mapped: Mapped) -> Canonical:
    """`mapped.report` must not be None.

    The hash is SHA-256 of what makes a version: canonical content, visibility and a received document.
    Visibility counts because masking or announcing is a new document version (architecture decision 14).
    """
    if mapped.report is None:
        raise ValueError("a message without report has no canonical text")
    context, flags = mapped.context, mapped.context.flags
    report = encode(mapped.report)
    digest = hashlib.sha256(report)
    parts = (
        flags.masked_ps,
        flags.invisible_patient,
        flags.invisible_legal_representatives,
        context.received_document,
    )
    digest.update("".join([f"\x1f{part or ''}" for part in parts]).encode())
    return Canonical(
        content_hash=digest.hexdigest(),
        report=report.decode(),
        context=encode(context).decode(),
        trace=trace_text(mapped),
    )


def trace_text(mapped: Mapped) -> str:
    trace = mapped.trace
    return trace if isinstance(trace, str) else encode(trace).decode()
