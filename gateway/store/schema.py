"""The schema of a store: made where there is none, checked where there is one; never changed here.

A store of another revision is refused with the advice (`migrations/` changes it, on `gateway db upgrade`).
"""

from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.store.session import Session
from gateway.store.tables import REVISION, alembic_version, metadata

_VERSION = alembic_version.select()
BEFORE_ALEMBIC = "0002"
"""Of the stores that say it in the table `schema_revision`, or nowhere."""


class SchemaError(Exception):
    """The store holds a schema that this code does not know."""


def create(session: Session) -> None:
    """Make the schema in an empty database, inside the caller's transaction."""
    session.script(ddl(session.dialect))
    session.run(alembic_version.insert(), {"version_num": REVISION})


def check_revision(session: Session) -> None:
    """Raises SchemaError when the store was written by another revision of the schema, or is none."""
    found = revision(session)
    if not found:
        raise SchemaError("the database holds no store: start `gateway serve` first")
    if found != REVISION:
        advice = (
            "stop every gateway on it, save it, run `gateway db upgrade`"
            if found < REVISION
            else "it was written by a newer gateway: install that one"
        )
        raise SchemaError(f"the store has schema revision {found}, this gateway needs {REVISION}: {advice}")


def revision(session: Session) -> str:
    """ "" in an empty database."""
    if session.has_table("alembic_version"):
        row = session.row(_VERSION, {})
        return str(row[0]) if row is not None else ""
    return BEFORE_ALEMBIC if session.has_table("schema_revision") else ""


def ddl(dialect: Dialect) -> tuple[str, ...]:
    """The statements that make an empty database a store."""
    statements: list[str] = []
    for table in (*metadata.sorted_tables, alembic_version):
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            statements.append(str(CreateIndex(index).compile(dialect=dialect)))
    return (*statements, *TRIGGERS[dialect.name])


_REFUSAL = "the audit trail is append-only"
TRIGGERS: dict[str, tuple[str, ...]] = {
    "sqlite": tuple(
        f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for verb in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        *(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            f"FOR EACH {'STATEMENT' if verb == 'TRUNCATE' else 'ROW'} EXECUTE FUNCTION audit_append_only()"
            for verb in ("UPDATE", "DELETE", "TRUNCATE")
        ),
    ),
}
"""Nothing is ever changed in, or taken out of, the audit trail."""
