"""The comparison of the three accounts is right, and can fail: each fault here is found by its name."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance.reconcile import Reconciled, reconcile, run
from gateway.model.delivery import DeliveryState, Outcome, OutcomeKind
from gateway.model.submission import Action
from gateway.ports import Produced, Settlement
from gateway.store import SqliteStore
from tests.store_support import (
    DMP,
    DOCTOR,
    FOLDER,
    MAIL,
    TickingClock,
    concluding,
    document,
    planned,
    received,
)

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
BOX = "alain.dupont@test.mssante.fr"


def sha(version: int) -> str:
    return hashlib.sha256(f"<cda {version}/>".encode()).hexdigest()


def dmp(*versions: int) -> list[dict[str, Any]]:
    return [
        {"result": "Success", "documents": [{"uniqueId": str(one), "sha256": sha(one), "duplicate": False}]}
        for one in versions
    ]


def deleted(version: int) -> dict[str, Any]:
    return {"result": "Deleted", "documents": [{"uniqueId": str(version)}]}


def mails(*versions: int) -> list[dict[str, Any]]:
    return [{"to": [BOX], "sha256": sha(one)} for one in versions]


class Case:
    """Two versions of one report, both delivered to a DMP and a mailbox; every sender was told AA."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told = {"1": "AA", "2": "AA"}
        self.dmp, self.mails = dmp(1, 2), mails(1, 2)
        self.outbox = path.parent / "outbox"
        for version in (1, 2):
            (self.outbox / f"CR1_v{version}").mkdir(parents=True)
            (self.outbox / f"CR1_v{version}" / "cda.xml").write_bytes(f"<cda {version}/>".encode())

    async def make(self) -> None:
        store = SqliteStore.open(self.path, clock=TickingClock())
        for version in (1, 2):
            await store.commit(
                received(str(version)), concluding(planned(DMP), planned(FOLDER), planned(MAIL, DOCTOR))
            )
            (task,) = await store.claim(10)
            made = document(f"<cda {version}/>".encode())
            await store.settle((Produced(version_id=task.id, documents=(made,)),))
            for task in await store.claim(10):
                outcome = Outcome(kind=OutcomeKind.DELIVERED)
                await store.settle(
                    (
                        Settlement(
                            delivery_id=task.id,
                            outcome=outcome,
                            attempt=1,
                            started_at=NOW,
                            ended_at=NOW,
                        ),
                    )
                )
        await store.close()

    def compare(self) -> Reconciled:
        return reconcile(self.told, self.path, dmp=self.dmp, mssante=self.mails, folder=self.outbox)


@pytest.fixture
async def case(tmp_path: Path) -> Case:
    one = Case(tmp_path / "gateway.db")
    await one.make()
    return one


def test_three_accounts_that_agree(case: Case) -> None:
    result = case.compare()
    assert result.problems == ()
    assert result.figures == {
        "acknowledged": 2,
        "stored": 2,
        "deliveries": 6,
        "delivered": 6,
        "unsettled": 0,
        "at the peers": 6,
    }
    assert str(result).endswith("everything adds up")


def told_but_not_stored(case: Case) -> None:
    case.told["3"] = "AA"


def not_at_the_peer(case: Case) -> None:
    case.dmp = dmp(1)


def mail_twice(case: Case) -> None:
    case.mails = mails(1, 2, 2)


def document_twice(case: Case) -> None:
    case.dmp = dmp(1, 2, 1)


def unknown_document(case: Case) -> None:
    case.dmp = dmp(1, 2, 3)


def older_after_newer(case: Case) -> None:
    case.mails = mails(2, 1)


def not_in_the_outbox(case: Case) -> None:
    (case.outbox / "CR1_v1").rename(case.outbox / ".CR1_v1.new")


def other_bytes_in_the_outbox(case: Case) -> None:
    (case.outbox / "CR1_v1" / "cda.xml").write_bytes(b"<cda")


def message_taken_twice(case: Case) -> None:
    connection = sqlite3.connect(case.path, isolation_level=None)
    connection.execute("UPDATE message SET control_id = '1'")
    connection.close()
    case.told = {"1": "AA"}


def row_lost(case: Case) -> None:
    connection = sqlite3.connect(case.path, isolation_level=None)
    connection.execute("DELETE FROM delivery WHERE id = 1")
    connection.close()


@pytest.mark.req("REQ-78")
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (told_but_not_stored, {"lost"}),
        (not_at_the_peer, {"missing"}),
        (mail_twice, {"twice"}),
        (document_twice, {"twice", "order"}),
        (unknown_document, {"unknown"}),
        (older_after_newer, {"order"}),
        (not_in_the_outbox, {"missing"}),
        (other_bytes_in_the_outbox, {"missing", "unknown"}),
        (message_taken_twice, {"twice"}),
        (row_lost, {"ledger", "unknown"}),
    ],
)
def test_each_fault_is_found(case: Case, fault: Callable[[Case], None], kinds: set[str]) -> None:
    fault(case)
    assert {one.kind for one in case.compare().problems} == kinds


def test_what_was_not_acknowledged_need_not_be_stored(case: Case) -> None:
    case.told |= {"8": "AR", "9": ""}
    assert case.compare().problems == ()


def test_the_command_says_what_does_not_add_up(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    for name, entries in (("dmp", case.dmp), ("mssante", case.mails)):
        (case.path.parent / name).mkdir()
        (case.path.parent / name / "ledger.jsonl").write_text("\n".join(map(json.dumps, entries)))
    sent = case.path.parent / "sent.jsonl"
    sent.write_text(
        '{"control_id": "1", "code": "AA"}\n'
        '{"control_id": "2", "code": "AR"}\n{"control_id": "2", "code": "AA"}\n'
    )
    given = (sent, case.path.parent / "dmp", case.path.parent / "mssante", case.outbox)
    assert run(case.path, *given) == 0
    assert capsys.readouterr().out.endswith("everything adds up\n")
    sent.write_text('{"control_id": "3", "code": "AA"}\n')
    assert run(case.path, *given) == 1
    assert "lost: message 3 was acknowledged and is not stored" in capsys.readouterr().out
    assert run(case.path.parent / "none.db", *given) == 2
    assert "cannot be compared" in capsys.readouterr().err


def test_a_peer_without_account_is_not_looked_at(case: Case) -> None:
    assert reconcile(case.told, case.path).problems == ()


# --- a report that was withdrawn


@pytest.fixture
async def withdrawn(case: Case) -> Case:
    """Version 2 is deleted wherever it was."""
    store = SqliteStore.open(case.path, clock=TickingClock())
    gone = (planned(one, who, DeliveryState.PENDING, Action.DELETE) for one, who in LANES)
    await store.commit(received("3"), concluding(*gone))
    for task in await store.claim(10):
        outcome = Outcome(kind=OutcomeKind.DELIVERED)
        await store.settle(
            (Settlement(delivery_id=task.id, outcome=outcome, attempt=1, started_at=NOW, ended_at=NOW),)
        )
    await store.close()
    case.told["3"] = "AA"
    case.dmp.append(deleted(2))
    case.mails.append({"to": [BOX], "sha256": sha(2), "action": "D"})
    for version in (1, 2, 3):
        folder = case.outbox / f"CR1_v{version}"
        folder.mkdir(exist_ok=True)
        (folder / "summary.json").write_text(json.dumps({"document_id": str(min(version, 2))}))
    return case


LANES = ((DMP, None), (FOLDER, None), (MAIL, DOCTOR))


@pytest.mark.req("REQ-40", "REQ-78")
async def test_a_withdrawn_report_is_deleted_at_every_peer(withdrawn: Case) -> None:
    assert withdrawn.compare().problems == ()


def never_deleted(case: Case) -> None:
    case.dmp.pop()


def cancelled_twice(case: Case) -> None:
    case.mails.append(case.mails[-1])


def another_deleted(case: Case) -> None:
    case.dmp[-1] = deleted(1)


def no_notice_in_the_folder(case: Case) -> None:
    (case.outbox / "CR1_v3").rename(case.outbox / ".CR1_v3.new")


def mailed_after_its_cancellation(case: Case) -> None:
    case.mails.append(case.mails.pop(1))


@pytest.mark.req("REQ-40", "REQ-78")
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (never_deleted, {"missing"}),
        (cancelled_twice, {"twice"}),
        (another_deleted, {"missing", "unknown"}),
        (no_notice_in_the_folder, {"missing"}),
        (mailed_after_its_cancellation, {"order"}),
    ],
)
async def test_each_fault_of_a_withdrawal_is_found(
    withdrawn: Case, fault: Callable[[Case], None], kinds: set[str]
) -> None:
    fault(withdrawn)
    assert {one.kind for one in withdrawn.compare().problems} == kinds
