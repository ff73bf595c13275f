"""The hot statements keep their indexes on PostgreSQL: the planner is asked with the very statements."""

from collections import defaultdict

import psycopg
import pytest
from sqlalchemy import Executable

from gateway.store import claim_statements as claims
from gateway.store import leasing, listings, nodes
from gateway.store import statements as named
from gateway.store.postgres_session import _compiled
from tests.postgres_support import Server

pytestmark = [pytest.mark.postgres]

VALUES: dict[str, object] = {"most": 10, "now": 1, "cursor": 9, "limit": 10, "destination": "dmp"}
TEXTS = ("state", "site", "set_key", "dedupe_key", "sha256", "of_kind", "node", "lane_recipient")
FILLING = """
INSERT INTO message SELECT
  n, 1, 'hl7v2', '', 's', '', n::text, '', '', 'accepted', n::text, NULL, '[]', '', 0, ''
  FROM generate_series(1, 20000) n;
INSERT INTO report SELECT n, 's', n::text, 'final', 1, '', '', 1, 1 FROM generate_series(1, 20000) n;
INSERT INTO report_version SELECT n, n, 1, n, 'final', 1, '', '', '', '', '' FROM generate_series(1, 20000) n;
INSERT INTO delivery SELECT
  n, n, n, 'dmp', '', NULL, 'create', CASE n % 100 WHEN 0 THEN 'pending' ELSE 'delivered' END,
  '', 0, 0, NULL, CASE n % 100 WHEN 0 THEN n END, NULL, 1, 1 FROM generate_series(1, 20000) n;
INSERT INTO artifact SELECT n::text, '', 0, '' FROM generate_series(1, 20000) n;
INSERT INTO document SELECT n, 0, 'cda', '', '', n::text, 1 FROM generate_series(1, 20000) n;
INSERT INTO node VALUES ('a', 1, NULL, '', ''), ('b', 2, NULL, '', '');
INSERT INTO lease SELECT 'deliver', n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, 1, 0
  FROM generate_series(1, 5000) n;
ANALYZE
"""


@pytest.fixture(scope="module")
def filled(postgres_server: Server) -> str:
    """A store as large as it takes the planner to think about it."""
    url = postgres_server.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILLING.encode())
    return url


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        (named.DUPLICATE, ["message_dedupe_key_key"]),
        (named.REPORT_OF_SET, ["report_by_set"]),
        (named.ARTIFACT_KNOWN, ["artifact_pkey"]),
        (claims.NEXT_DUE, ["delivery_due"]),
        (named.VERSION_DELIVERIES, ["delivery_by_version"]),
        (named.LANE, ["delivery_by_lane"]),
        (leasing._VERSIONS, ["delivery_planned", "lease_pkey"]),
        (leasing._DUE, ["delivery_due", "delivery_by_lane", "lease_pkey", "document_pkey"]),
        (nodes._LEASED, ["lease_pkey"]),
        (listings.MESSAGES_BY_STATE, ["message_by_state"]),
        (listings.DELIVERIES_BY_STATE, ["delivery_by_state"]),
    ],
    ids=lambda value: "→".join(value) if isinstance(value, list) else "",
)
def test_a_hot_statement_uses_its_index(filled: str, statement: Executable, indexes: list[str]) -> None:
    text, constants, _ = _compiled(statement)
    values = defaultdict(int, {**dict.fromkeys(TEXTS, "x"), **VALUES, **constants})
    with psycopg.connect(filled) as connection:
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {text}".encode(), values))
    for index in indexes:
        assert index in plan, plan
    assert "Seq Scan" not in plan, plan
