"""The statements of orders and identities keep their indexes, as those of `test_store_plans`."""

import sqlite3

import pytest
from sqlalchemy import Executable

from gateway.store import identities, orders
from tests.contract.test_store_plans import connection, plan  # noqa: F401  # `connection` is a fixture


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (orders._IDS, "order_key_1 (site=? AND key=?)"),
        (orders._ORDER, "INTEGER PRIMARY KEY (rowid=?)"),
        (orders._LIST, "INTEGER PRIMARY KEY (rowid<?)"),
        (orders._ONE, "INTEGER PRIMARY KEY (rowid=?)"),
        (orders._MESSAGES, "message_order_by_order (order_id=?)"),
        (identities._RECORD, "identity_1 (site=? AND key=?)"),
        (identities._MERGED, "identity_by_merged (site=? AND merged_into=?)"),
        (identities._PATIENT_KNOWN, "report_patient_1 (site=? AND key=? AND report_id=?)"),
        (identities._OPEN, "report_patient_1 (site=? AND key=?)"),
        (identities._ROWS, "delivery_by_lane (report_id=? AND destination=?)"),
        (identities._CURRENT, "report_version_1 (report_id=? AND number=?)"),
        (identities._LIST, "identity_1 (site=? AND key>? AND key<?)"),
    ],
)
def test_no_statement_of_the_feed_reads_a_whole_table(
    connection: sqlite3.Connection,  # noqa: F811  # the fixture
    statement: Executable,
    expected: str,
) -> None:
    steps = plan(connection, statement)
    assert any(expected in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps
