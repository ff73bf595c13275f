"""Orders: one row each, found by any of their numbers; the messages that spoke of one stand beside it."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Text, bindparam, insert, or_, select, update

from gateway.model.base import decode, encode
from gateway.model.order import ImagingOrder, KnownOrder, order_keys
from gateway.model.submission import Trace
from gateway.model.terms import Identifier
from gateway.ports import OrderEntry, Row
from gateway.store.moments import iso
from gateway.store.session import Session
from gateway.store.tables import message_order, order, order_key

_ADD_ORDER, _ADD_KEY, _ADD_LINK = insert(order), insert(order_key), insert(message_order)
_CHANGING = (
    "placer",
    "filler",
    "accession",
    "study_uid",
    "status",
    "control_id",
    "version",
    "updated_at",
    "canonical",
)
_SET_ORDER = (
    update(order)
    .where(order.c.id == bindparam("order_id"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_AT_ONCE = 6
"""Names that are looked up by one statement; a report has four."""
_IDS = select(order_key.c.key, order_key.c.order_id).where(
    order_key.c.site == bindparam("site"),
    order_key.c.key.in_([bindparam(f"key_{place}", type_=Text) for place in range(_AT_ONCE)]),
)
_ANY = select(order_key.c.order_id).where(order_key.c.site == bindparam("site")).limit(1)
_ORDER = select(order.c.canonical, order.c.control_id).where(order.c.id == bindparam("order_id"))
_KEYS = select(order_key.c.key).where(
    order_key.c.site == bindparam("site"), order_key.c.order_id == bindparam("order_id")
)
_VERSION = select(order.c.version).where(order.c.id == bindparam("order_id"))


def any_known(session: Session, site: str) -> bool:
    return session.fact(("orders of", site), lambda: session.row(_ANY, {"site": site}) is not None)


def known(session: Session, site: str, keys: Iterable[str]) -> tuple[KnownOrder, ...]:
    """The orders that have any of these names, in the order of the names; each once."""
    wanted = tuple(keys)
    named: list[tuple[int, int]] = []
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        padded = {f"key_{place}": part[place % len(part)] for place in range(_AT_ONCE)}
        for key, number in session.rows(_IDS, {"site": site, **padded}):
            named.append((wanted.index(key), number))
    return tuple(_known(session, number) for number in dict.fromkeys(number for _, number in sorted(named)))


def _known(session: Session, number: int) -> KnownOrder:
    row = session.row(_ORDER, {"order_id": number})
    assert row is not None, "its name stands in order_key"
    return KnownOrder(order_id=number, order=decode(row[0].encode(), ImagingOrder), control_id=row[1])


def write(
    session: Session,
    entry: OrderEntry,
    *,
    site: str,
    message_id: int,
    position: int,
    control_id: str,
    now: int,
) -> int:
    """Write an order, new or renewed, and the message's part in it; its number."""
    values: dict[str, Any] = {
        "placer": _number(entry.order.placer),
        "filler": _number(entry.order.filler),
        "accession": _number(entry.order.accession),
        "study_uid": entry.order.study_uids[0] if len(entry.order.study_uids) == 1 else "",
        "status": entry.order.status.value,
        "control_id": control_id,
        "updated_at": now,
        "canonical": encode(entry.order).decode(),
    }
    if entry.order_id:
        row = session.row(_VERSION, {"order_id": entry.order_id})
        number, version = entry.order_id, (row[0] if row else 0) + 1
        changes = {f"new_{name}": value for name, value in values.items()}
        session.run(_SET_ORDER, changes | {"new_version": version, "order_id": number})
    else:
        version = 1
        number = session.add(_ADD_ORDER, values | {"site": site, "version": 1, "created_at": now})
    _name(session, site, number, order_keys(entry.order))
    session.run(
        _ADD_LINK,
        {
            "message_id": message_id,
            "position": position,
            "order_id": number,
            "version": version,
            "control": entry.control,
            "status": entry.order.status.value,
            "trace": encode(Trace(provenance=entry.provenance, coverage=entry.coverage)).decode(),
        },
    )
    return number


def _name(session: Session, site: str, number: int, keys: tuple[str, ...]) -> None:
    """An order keeps the names it had: a report may come under any of them."""
    session.state(("orders of", site), True)
    have = {key for (key,) in session.rows(_KEYS, {"site": site, "order_id": number})}
    for key in keys:
        if key not in have:
            session.run(_ADD_KEY, {"site": site, "key": key, "order_id": number})


def _number(identifier: Identifier | None) -> str:
    return f"{identifier.value}^{identifier.system}" if identifier is not None else ""


# --- listings

_SHOWN = ("id", "site", "placer", "filler", "accession", "study_uid", "status", "version", "control_id")
_TIMES = ("created_at", "updated_at")
_LIST = (
    select(*(order.c[name] for name in (*_SHOWN, *_TIMES)))
    .where(
        order.c.id < bindparam("cursor"),
        or_(bindparam("site") == "", order.c.site == bindparam("site")),
        or_(bindparam("status") == "", order.c.status == bindparam("status")),
    )
    .order_by(order.c.id.desc())
    .limit(bindparam("most"))
)
_ONE = select(*(order.c[name] for name in (*_SHOWN, *_TIMES)), order.c.canonical).where(
    order.c.id == bindparam("order_id")
)
_MESSAGES = (
    select(
        message_order.c.message_id, message_order.c.version, message_order.c.control, message_order.c.status
    )
    .where(message_order.c.order_id == bindparam("order_id"))
    .order_by(message_order.c.version)
)


def listed(session: Session, *, site: str, status: str, cursor: int, limit: int) -> list[Row]:
    """Newest first; `cursor` is the last id of the page before."""
    params = {"site": site, "status": status, "cursor": cursor, "most": limit}
    return [_shown(row) for row in session.rows(_LIST, params)]


def one(session: Session, identifier: int) -> Row | None:
    """A row of `listed` with the canonical order and the messages that spoke of it."""
    row = session.row(_ONE, {"order_id": identifier})
    if row is None:
        return None
    names = ("message_id", "version", "control", "status")
    spoken = session.rows(_MESSAGES, {"order_id": identifier})
    return _shown(row[:-1]) | {
        "order": json.loads(row[-1]),
        "messages": [dict(zip(names, found, strict=True)) for found in spoken],
    }


def _shown(row: tuple[Any, ...]) -> Row:
    shown = dict(zip((*_SHOWN, *_TIMES), row, strict=True))
    return shown | {name: iso(shown[name]) for name in _TIMES}
