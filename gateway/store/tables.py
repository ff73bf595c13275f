"""The durable tables (architecture §4), in SQLAlchemy Core; their names are the vocabulary of API and CLI.

Here: messages, reports, documents, deliveries. What stands around them (orders, identities, the audit trail,
destinations, nodes) is in `tables_around`, and named here as well: who imports this module has them all.

Times are integers, microseconds since 1970 in UTC. Values (report, context, findings…) are the JSON of
`gateway.model`. Bytes never share a row with a state that changes: `message` and `report_version` rows are
written once, `artifact` holds bytes by hash, `delivery` rows are small.
"""

from sqlalchemy import (
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

from gateway.store.columns import Id, Time, metadata
from gateway.store.tables_around import (
    audit,
    destination,
    identity,
    lease,
    message_order,
    node,
    order,
    order_key,
    report_patient,
)

__all__ = [
    "REVISION",
    "acknowledgement",
    "alembic_version",
    "artifact",
    "attempt",
    "audit",
    "delivery",
    "destination",
    "document",
    "identity",
    "judgement",
    "lease",
    "message",
    "message_order",
    "message_report",
    "metadata",
    "node",
    "order",
    "order_key",
    "report",
    "report_document",
    "report_patient",
    "report_version",
    "unvalidated",
]

REVISION = "0005"
"""Of the schema that this code reads and writes (the newest of `migrations/versions`); the table
`alembic_version` says what a store holds."""

alembic_version = Table("alembic_version", MetaData(), Column("version_num", Text, primary_key=True))

message = Table(
    "message",
    metadata,
    Column("id", Id, primary_key=True),
    Column("received_at", Time, nullable=False),
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
    Column("duplicate_of", Id, ForeignKey("message.id")),
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
    Column("id", Id, primary_key=True),
    Column("site", Text, nullable=False),
    Column("set_key", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),  # 0: only unvalidated content so far
    Column("content_hash", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    UniqueConstraint("site", "set_key", name="report_by_set"),
)

report_document = Table(
    "report_document",
    metadata,
    # How senders named the documents of a report set (ClinicalDocument/id, TXA-12): a later one chains by it.
    Column("site", Text, primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("report_id", Id, ForeignKey("report.id"), nullable=False),
)

message_report = Table(
    "message_report",
    metadata,
    Column("message_id", Id, ForeignKey("message.id"), primary_key=True),
    Column("position", Integer, primary_key=True),  # of the report in the message, from 0
    Column("report_id", Id, ForeignKey("report.id"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("number", Integer, nullable=False),  # version that the message made, 0: none
    # Deliveries owed by that version, written apart from the ledger so that the ledger can be checked.
    Column("owed", Integer, nullable=False),
    Index("message_report_by_report", "report_id", "message_id"),
)

report_version = Table(
    "report_version",
    metadata,
    Column("id", Id, primary_key=True),
    Column("report_id", Id, ForeignKey("report.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("message_id", Id, ForeignKey("message.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Time, nullable=False),
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
    Column("report_id", Id, ForeignKey("report.id"), primary_key=True),
    Column("message_id", Id, ForeignKey("message.id"), nullable=False),  # that last brought its text
    Column("status", Text, nullable=False),
    Column("radiologist", Text, nullable=False),  # PS_IdNat, "" when the message names nobody
    Column("radiologist_name", Text, nullable=False),
    Column("accession", Text, nullable=False),
    Column("since", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
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
    Column("version_id", Id, ForeignKey("report_version.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("sha256", Text, ForeignKey("artifact.sha256"), nullable=False),
    Column("created_at", Time, nullable=False),
)

judgement = Table(
    "judgement",
    metadata,
    # What rules said of the documents of a version when they were last made.
    Column("version_id", Id, ForeignKey("report_version.id"), primary_key=True),
    Column("sha256", Text, nullable=False),  # of the CDA; its bytes are an artifact also when it was refused
    Column("official", Integer, nullable=False),  # 1: the official rules were run
    Column("reason", Text, nullable=False),  # finding code that blocks, "" when it may be sent
    Column("findings", Text, nullable=False),
    Column("judged_at", Time, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Id, primary_key=True),
    Column("version_id", Id, ForeignKey("report_version.id"), nullable=False),
    # The lane: strictly one after the other, in the order of ids. `lane_recipient` is "" but for mails.
    Column("report_id", Id, ForeignKey("report.id"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("lane_recipient", Text, nullable=False),
    Column("recipient", Text),  # Recipient, NULL when the destination has none
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),  # finding code: why blocked, withheld, failed
    Column("attempts", Integer, nullable=False),  # settled ones, in all
    Column("tries", Integer, nullable=False),  # settled ones since `due_since`
    Column("due_since", Time),  # when it became pending, or was last retried by hand
    # Not NULL exactly where the delivery may start by itself at that time.
    Column("next_try", Time),
    Column("outcome", Text),  # Outcome of the last attempt
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
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
    Column("delivery_id", Id, ForeignKey("delivery.id"), primary_key=True),
    Column("about", Id, ForeignKey("delivery.id"), nullable=False),
    Column("told", Text),  # Acknowledged: the end as it was, whatever follows
)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", Id, ForeignKey("delivery.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", Time, nullable=False),
    Column("ended_at", Time, nullable=False),
    Column("outcome", Text, nullable=False),  # Outcome
)
