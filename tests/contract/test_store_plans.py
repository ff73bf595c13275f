"""The hot statements keep their indexes: asked of the planner with the very statements that run."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Executable

from gateway.store import claim_statements as claims
from gateway.store import listings
from gateway.store import statements as named
from gateway.store.connection import connect_writer, prepare
from gateway.store.sqlite_session import compiled


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    path: Path = tmp_path_factory.mktemp("plans") / "gateway.db"
    prepare(path)
    return connect_writer(path)


def plan(connection: sqlite3.Connection, statement: Executable) -> list[str]:
    text = compiled(statement).text
    names = {"most": 10, "now": 1, "destination": "dmp", "state": "failed", "site": "s", "cursor": 9}
    params = _Anything(names)
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", params)]


class _Anything(dict[str, object]):
    def __missing__(self, name: str) -> object:
        return 0


LANE = "delivery_by_lane (report_id=? AND destination=? AND lane_recipient=? AND id<?)"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (named.DUPLICATE, ["sqlite_autoindex_message_1 (dedupe_key=?)"]),
        (named.REPORT_OF_SET, ["sqlite_autoindex_report_1 (site=? AND set_key=?)"]),
        (named.ARTIFACT_KNOWN, ["sqlite_autoindex_artifact_1 (sha256=?)"]),
        (claims.PLANNED_VERSIONS, ["SCAN delivery USING INDEX delivery_planned"]),
        (
            claims.DUE,
            [
                "delivery_due (destination=? AND next_try<?)",
                f"SEARCH earlier USING COVERING INDEX {LANE}",
                "sqlite_autoindex_document_1 (version_id=?)",
            ],
        ),
        (claims.HASTEN, ["delivery_due (destination=? AND next_try>?)"]),
        (claims.NEXT_DUE, ["COVERING INDEX delivery_due (destination=? AND next_try>?)"]),
        (named.DELIVERY_STATE, ["INTEGER PRIMARY KEY (rowid=?)"]),
        (named.VERSION_DELIVERIES, ["INDEX delivery_by_version (version_id=?)"]),
        (named.PREDECESSORS, [LANE]),
        (listings.MESSAGES_BY_CONTROL_ID, ["message_by_control_id (control_id=? AND id<?)"]),
        (listings.MESSAGES_BY_STATE, ["message_by_state (state=? AND id<?)"]),
        (listings.MESSAGES_BY_SITE, ["message_by_site (site=? AND id<?)"]),
        (listings.DELIVERIES_BY_STATE, ["delivery_by_state (destination=? AND state=? AND id<?)"]),
        (listings.DELIVERY_COUNTS, ["SCAN delivery USING COVERING INDEX delivery_by_state"]),
        (listings.MESSAGE_COUNTS, ["SCAN message USING COVERING INDEX message_by_state"]),
    ],
    ids=lambda value: "→".join(value) if isinstance(value, list) else "",
)
def test_a_hot_statement_uses_its_index(
    connection: sqlite3.Connection, statement: Executable, expected: list[str]
) -> None:
    lines = plan(connection, statement)
    for index in expected:
        assert any(index in line for line in lines), lines


WHOLE = {"UNBALANCED", "OWED", "BALANCED", "WITHOUT_REPORT", "AUDIT", "UNAUDITED"}
"""Read everything: they belong to `gateway doctor`."""
FEW = {"DELIVERIES_OF_REPORT", "DELIVERIES_OF_MESSAGE", "PAUSED", "AUDIT_LAST"}
"""Sort the rows of one report or message, scan the few destinations, take the last row of a scan."""


def test_no_other_statement_sorts_or_scans_a_table(connection: sqlite3.Connection) -> None:
    slow = {
        f"{name}: {line}"
        for module in (named, listings)
        for name, statement in vars(module).items()
        if name.isupper() and isinstance(statement, Executable) and name not in WHOLE | FEW
        for line in plan(connection, statement)
        if "TEMP B-TREE" in line or (line.startswith("SCAN") and "INDEX" not in line)
    }
    assert slow == set()
