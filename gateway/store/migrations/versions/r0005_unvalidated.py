"""Reports that wait for their validation; of those that wait already only report and message are known."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "unvalidated",
        sa.Column("report_id", number, nullable=False),
        sa.Column("message_id", number, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("radiologist", sa.Text(), nullable=False),
        sa.Column("radiologist_name", sa.Text(), nullable=False),
        sa.Column("accession", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("report_id"),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"]),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
    )
    op.create_index("unvalidated_by_since", "unvalidated", ["since"])
    op.execute(
        "INSERT INTO unvalidated (report_id, message_id, status, radiologist, radiologist_name, accession, "
        "since, updated_at) SELECT r.id, max(m.message_id), r.status, '', '', '', r.created_at, r.updated_at "
        "FROM report r JOIN message_report m ON m.report_id = r.id WHERE r.version = 0 "
        "AND r.status NOT IN ('cancelled', 'entered-in-error') "
        "GROUP BY r.id, r.status, r.created_at, r.updated_at"
    )
