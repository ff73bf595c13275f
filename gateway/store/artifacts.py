"""Bytes are stored once, under their hash."""

from gateway.model.submission import Blob
from gateway.store import statements as named
from gateway.store.session import Session


def keep(session: Session, blob: Blob) -> None:
    if session.row(named.ARTIFACT_KNOWN, {"sha256": blob.sha256}) is None:
        session.run_large(
            named.ADD_ARTIFACT,
            {
                "sha256": blob.sha256,
                "media_type": blob.media_type,
                "size": len(blob.data),
                "data": blob.data,
            },
            "data",
        )
