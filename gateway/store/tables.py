"""The durable tables (architecture §4), in SQLAlchemy Core; their names are the vocabulary of API and CLI.

Times are integers, microseconds since 1970 in UTC. Values (report, context, findings…) are the JSON of
`gateway.model`. Bytes never share a row with a state that changes: `message` and `report_version` rows are
written once, `artifact` holds bytes by hash, `delivery` rows are small.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

REVISION = "0005"
"""Of the schema that this code reads and writes (the newest of `migrations/versions`); the table
`alembic_version` says what a store holds."""

metadata = MetaData()
alembic_version = Table("alembic_version", MetaData(), Column("version_num", Text, primary_key=True))

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only under INTEGER
_Time = BigInteger()

message = Table(
    "message",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("received_at", _Time, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("message_type", Text, nullable=False),
    Column("control_id", Text, nullable=False),
    Column("sending_application", Text, nullable=False),
    Column("sending_facility", Text, nullable=False),
    Column("state", Text, nullable=False),
    # NULL where no later message may be answered by this one: it was rejected, or is itself a duplicate.
    Column("dedupe_key", Text, unique=True),
    Column("duplicate_of", _Id, ForeignKey("message.id")),
    Column("findings", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("raw", LargeBinary, nullable=False),  # last: listings never touch its pages
    Index("message_by_control_id", "control_id", "id"),
    Index("message_by_state", "state", "id"),
    Index("message_by_site", "site", "id"),
)

report = Table(
    "report",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("site", Text, nullable=False),
    Column("set_key", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),  # 0: only unvalidated content so far
    Column("content_hash", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("updated_at", _Time, nullable=False),
    UniqueConstraint("site", "set_key", name="report_by_set"),
)

report_document = Table(
    "report_document",
    metadata,
    # How senders named the documents of a report set (ClinicalDocument/id, TXA-12): a later one chains by it.
    Column("site", Text, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("report_id", _Id, ForeignKey("report.id"), nullable=False),
)

message_report = Table(
    "message_report",
    metadata,
    Column("message_id", _Id, ForeignKey("message.id"), primary_key=True),
    Column("position", Integer, primary_key=True),  # of the report in the message, from 0
    Column("report_id", _Id, ForeignKey("report.id"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("number", Integer, nullable=False),  # version that the message made, 0: none
    # Deliveries owed by that version, written apart from the ledger so that the ledger can be checked.
    Column("owed", Integer, nullable=False),
    Index("message_report_by_report", "report_id", "message_id"),
)

report_version = Table(
    "report_version",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("report_id", _Id, ForeignKey("report.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("message_id", _Id, ForeignKey("message.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("identity", Text, nullable=False),  # VersionIdentity
    Column("context", Text, nullable=False),  # SubmissionContext
    Column("report", Text, nullable=False),  # ImagingReport, canonical
    Column("trace", Text, nullable=False),  # provenance and coverage
    UniqueConstraint("report_id", "number", name="report_version_by_number"),
)

unvalidated = Table(
    "unvalidated",
    metadata,
    # Reports that wait for their validation; the row goes when a message validates or withdraws the report.
    Column("report_id", _Id, ForeignKey("report.id"), primary_key=True),
    Column("message_id", _Id, ForeignKey("message.id"), nullable=False),  # that last brought its text
    Column("status", Text, nullable=False),
    Column("radiologist", Text, nullable=False),  # PS_IdNat, "" when the message names nobody
    Column("radiologist_name", Text, nullable=False),
    Column("accession", Text, nullable=False),
    Column("since", _Time, nullable=False),
    Column("updated_at", _Time, nullable=False),
    Index("unvalidated_by_since", "since"),
)

artifact = Table(
    "artifact",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

document = Table(
    "document",
    metadata,
    Column("version_id", _Id, ForeignKey("report_version.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("sha256", Text, ForeignKey("artifact.sha256"), nullable=False),
    Column("created_at", _Time, nullable=False),
)

judgement = Table(
    "judgement",
    metadata,
    # What rules said of the documents of a version when they were last made.
    Column("version_id", _Id, ForeignKey("report_version.id"), primary_key=True),
    Column("sha256", Text, nullable=False),  # of the CDA; its bytes are an artifact also when it was refused
    Column("official", Integer, nullable=False),  # 1: the official rules were run
    Column("reason", Text, nullable=False),  # finding code that blocks, "" when it may be sent
    Column("findings", Text, nullable=False),
    Column("judged_at", _Time, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("version_id", _Id, ForeignKey("report_version.id"), nullable=False),
    # The lane: strictly one after the other, in the order of ids. `lane_recipient` is "" but for mails.
    Column("report_id", _Id, ForeignKey("report.id"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("lane_recipient", Text, nullable=False),
    Column("recipient", Text),  # Recipient, NULL when the destination has none
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),  # finding code: why blocked, withheld, failed
    Column("attempts", Integer, nullable=False),  # settled ones, in all
    Column("tries", Integer, nullable=False),  # settled ones since `due_since`
    Column("due_since", _Time),  # when it became pending, or was last retried by hand
    # Not NULL exactly where the delivery may start by itself at that time.
    Column("next_try", _Time),
    Column("outcome", Text),  # Outcome of the last attempt
    Column("created_at", _Time, nullable=False),
    Column("updated_at", _Time, nullable=False),
    Index("delivery_by_lane", "report_id", "destination", "lane_recipient", "id", "state"),
    Index("delivery_by_version", "version_id"),
    # Destination first, else the planner prefers it to `delivery_planned`.
    Index("delivery_by_state", "destination", "state", "id"),
    Index(
        "delivery_due",
        "destination",
        "next_try",
        "id",
        sqlite_where=text("next_try IS NOT NULL"),
        postgresql_where=text("next_try IS NOT NULL"),
    ),
    Index(
        "delivery_planned",
        "version_id",
        sqlite_where=text("state = 'planned'"),
        postgresql_where=text("state = 'planned'"),
    ),
)

acknowledgement = Table(
    "acknowledgement",
    metadata,
    # A ZAM is a delivery that tells the end of another one (hl7v2.md §1.8).
    Column("delivery_id", _Id, ForeignKey("delivery.id"), primary_key=True),
    Column("about", _Id, ForeignKey("delivery.id"), nullable=False),
    Column("told", Text),  # Acknowledged: the end as it was, whatever follows
)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", _Id, ForeignKey("delivery.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", _Time, nullable=False),
    Column("ended_at", _Time, nullable=False),
    Column("outcome", Text, nullable=False),  # Outcome
)

order = Table(
    "order",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("site", Text, nullable=False),
    # Numbers as `value^system`, "" when the order has none.
    Column("placer", Text, nullable=False),
    Column("filler", Text, nullable=False),
    Column("accession", Text, nullable=False),
    Column("study_uid", Text, nullable=False),  # the only one, "" for none or several
    Column("status", Text, nullable=False),
    Column("control_id", Text, nullable=False),  # MSH-10 of the message that last spoke of it
    Column("version", Integer, nullable=False),  # counts the messages that changed it
    Column("created_at", _Time, nullable=False),
    Column("updated_at", _Time, nullable=False),
    Column("canonical", Text, nullable=False),  # ImagingOrder
    Index("order_by_site", "site", "id"),
)

order_key = Table(
    "order_key",
    metadata,
    # `accession:value^system`, `placer:…`, `filler:…`, `study:uid` (model.order.keys)
    Column("site", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("order_id", _Id, ForeignKey("order.id"), primary_key=True),
)

message_order = Table(
    "message_order",
    metadata,
    Column("message_id", _Id, ForeignKey("message.id"), primary_key=True),
    Column("position", Integer, primary_key=True),  # of the order in the message, from 0
    Column("order_id", _Id, ForeignKey("order.id"), nullable=False),
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
    Column("message_id", _Id, ForeignKey("message.id"), nullable=False),  # that last changed it
    Column("updated_at", _Time, nullable=False),
    Column("record", Text, nullable=False),  # IdentityRecord
    Index("identity_by_merged", "site", "merged_into"),
)

report_patient = Table(
    "report_patient",
    metadata,
    Column("site", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # of the report's patient, as in `identity`
    Column("report_id", _Id, ForeignKey("report.id"), primary_key=True),
)

audit = Table(
    "audit",
    metadata,
    # Only ever appended to: `connection.TRIGGERS` refuse anything else.
    Column("id", _Id, primary_key=True),
    Column("at", _Time, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("message_id", _Id),
    Column("report_id", _Id),
    Column("delivery_id", _Id),
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
    Column("paused_at", _Time),  # NULL: it works
    Column("actor", Text, nullable=False),
)

node = Table(
    "node",
    metadata,
    # One row a gateway that ever served this store (PostgreSQL; on SQLite there is one, and no row).
    Column("name", Text, primary_key=True),  # of its data folder
    Column("token", _Id, nullable=False, unique=True),  # of its run: grows with every start, and every loss
    Column("until", _Time),  # the database's clock; NULL: stopped, or its work was taken over
    Column("host", Text, nullable=False),
    Column("audit_key", Text, nullable=False),  # fingerprint: every node must have the same key
)

lease = Table(
    "lease",
    metadata,
    # What a node has in hand; whoever has lost the lease can settle nothing.
    Column("kind", Text, primary_key=True),  # Task.kind
    Column("task_id", _Id, primary_key=True, autoincrement=False),
    Column("node", Text, ForeignKey("node.name"), nullable=False),
    Column("token", _Id, nullable=False),
    Column("begun", Integer, nullable=False),  # 1: what cannot be repeated may have left
    Index("lease_by_node", "node"),
)
