"""The schema as it was before migrations were kept: what `schema_revision` called 2.

A store of that time may lack what was added to it without a new number: it gets that here.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = None


def upgrade() -> None:
    _messages()
    _reports()
    _feed()
    _deliveries()
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER IF NOT EXISTS audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
            )
    else:
        _guard_audit_on_postgresql()


def _guard_audit_on_postgresql() -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'integrity_constraint_violation'; "
        "END $$"
    )
    for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            f"FOR EACH {each} EXECUTE FUNCTION audit_append_only()"
        )


def _table(name: str, *parts: Any) -> None:
    op.create_table(name, *parts, if_not_exists=True)


def _index(name: str, table: str, columns: list[str], **options: Any) -> None:
    op.create_index(name, table, columns, if_not_exists=True, **options)


def _id() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _messages() -> None:
    _table(
        "artifact",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    _table(
        "audit",
        sa.Column("id", _id(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("message_id", _id(), nullable=True),
        sa.Column("report_id", _id(), nullable=True),
        sa.Column("delivery_id", _id(), nullable=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _table(
        "destination",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _table(
        "message",
        sa.Column("id", _id(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Text(), nullable=False),
        sa.Column("sending_application", sa.Text(), nullable=False),
        sa.Column("sending_facility", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("duplicate_of", _id(), nullable=True),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["duplicate_of"],
            ["message.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedupe_key"),
    )
    _index("message_by_control_id", "message", ["control_id", "id"])
    _index("message_by_site", "message", ["site", "id"])
    _index("message_by_state", "message", ["state", "id"])


def _reports() -> None:
    _table(
        "report",
        sa.Column("id", _id(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("set_key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("site", "set_key", name="report_by_set"),
    )
    _index("report_by_document", "report", ["site", "document_id"])
    _table(
        "message_report",
        sa.Column("message_id", _id(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("report_id", _id(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["report.id"],
        ),
        sa.PrimaryKeyConstraint("message_id", "position"),
    )
    _index("message_report_by_report", "message_report", ["report_id", "message_id"])
    _table(
        "report_version",
        sa.Column("id", _id(), nullable=False),
        sa.Column("report_id", _id(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("message_id", _id(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["report.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("report_id", "number", name="report_version_by_number"),
    )
    _table(
        "document",
        sa.Column("version_id", _id(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sha256"],
            ["artifact.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["report_version.id"],
        ),
        sa.PrimaryKeyConstraint("version_id", "position"),
    )
    _table(
        "judgement",
        sa.Column("version_id", _id(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("official", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("judged_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["report_version.id"],
        ),
        sa.PrimaryKeyConstraint("version_id"),
    )


def _feed() -> None:
    _table(
        "order",
        sa.Column("id", _id(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("placer", sa.Text(), nullable=False),
        sa.Column("filler", sa.Text(), nullable=False),
        sa.Column("accession", sa.Text(), nullable=False),
        sa.Column("study_uid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("order_by_site", "order", ["site", "id"])
    _table(
        "order_key",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("order_id", _id(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["order.id"],
        ),
        sa.PrimaryKeyConstraint("site", "key", "order_id"),
    )
    _table(
        "message_order",
        sa.Column("message_id", _id(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("order_id", _id(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("control", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["order.id"],
        ),
        sa.PrimaryKeyConstraint("message_id", "position"),
    )
    _index("message_order_by_order", "message_order", ["order_id", "message_id"])
    _table(
        "identity",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("ins", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opposition", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Text(), nullable=False),
        sa.Column("message_id", _id(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.PrimaryKeyConstraint("site", "key"),
    )
    _index("identity_by_merged", "identity", ["site", "merged_into"])
    _table(
        "report_patient",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("report_id", _id(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["report.id"],
        ),
        sa.PrimaryKeyConstraint("site", "key", "report_id"),
    )


def _deliveries() -> None:
    _table(
        "delivery",
        sa.Column("id", _id(), nullable=False),
        sa.Column("version_id", _id(), nullable=False),
        sa.Column("report_id", _id(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("lane_recipient", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_since", sa.BigInteger(), nullable=True),
        sa.Column("next_try", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["report.id"],
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["report_version.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("delivery_by_lane", "delivery", ["report_id", "destination", "lane_recipient", "id", "state"])
    _index("delivery_by_state", "delivery", ["destination", "state", "id"])
    _index("delivery_by_version", "delivery", ["version_id"])
    _index(
        "delivery_due",
        "delivery",
        ["destination", "next_try", "id"],
        sqlite_where=sa.text("next_try IS NOT NULL"),
        postgresql_where=sa.text("next_try IS NOT NULL"),
    )
    _index(
        "delivery_planned",
        "delivery",
        ["version_id"],
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )
    _table(
        "attempt",
        sa.Column("delivery_id", _id(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number"),
    )
    _table(
        "acknowledgement",
        sa.Column("delivery_id", _id(), nullable=False),
        sa.Column("about", _id(), nullable=False),
        sa.ForeignKeyConstraint(
            ["about"],
            ["delivery.id"],
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
        ),
        sa.PrimaryKeyConstraint("delivery_id"),
    )
