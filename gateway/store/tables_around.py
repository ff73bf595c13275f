"""The tables around reports and deliveries: orders, identities, the audit trail, destinations, nodes."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from gateway.store.columns import Id, Time, metadata

order = Table(
    "order",
    metadata,
    Column("id", Id, primary_key=True),
    Column("site", Text, nullable=False),
    # Numbers as `value^system`, "" when the order has none.
    Column("placer", Text, nullable=False),
    Column("filler", Text, nullable=False),
    Column("accession", Text, nullable=False),
    Column("study_uid", Text, nullable=False),  # the only one, "" for none or several
    Column("status", Text, nullable=False),
    Column("control_id", Text, nullable=False),  # MSH-10 of the message that last spoke of it
    Column("version", Integer, nullable=False),  # counts the messages that changed it
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("canonical", Text, nullable=False),  # ImagingOrder
    Index("order_by_site", "site", "id"),
)

order_key = Table(
    "order_key",
    metadata,
    # `accession:value^system`, `placer:…`, `filler:…`, `study:uid` (model.order.keys)
    Column("site", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("order_id", Id, ForeignKey("order.id"), primary_key=True),
)

message_order = Table(
    "message_order",
    metadata,
    Column("message_id", Id, ForeignKey("message.id"), primary_key=True),
    Column("position", Integer, primary_key=True),  # of the order in the message, from 0
    Column("order_id", Id, ForeignKey("order.id"), nullable=False),
    Column("version", Integer, nullable=False),  # of the order that the message made
    Column("control", Text, nullable=False),  # ORC-1
    Column("status", Text, nullable=False),
    Column("trace", Text, nullable=False),  # provenance and coverage
    Index("message_order_by_order", "order_id", "message_id"),
)

identity = Table(
    "identity",
    metadata,
    Column("site", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # `value^system` of an IPP or a matricule INS
    Column("ins", Text, nullable=False),
    Column("status", Text, nullable=False),  # IdentityStatus
    Column("opposition", Text, nullable=False),  # `opposed`, `not opposed`, "" not said
    Column("merged_into", Text, nullable=False),  # key, "" when it speaks for itself
    Column("message_id", Id, ForeignKey("message.id"), nullable=False),  # that last changed it
    Column("updated_at", Time, nullable=False),
    Column("record", Text, nullable=False),  # IdentityRecord
    Index("identity_by_merged", "site", "merged_into"),
)

report_patient = Table(
    "report_patient",
    metadata,
    Column("site", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # of the report's patient, as in `identity`
    Column("report_id", Id, ForeignKey("report.id"), primary_key=True),
)

audit = Table(
    "audit",
    metadata,
    # Only ever appended to: `connection.TRIGGERS` refuse anything else.
    Column("id", Id, primary_key=True),
    Column("at", Time, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("message_id", Id),
    Column("report_id", Id),
    Column("delivery_id", Id),
    Column("destination", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("patient", Text, nullable=False),  # keyed hash
    Column("previous", Text, nullable=False),  # hash of the row before
    Column("hash", Text, nullable=False),
)

destination = Table(
    "destination",
    metadata,
    # One row a destination that an operator ever paused.
    Column("name", Text, primary_key=True),
    Column("paused_at", Time),  # NULL: it works
    Column("actor", Text, nullable=False),
)

node = Table(
    "node",
    metadata,
    # One row a gateway that ever served this store (PostgreSQL; on SQLite there is one, and no row).
    Column("name", Text, primary_key=True),  # of its data folder
    Column("token", Id, nullable=False, unique=True),  # of its run: grows with every start, and every loss
    Column("until", Time),  # the database's clock; NULL: stopped, or its work was taken over
    Column("host", Text, nullable=False),
    Column("audit_key", Text, nullable=False),  # fingerprint: every node must have the same key
)

lease = Table(
    "lease",
    metadata,
    # What a node has in hand; whoever has lost the lease can settle nothing.
    Column("kind", Text, primary_key=True),  # Task.kind
    Column("task_id", Id, primary_key=True, autoincrement=False),
    Column("node", Text, ForeignKey("node.name"), nullable=False),
    Column("token", Id, nullable=False),
    Column("begun", Integer, nullable=False),  # 1: what cannot be repeated may have left
    Index("lease_by_node", "node"),
)
