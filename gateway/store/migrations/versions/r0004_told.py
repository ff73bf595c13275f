"""What a ZAM tells is kept with it; those planned before tell the end of their delivery as it is now."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("acknowledgement", sa.Column("told", sa.Text()))
    connection = op.get_bind()
    ends = connection.execute(
        sa.text(
            "SELECT a.delivery_id, d.id, d.destination, d.state, d.updated_at, d.recipient, d.outcome, "
            "d.reason FROM acknowledgement a JOIN delivery d ON d.id = a.about"
        )
    ).all()
    for one in ends:
        connection.execute(
            sa.text("UPDATE acknowledgement SET told = :told WHERE delivery_id = :delivery_id"),
            {"delivery_id": one[0], "told": _told(*one[1:])},
        )


def _told(
    delivery_id: int,
    destination: str,
    state: str,
    ended_at: int,
    recipient: str | None,
    outcome: str | None,
    reason: str,
) -> str:
    told = {
        "delivery_id": delivery_id,
        "destination": destination,
        "state": state,
        "ended_at": datetime.fromtimestamp(ended_at / 1e6, UTC).isoformat(),
        "recipient": json.loads(recipient) if recipient else None,
        "outcome": json.loads(outcome) if outcome else None,
        "reason": reason,
    }
    return json.dumps(told, ensure_ascii=False)
