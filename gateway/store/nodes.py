"""Several gateways on one PostgreSQL: who lives, what each has in hand, and what becomes of it when one dies.

Every node renews its row in time (`beat`). One that does not is dead for the others: they take its work over.
What it may have sent and cannot be repeated becomes `ambiguous`; all else is simply made again. A node that
was only away finds another token in its row, and all that it reports under the old one is refused (`fence`).
Times are those of the database: the clocks of nodes need not agree on who lives.
"""

from sqlalchemy import (
    BigInteger,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)

from gateway.model.delivery import INTERRUPTED, Outcome, OutcomeKind
from gateway.ports import Produced, Row, Settlement
from gateway.store import statements as named
from gateway.store.moments import from_micros
from gateway.store.session import Session
from gateway.store.tables import delivery, lease, node

_NOW = literal_column("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", BigInteger)
_NEXT = select(func.coalesce(func.max(node.c.token), 0) + 1).scalar_subquery()
_UNTIL = _NOW + bindparam("term", type_=BigInteger)
_mine = node.c.name == bindparam("node")
_run = (_mine, node.c.token == bindparam("run"))
_task = (lease.c.kind == bindparam("of_kind"), lease.c.task_id == bindparam("of_id"))

_NODE = select(node.c.host, node.c.until - _NOW).where(_mine)
_OTHER_KEY = select(node.c.name).where(node.c.audit_key != bindparam("key"), node.c.name != bindparam("node"))
_ADD = insert(node).values(
    name=bindparam("node"), token=_NEXT, until=_UNTIL, host=bindparam("at"), audit_key=bindparam("key")
)
_START = (
    update(node)
    .where(_mine)
    .values(token=_NEXT, until=_UNTIL, host=bindparam("at"), audit_key=bindparam("key"))
)
_TOKEN = select(node.c.token).where(_mine)
_BEAT = update(node).where(*_run).values(until=_UNTIL).returning(node.c.token)
_STOP = update(node).where(*_run, ~exists().where(lease.c.node == node.c.name)).values(until=null())
_EXPIRED = select(node.c.name).where(node.c.until < _NOW)
_LIVING = select(node.c.name).where(node.c.until > _NOW).order_by(node.c.name)
_LOSE = update(node).where(_mine).values(token=_NEXT, until=null())
_IN_HAND = (
    select(lease.c.kind, lease.c.task_id, lease.c.token, lease.c.begun)
    .where(lease.c.node == bindparam("node"))
    .with_for_update()
)
_DROP_ALL = delete(lease).where(lease.c.node == bindparam("node"))
_DROP_EARLIER = _DROP_ALL.where(lease.c.token < bindparam("run"))
_DROP = delete(lease).where(*_task, lease.c.token == bindparam("run")).returning(lease.c.task_id)
_BEGIN = (
    update(lease).where(*_task, lease.c.token == bindparam("run")).values(begun=1).returning(lease.c.task_id)
)
_LOCK = select(delivery.c.id).where(delivery.c.id == bindparam("delivery_id")).with_for_update()
_LEASED = select(lease.c.token).where(*_task)
_LISTED = select(
    node.c.name,
    node.c.host,
    node.c.until - _NOW,
    select(func.count()).where(lease.c.node == node.c.name).correlate(node).scalar_subquery(),
).order_by(node.c.name)


class NodeError(Exception):
    """This node cannot join; the text says why and what to do."""


class LivesElsewhereError(NodeError):
    """A node of the same name still has its lease: it was moved right now, or its folder was copied."""


# --- a node's life


def start(session: Session, name: str, at: str, key: str, term: int) -> int:
    """Join, or join again, inside a writing transaction; the token of this run. `at`: host and folder.

    Raises NodeError when another node with this name lives elsewhere, or when the audit keys differ.
    """
    other = session.row(_OTHER_KEY, {"node": name, "key": key})
    if other is not None:
        raise NodeError(
            "this node's audit-key is not that of the other nodes: stop it, copy `audit-key` from the data "
            "folder of one of them, start it again"
        )
    known = session.row(_NODE, {"node": name})
    if known is not None and known[0] != at and known[1] is not None and known[1] > 0:
        raise LivesElsewhereError(
            f"the node of this data folder lives at {known[0]}: if it was copied, remove `node-id` here"
        )
    values = {"node": name, "at": at, "key": key, "term": term}
    session.run(_ADD if known is None else _START, values)
    row = session.row(_TOKEN, {"node": name})
    assert row is not None, "written right before"
    return int(row[0])


def beat(session: Session, name: str, token: int, term: int) -> bool:
    """Live on for `term` microseconds; False when others have taken this run for dead."""
    return session.row(_BEAT, {"node": name, "run": token, "term": term}) is not None


def stop(session: Session, name: str, token: int) -> None:
    """Leave in order; what is still in hand stays until it expires."""
    session.run(_STOP, {"node": name, "run": token})


def expired(session: Session) -> tuple[str, ...]:
    return tuple(name for (name,) in session.rows(_EXPIRED, {}))


def living(session: Session) -> tuple[str, ...]:
    return tuple(name for (name,) in session.rows(_LIVING, {}))


def take_over(session: Session, name: str) -> tuple[Settlement, ...]:
    """Inside a writing transaction: end a dead node's run, free what it had in hand.

    Returns the attempts of which nobody can tell how they ended: the caller settles them.
    """
    if name not in expired(session):  # it came back, or another node was faster
        return ()
    unknown = []
    for kind, task_id, token, begun in session.rows(_IN_HAND, {"node": name}):
        if kind != "deliver" or not begun:
            continue
        row = session.row(named.DELIVERY_STATE, {"delivery_id": task_id})
        if row is not None:
            unknown.append(_interrupted(session, task_id, row[2] + 1, token))
    session.run(_DROP_ALL, {"node": name})
    session.run(_LOSE, {"node": name})
    return tuple(unknown)


def _interrupted(session: Session, delivery_id: int, attempt: int, token: int) -> Settlement:
    row = session.row(select(_NOW), {})
    assert row is not None
    moment = from_micros(row[0])
    outcome = Outcome(
        kind=OutcomeKind.AMBIGUOUS, code=INTERRUPTED, detail="the node that was sending it is gone"
    )
    return Settlement(
        delivery_id=delivery_id,
        outcome=outcome,
        attempt=attempt,
        started_at=moment,
        ended_at=moment,
        lease=token,
    )


def listed(session: Session) -> list[Row]:
    """Every node: name, host, seconds until it counts as dead (None: stopped), tasks in hand."""
    return [
        {"name": name, "host": host, "seconds": left and left / 1e6, "tasks": tasks}
        for name, host, left, tasks in session.rows(_LISTED, {})
    ]


# --- what it has in hand


def key(result: Produced | Settlement) -> tuple[str, int]:
    """(kind, id) of the task that the result is of."""
    return ("produce", result.version_id) if isinstance(result, Produced) else ("deliver", result.delivery_id)


def recovered(session: Session, name: str, token: int) -> None:
    """What earlier runs of this node had in hand is settled as its journals tell: the rest is free."""
    session.run(_DROP_EARLIER, {"node": name, "run": token})


def give_back(session: Session, kind: str, task_id: int, token: int) -> bool:
    """Whether it was still in hand."""
    return session.row(_DROP, {"of_kind": kind, "of_id": task_id, "run": token}) is not None


def begin(session: Session, delivery_id: int, token: int) -> bool:
    """Mark that an unrepeatable delivery may leave now; False when the lease is lost."""
    return session.row(_BEGIN, {"of_kind": "deliver", "of_id": delivery_id, "run": token}) is not None


def withdraw(session: Session, delivery_id: int) -> bool:
    """True: nobody has it in hand, and nobody takes it before this transaction has ended.

    A claim holds the row while it writes its lease: either that is visible after the lock, or it comes later.
    """
    session.row(_LOCK, {"delivery_id": delivery_id})
    return _free(session, "deliver", delivery_id)


def fence(session: Session, results: tuple[Produced | Settlement, ...]) -> tuple[Produced | Settlement, ...]:
    """The results that count; their leases are given back.

    Whoever lost the lease settles nothing that another has in hand. While nobody has it, what really
    happened counts, however late.
    """
    return tuple(one for one in results if give_back(session, *key(one), one.lease) or _ours(session, one))


def _ours(session: Session, result: Produced | Settlement) -> bool:
    if isinstance(result, Settlement):
        return withdraw(session, result.delivery_id)
    return _free(session, "produce", result.version_id)


def _free(session: Session, kind: str, task_id: int) -> bool:
    return session.row(_LEASED, {"of_kind": kind, "of_id": task_id}) is None
