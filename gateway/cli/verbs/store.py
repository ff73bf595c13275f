"""Verbs for the store as a whole: save, check, upgrade, take out, put in."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.verbs.common import Config

app = typer.Typer()
database = typer.Typer(help="The store as a whole.", no_args_is_help=True)
app.add_typer(database, name="db")


@database.command("backup")
def db_backup(
    path: Annotated[Path, typer.Argument(help="New folder; it can be used as a data folder.")],
    config: Config = None,
) -> None:
    """Copy the store beside a running server, checked (SQLite; a PostgreSQL has pg_dump)."""
    from gateway.cli import database as store

    store.backup(path, config)


@database.command("check")
def db_check(config: Config = None) -> None:
    """Schema, files, ledger, audit trail: exit 1 when something does not add up."""
    from gateway.cli import database as store

    store.check(config)


@database.command("upgrade")
def db_upgrade(config: Config = None) -> None:
    """Bring the store to the schema of this gateway. Stop every gateway on it, and save it, before."""
    from gateway.cli import database as store

    store.upgrade(config)


@database.command("compact")
def db_compact(config: Config = None) -> None:
    """Make the store's files anew from what is left after a purge. Stop every gateway on it before."""
    from gateway.cli import database as store

    store.compact(config)


@database.command("restore")
def db_restore(
    path: Annotated[
        Path | None, typer.Argument(help="Folder of `db backup`; none for a PostgreSQL after pg_restore.")
    ] = None,
    config: Config = None,
) -> None:
    """Put a backup in place, checked. No mail goes by itself then: it may have left since the backup."""
    from gateway.cli import database as store

    store.restore(path, config)


@app.command("export")
def export_all(
    out: Annotated[Path, typer.Option("--out", help="Archive to write (zip).")], config: Config = None
) -> None:
    """Everything as one archive: a folder a patient (CDA, PDF, index, traces), all rows, a hash a file."""
    from gateway.cli import exporting

    exporting.export(out, config)


@app.command("import")
def import_all(
    file: Annotated[Path, typer.Argument(help="Archive of `gateway export`.")], config: Config = None
) -> None:
    """Fill an empty store (SQLite or PostgreSQL) from an export. Mails to be sent wait for a person."""
    from gateway.cli import exporting

    exporting.load(file, config)
