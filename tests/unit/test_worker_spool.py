"""Large documents reach the dispatcher by file, once; what is lost on the way is made again."""

import hashlib
from pathlib import Path

from gateway.model.version import Document, DocumentKind
from gateway.pipeline.spool import LARGE, Spool
from gateway.pipeline.wire import Report
from gateway.ports import Produced, Task


def document(data: bytes) -> Document:
    return Document(
        kind=DocumentKind.PDF,
        sha256=hashlib.sha256(data).hexdigest(),
        media_type="application/pdf",
        data=data,
        title="",
    )


MADE = Produced(version_id=7, documents=(document(b"x" * LARGE), document(b"small")))


def test_only_large_documents_leave_the_frame_and_come_back_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "worker-0.journal")
    sent = spool.put(MADE)
    assert [len(one.data) for one in sent.documents] == [0, 5]
    (file,) = (tmp_path / "worker-0.spool").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert spool.take(Report(produced=(sent,))) == Report(produced=(MADE,))
    assert not file.exists()


def test_what_is_gone_was_not_produced(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "worker-0.journal")
    sent = spool.put(MADE)
    spool.sweep()
    assert spool.take(Report(produced=(sent,))) == Report(returned=(Task(kind="produce", id=7),))
