"""Verbs that show what the store holds."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.verbs.common import LARGEST, Config, Json, Limit

app = typer.Typer()


@app.command()
def messages(
    state: Annotated[str, typer.Option("--state", help="rejected, duplicate, held, blocked, accepted.")] = "",
    control_id: Annotated[str, typer.Option("--control-id", help="MSH-10.")] = "",
    limit: Limit = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List received messages, newest first."""
    from gateway.cli import listing

    listing.messages(state, control_id, limit, json, config)


@app.command()
def message(
    identifier: Annotated[
        int, typer.Argument(metavar="ID", max=LARGEST, help="Message id, as `messages` shows it.")
    ],
    raw: Annotated[bool, typer.Option("--raw", help="Only the received bytes, to stdout.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """One message: findings, reports, deliveries."""
    from gateway.cli import listing

    listing.message(identifier, raw, json, config)


@app.command()
def deliveries(
    state: Annotated[str, typer.Option("--state", help="pending, waiting, delivered, failed, blocked…")] = "",
    destination: Annotated[
        str, typer.Option("--destination", help="dmp, mssante-ps, mssante-patient, folder, zam.")
    ] = "",
    limit: Limit = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List deliveries: destination, recipient, state, attempts, last outcome."""
    from gateway.cli import listing

    listing.deliveries(state, destination, limit, json, config)


@app.command()
def delivery(
    identifier: Annotated[
        int, typer.Argument(metavar="ID", max=LARGEST, help="Delivery id, as `deliveries` shows it.")
    ],
    json: Json = False,
    config: Config = None,
) -> None:
    """One delivery with its attempts: when each began and ended, and what the peer said."""
    from gateway.cli import listing

    listing.delivery(identifier, json, config)


@app.command()
def orders(
    status: Annotated[
        str, typer.Option("--status", help="requested, scheduled, in-progress, completed, cancelled…")
    ] = "",
    site: Annotated[str, typer.Option("--site", help="Only orders of this profile.")] = "",
    limit: Limit = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List orders (ORM, OMG, OMI): their numbers, by which reports find them, and their status."""
    from gateway.cli import listing

    listing.orders(status, site, limit, json, config)


@app.command()
def order(
    identifier: Annotated[
        int, typer.Argument(metavar="ID", max=LARGEST, help="Order id, as `orders` shows it.")
    ],
    json: Json = False,
    config: Config = None,
) -> None:
    """One order: what it asks for, and the messages that spoke of it."""
    from gateway.cli import listing

    listing.order(identifier, json, config)


@app.command()
def identities(
    number: Annotated[str, typer.Option("--number", help="Only this local number or matricule INS.")] = "",
    site: Annotated[str, typer.Option("--site", help="Profile; default: that of the settings.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=LARGEST, help="At most so many, by identifier.")
    ] = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List what the identity feed (ADT) said: matricule, status, opposition to the DMP, merges."""
    from gateway.cli import listing

    listing.identities(site, number, limit, json, config)


@app.command()
def audit(
    action: Annotated[str, typer.Option("--action", help="taken, attempt, retry, read, export, purge…")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Only what this one did.")] = "",
    report: Annotated[int, typer.Option("--report", min=0, max=LARGEST, help="Only of this report.")] = 0,
    patient: Annotated[
        str, typer.Option("--patient", help="Only of this one: INS or local number as VALUE^OID.")
    ] = "",
    limit: Limit = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """The audit trail: who did what, when, to which report and patient (a keyed hash), with what result."""
    from gateway.cli import listing

    listing.audit(action, actor, report, patient, limit, json, config)


@app.command()
def evidence(
    report: Annotated[
        int, typer.Argument(metavar="REPORT", max=LARGEST, help="Report id, as `messages` shows it.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Archive to write (zip).")],
    redact: Annotated[bool, typer.Option("--redact", help="Hashes instead of contents and names.")] = False,
    config: Config = None,
) -> None:
    """The proof chain of a report: received bytes, mapping, documents, checks, submissions, answers."""
    from gateway.cli import evidence as proof

    proof.evidence(report, out, redact, config)
