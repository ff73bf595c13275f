"""Several gateways on one store: nodes and their leases. Documents under which reports came, each by its id.

The revision stands in `alembic_version` alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _nodes()
    _documents()
    op.execute("DROP TABLE IF EXISTS schema_revision")


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _nodes() -> None:
    op.create_table(
        "node",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", _id(), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("audit_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("token"),
    )
    op.create_table(
        "lease",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("task_id", _id(), nullable=False, autoincrement=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("token", _id(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["node"], ["node.name"]),
        sa.PrimaryKeyConstraint("kind", "task_id"),
    )
    op.create_index("lease_by_node", "lease", ["node"])


def _documents() -> None:
    """Every report set by the document that is its current version, as it was found until now."""
    op.create_table(
        "report_document",
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("report_id", _id(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"]),
        sa.PrimaryKeyConstraint("site", "document_id"),
        if_not_exists=True,
    )
    op.execute(
        "INSERT INTO report_document (site, document_id, report_id) "
        "SELECT site, document_id, min(id) FROM report WHERE document_id <> '' AND NOT EXISTS "
        "(SELECT 1 FROM report_document d WHERE d.site = report.site AND d.document_id = report.document_id) "
        "GROUP BY site, document_id"
    )
    op.drop_index("report_by_document", "report", if_exists=True)
