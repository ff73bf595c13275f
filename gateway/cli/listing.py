"""Listings of the command line: read the store beside a running server, never write."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.common import emit, fail, settings
from gateway.cli.tables import field, fields, pairs, part, show

if TYPE_CHECKING:
    from gateway.ports import Queries


@contextmanager
def reading(config: Path | None) -> "Iterator[Queries]":
    """The store of the settings, beside whoever serves it."""
    from gateway.ports import StoreUnavailableError
    from gateway.store import SchemaError, StoreQueries, exists

    database = settings(config).database
    if not exists(database):
        fail(f"no store at {database}: start `gateway serve` first, or set GATEWAY_DATA_DIR")
    try:
        queries = StoreQueries.open(database)
    except (SchemaError, StoreUnavailableError) as wrong:
        fail(str(wrong))
    try:
        yield queries
    finally:
        queries.close()


_MESSAGES = ("id", "received_at", "message_type", "control_id", "state", "site", "report_ids", "finding")


def messages(state: str, control_id: str, limit: int, as_json: bool, config: Path | None) -> None:
    """Newest first; columns id, time, type, control id, state, reports, the gravest finding."""
    from gateway.model.delivery import MessageState

    _known(state, [one.value for one in MessageState])
    with reading(config) as queries:
        rows = queries.messages(state=state, control_id=control_id, site="", cursor=0, limit=limit)
    show(rows, _MESSAGES, as_json)


def deliveries(state: str, destination: str, limit: int, as_json: bool, config: Path | None) -> None:
    """Newest first; columns id, destination, recipient, action, state, attempts, outcome."""
    from gateway.model.delivery import DeliveryState, Destination

    _known(state, [one.value for one in DeliveryState])
    _known(destination, [one.value for one in Destination], "--destination")
    with reading(config) as queries:
        rows = queries.deliveries(state=state, destination=destination, cursor=0, limit=limit)
    columns = (
        "id",
        "report_id",
        "destination",
        "recipient",
        "action",
        "state",
        "attempts",
        "next_try",
        "reason",
        "outcome",
    )
    show(rows, columns, as_json)
    if not as_json:
        _held_up(rows, config)


def _held_up(deliveries: list[dict[str, Any]], config: Path | None) -> None:
    """Under what is shown: which of the destinations that these wait for are down, and when they are asked
    again. That counts, not the next try of each delivery."""
    from gateway.cli.operating import readiness
    from gateway.pipeline.watch import trouble

    destinations = {row["destination"] for row in deliveries if row["state"] in ("pending", "waiting")}
    said = readiness(settings(config)) if destinations else None
    for name, down in sorted(said["circuits"].items() if said else ()):
        if name in destinations:
            print(f"\n{name} is {trouble(down)}")


def delivery(identifier: int, as_json: bool, config: Path | None) -> None:
    """One delivery, and a line an attempt."""
    with reading(config) as queries:
        row = queries.delivery(identifier)
    if row is None:
        fail(f"no delivery {identifier}")
    if as_json:
        emit([row])
        return
    fields(row, "attempts_made", "remote_ids")
    if row["remote_ids"]:
        field("remote_ids", pairs(row["remote_ids"]))
    made = [{**one, **one["outcome"]} for one in row["attempts_made"]]
    part("attempts", made, ("number", "started_at", "ended_at", "kind", "code", "detail"))
    _held_up([row], config)


def audit(
    action: str, actor: str, report: int, patient: str, limit: int, as_json: bool, config: Path | None
) -> None:
    """Newest first; columns time, action, actor, report, delivery, destination, result, patient."""
    hashed = ""
    if patient:
        from gateway.store.audit import hash_of

        try:
            hashed = hash_of(settings(config).data_dir, patient)
        except OSError as wrong:
            fail(f"the key of the patient hashes: {wrong.filename}: {wrong.strerror}")
    with reading(config) as queries:
        rows = queries.audit(action=action, actor=actor, report_id=report, patient=hashed, limit=limit)
    shown = ("at", "action", "actor", "message_id", "report_id", "delivery_id", "destination", "result")
    show(rows, (*shown, "patient"), as_json)


def orders(status: str, site: str, limit: int, as_json: bool, config: Path | None) -> None:
    """Newest first; columns id, site, numbers, study, status, how many messages spoke of it, the last one."""
    from gateway.model.order import OrderStatus

    _known(status, [one.value for one in OrderStatus], "--status")
    with reading(config) as queries:
        rows = queries.orders(site=site, status=status, cursor=0, limit=limit)
    columns = (
        "id",
        "site",
        "placer",
        "filler",
        "accession",
        "study_uid",
        "status",
        "version",
        "control_id",
        "updated_at",
    )
    show(rows, columns, as_json)


def order(identifier: int, as_json: bool, config: Path | None) -> None:
    """One order as JSON (`gateway.order/1`) under its row, and the messages that spoke of it."""
    with reading(config) as queries:
        row = queries.order(identifier)
    if row is None:
        fail(f"no order {identifier}")
    if as_json:
        emit([row])
        return
    fields(row, "order", "messages")
    part("messages", row["messages"], tuple(row["messages"][0]) if row["messages"] else ())
    print()
    print(json.dumps(row["order"], ensure_ascii=False, indent=2))


def identities(site: str, number: str, limit: int, as_json: bool, config: Path | None) -> None:
    """By identifier; columns identifier, matricule, status, opposition, merged into, message, time."""
    current = settings(config)
    with reading(config) as queries:
        rows = queries.identities(site=site or current.site, number=number, limit=limit)
    show(
        rows,
        ("key", "ins", "status", "opposition", "merged_into", "message_id", "updated_at"),
        as_json,
    )


def message(identifier: int, raw: bool, as_json: bool, config: Path | None) -> None:
    """One message; `raw`: the received bytes alone."""
    with reading(config) as queries:
        if raw:
            from gateway.cli.operating import note

            data = queries.raw(identifier)
            if data is None:
                fail(f"no message {identifier}")
            note(settings(config), "read", message_id=identifier, result="raw")
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        row = queries.message(identifier)
    if row is None:
        fail(f"no message {identifier}")
    if as_json:
        emit([row])
        return
    fields(row, "findings", "reports", "judgements", "deliveries")
    for found in row["findings"]:
        field("finding", _finding(found))
    part("reports", row["reports"], ("id", "set_key", "status", "verdict", "version"))
    for judgement in row["judgements"]:
        print()
        field("judgement", pairs({**judgement, "findings": len(judgement["findings"])}))
        for found in judgement["findings"]:
            field("  document finding", _finding(found))
    part("deliveries", row["deliveries"], _OF_MESSAGE)
    _held_up(row["deliveries"], config)


_OF_MESSAGE = (
    *("id", "report_id", "version", "destination", "recipient", "action", "state", "attempts"),
    *("next_try", "reason", "outcome"),
)


def _finding(found: dict[str, Any]) -> str:
    """One line: severity, code, place, text, what was found."""
    place = f" {found['location']}" if found.get("location") else ""
    detail = f" ({found['detail']})" if found.get("detail") else ""
    return f"{found['severity']} {found['code']}{place}: {found.get('text', '')}{detail}"


def _known(state: str, states: list[str], option: str = "--state") -> None:
    if state and state not in states:
        fail(f"{option} {state}: expected one of {', '.join(states)}", 2)
