"""Claims on PostgreSQL: rows that are due and in nobody's hand, with a lease each (`nodes`)."""

from collections import Counter
from collections.abc import Container, Mapping
from typing import Any

from sqlalchemy import bindparam, exists, literal_column, not_
from sqlalchemy.dialects.postgresql import insert

from gateway.model.delivery import Destination
from gateway.ports import Produced, Settlement, Task
from gateway.store import claim_statements as claims
from gateway.store.claim import WHENEVER, Due, share
from gateway.store.nodes import key
from gateway.store.session import Session
from gateway.store.tables import delivery, lease


def _free(kind: str, column: Any) -> Any:
    taken = exists().where(lease.c.kind == literal_column(f"'{kind}'"), lease.c.task_id == column)
    return not_(taken.correlate(delivery))


_VERSIONS = claims.PLANNED_VERSIONS.where(_free("produce", delivery.c.version_id))
_DUE = claims.DUE.where(_free("deliver", delivery.c.id)).with_for_update(of=delivery, skip_locked=True)
_TAKE = (
    # A node that was faster has it.
    insert(lease)
    .values(
        kind=bindparam("kind"),
        task_id=bindparam("task_id"),
        node=bindparam("node"),
        token=bindparam("token"),
        begun=0,
    )
    .on_conflict_do_nothing()
    .returning(lease.c.task_id)
)
_Key = tuple[str, int]


class Leasing:
    """What this node has in hand, and how it takes more. Belongs to the event loop, but `claim`."""

    def __init__(self, per_destination: int) -> None:
        self._per_destination = per_destination
        self._held: dict[_Key, Destination | None] = {}

    def claim(
        self,
        session: Session,
        holder: tuple[str, int],
        limit: int,
        now: int,
        room: Mapping[Destination, int],
        paused: frozenset[str],
        probes: Container[Destination] = (),
    ) -> tuple[Task, ...]:
        """In a transaction of its own; `holder`: name and token of this node. Oldest first."""
        held = dict(self._held)
        versions = [
            number
            for (number,) in session.rows(_VERSIONS, {"most": limit + len(held)})
            if ("produce", number) not in held
        ]
        nows = {kind: WHENEVER if kind in probes else now for kind in Destination if kind.value not in paused}
        due = self._due(session, held, limit, nows, room)
        late = [one.version_id for one in due if not one.produced]
        ready = [one for one in due if one.produced]
        versions = sorted({*versions, *(one for one in late if ("produce", one) not in held)})
        versions, ready = share(limit, versions, ready)
        tasks = (
            *(Task(kind="produce", id=one, lease=holder[1]) for one in versions),
            *(one.task(holder[1]) for one in ready),
        )
        return tuple(task for task in tasks if _take(session, task, holder))

    def _due(
        self,
        session: Session,
        held: Mapping[_Key, Destination | None],
        limit: int,
        nows: Mapping[Destination, int],
        room: Mapping[Destination, int],
    ) -> list[Due]:
        under_way = Counter(held.values())
        due: list[Due] = []
        for kind, now in nows.items():
            most = min(self._per_destination - under_way[kind], room.get(kind, limit), limit)
            if most > 0:
                rows = session.rows(_DUE, {"destination": kind.value, "now": now, "most": most})
                due += [
                    Due(next_try, number, attempts + 1, version, bool(made), (report, kind.value, recipient))
                    for number, next_try, version, attempts, report, recipient, made in rows
                    if ("deliver", number) not in held
                ]
        return sorted(due)

    def take(self, tasks: tuple[Task, ...]) -> None:
        self._held |= {(task.kind, task.id): task.destination for task in tasks}

    def drop(self, tasks: tuple[Task, ...]) -> None:
        for task in tasks:
            self._held.pop((task.kind, task.id), None)

    def drop_results(self, results: tuple[Produced | Settlement, ...]) -> None:
        for one in results:
            self._held.pop(key(one), None)


def _take(session: Session, task: Task, holder: tuple[str, int]) -> bool:
    values = {"kind": task.kind, "task_id": task.id, "node": holder[0], "token": holder[1]}
    return session.row(_TAKE, values) is not None
