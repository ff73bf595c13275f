"""The verbs of `gateway`. Exit status: 0 done, 1 refused or failed with the reason on stderr, 2 wrong use."""

from pathlib import Path
from typing import Annotated

import typer

from gateway import __version__

app = typer.Typer(
    name="gateway",
    help="Gateway for medical imaging reports: HL7 v2 and FHIR in; CDA R2, DMP and MSSanté out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

sites_app = typer.Typer(help="Site profiles: prove them before they are used.", no_args_is_help=True)
app.add_typer(sites_app, name="sites")

Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Level = Annotated[str, typer.Option("--level", help="CDA body: n1 (PDF) or n3; default: the site's.")]
SiteName = Annotated[
    str, typer.Option("--site", help="Site profile; default: the one that the message matches.")
]
Files = Annotated[list[Path], typer.Argument(help="Message files (HL7 v2 or FHIR JSON).")]


@app.command()
def version(json: Json = False) -> None:
    """Print the version."""
    print(f'{{"version": "{__version__}"}}' if json else f"gateway {__version__}")


@app.command()
def serve(config: Config = None) -> None:
    """Listen (MLLP 127.0.0.1:2575, HTTP 127.0.0.1:8080), take, produce, deliver; data in ./var/."""
    from gateway.cli import serving

    serving.serve(config)


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A message file (HL7 v2 or FHIR JSON).")],
    to: Annotated[str, typer.Option("--to", help="canonical, cda, pdf, html, metadata, xdm or mail.")],
    level: Level = "",
    site: SiteName = "",
    now: Annotated[
        str, typer.Option("--now", help="ISO 8601 time of the version: same bytes each time.")
    ] = "",
    number: Annotated[int, typer.Option("--number", min=0, help="The nth of the file; 0: all.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="File (several: cda-1.xml, cda-2.xml); default: stdout.")
    ] = None,
    config: Config = None,
) -> None:
    """A message to one artefact for each of its reports or orders, offline, without server or store."""
    from gateway.cli import converting

    converting.convert(file, to, level, number, site, now, out, config)


@app.command()
def check(files: Files, site: SiteName = "", json: Json = False, config: Config = None) -> None:
    """Findings of messages, without side effect. 1: one of them would be refused."""
    from gateway.cli import checking

    checking.check(files, site, json, config)


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="A message file (HL7 v2 or FHIR JSON).")],
    field: Annotated[str, typer.Option("--field", help="Only this segment or field: PID, PID-5.")] = "",
    element: Annotated[
        str, typer.Option("--element", help="Only this element: recordTarget/patientRole/id[1].")
    ] = "",
    level: Level = "",
    site: SiteName = "",
    json: Json = False,
    config: Config = None,
) -> None:
    """Where each value of the document comes from, what each field became, what nothing used."""
    from gateway.cli import explaining

    explaining.run(file, field, element, level, site, json, config)


@sites_app.command("check")
def sites_check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of profiles; default: sites_dir of the settings.")
    ] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Check all profiles and code tables. 1: something is wrong, each fault with file and line."""
    from gateway.cli import sites

    sites.check(folder, json, config)


@sites_app.command("try")
def sites_try(
    files: Files,
    site: Annotated[str, typer.Option("--site", help="The profile to try.")],
    against: Annotated[
        str, typer.Option("--against", help="Compare with this profile; default: who takes it otherwise.")
    ] = "",
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Folder of profiles; default: sites_dir of the settings.")
    ] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Read messages with a profile: findings, and what it changes in the canonical report."""
    from gateway.cli import sites

    sites.try_profile(files, site, against, folder, json, config)


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(help="Message files (HL7 v2 or FHIR JSON), or folders.")],
    to: Annotated[str, typer.Option("--to", help="mllp[s]://HOST:PORT or http[s]://HOST:PORT/fhir")],
    token: Annotated[
        str, typer.Option("--token", envvar="GATEWAY_TOKEN", help="Bearer token for HTTP.")
    ] = "",
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for each answer.")] = 30.0,
    retries: Annotated[
        int, typer.Option("--retries", min=0, help="Repetitions after no connection, no answer, AR or 503.")
    ] = 0,
    rate: Annotated[float, typer.Option("--rate", min=0.0, help="Messages a second; 0: no limit.")] = 0.0,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="Authorities of the receiver (PEM); default: the system's.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--cert", help="Our certificate for mutual TLS (PEM).")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its key (PEM).")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Send messages and print the answers. 1: one of them was refused or not answered."""
    from gateway.cli import sending

    sending.send(
        files,
        sending.Options(
            to=to,
            token=token,
            timeout=timeout,
            retries=retries,
            rate=rate,
            ca=ca,
            certificate=certificate,
            key=key,
            as_json=json,
            config=config,
        ),
    )


@app.command()
def messages(
    state: Annotated[str, typer.Option("--state", help="rejected, duplicate, held, blocked, accepted.")] = "",
    control_id: Annotated[str, typer.Option("--control-id", help="MSH-10.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="At most so many, newest first.")] = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List received messages, newest first."""
    from gateway.cli import listing

    listing.messages(state, control_id, limit, json, config)


@app.command()
def message(
    identifier: Annotated[int, typer.Argument(metavar="ID", help="Message id, as `messages` shows it.")],
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
    limit: Annotated[int, typer.Option("--limit", help="At most so many, newest first.")] = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List deliveries: destination, recipient, state, attempts, last outcome."""
    from gateway.cli import listing

    listing.deliveries(state, limit, json, config)


@app.command()
def orders(
    status: Annotated[
        str, typer.Option("--status", help="requested, scheduled, in-progress, completed, cancelled…")
    ] = "",
    site: Annotated[str, typer.Option("--site", help="Only orders of this profile.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="At most so many, newest first.")] = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List orders (ORM, OMG, OMI): their numbers, by which reports find them, and their status."""
    from gateway.cli import listing

    listing.orders(status, site, limit, json, config)


@app.command()
def order(
    identifier: Annotated[int, typer.Argument(metavar="ID", help="Order id, as `orders` shows it.")],
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
    limit: Annotated[int, typer.Option("--limit", help="At most so many, by identifier.")] = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List what the identity feed (ADT) said: matricule, status, opposition to the DMP, merges."""
    from gateway.cli import listing

    listing.identities(site, number, limit, json, config)


Deliveries = Annotated[list[int], typer.Argument(metavar="ID...", help="Delivery ids (`deliveries`).")]
Destinations = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="dmp, mssante-ps, mssante-patient, folder, zam."),
]


@app.command()
def retry(identifiers: Deliveries, json: Json = False, config: Config = None) -> None:
    """Try deliveries again now: failed, ambiguous, waiting; also those that the official rules refused."""
    from gateway.cli import operating

    operating.deliveries("retry", identifiers, json, config)


@app.command()
def release(identifiers: Deliveries, json: Json = False, config: Config = None) -> None:
    """Let withheld deliveries go."""
    from gateway.cli import operating

    operating.deliveries("release", identifiers, json, config)


@app.command()
def cancel(identifiers: Deliveries, json: Json = False, config: Config = None) -> None:
    """Give deliveries up for ever; the next version of their report may go."""
    from gateway.cli import operating

    operating.deliveries("cancel", identifiers, json, config)


@app.command()
def pause(names: Destinations, json: Json = False, config: Config = None) -> None:
    """Send nothing more to destinations until `resume`; deliveries wait, messages are taken."""
    from gateway.cli import operating

    operating.destinations("pause", names, json, config)


@app.command()
def resume(names: Destinations, json: Json = False, config: Config = None) -> None:
    """Send to paused destinations again."""
    from gateway.cli import operating

    operating.destinations("resume", names, json, config)


@app.command()
def evidence(
    report: Annotated[int, typer.Argument(metavar="REPORT", help="Report id, as `messages` shows it.")],
    out: Annotated[Path, typer.Option("--out", help="Archive to write (zip).")],
    redact: Annotated[bool, typer.Option("--redact", help="Hashes instead of contents and names.")] = False,
    config: Config = None,
) -> None:
    """The proof chain of a report: received bytes, mapping, documents, checks, submissions, answers."""
    from gateway.cli import evidence as proof

    proof.evidence(report, out, redact, config)


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


@app.command()
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    exported: Annotated[
        bool, typer.Option("--exported/--not-exported", help="Only what `gateway export` has taken out.")
    ] = True,
    json: Json = False,
    config: Config = None,
) -> None:
    """Let contents go by the policy [retention]: only what is settled; numbers, hashes and traces stay."""
    from gateway.cli import operating

    operating.purge(dry_run, exported, json, config)


@app.command()
def doctor(json: Json = False, config: Config = None) -> None:
    """Check settings, site profiles, certificates, store and ledger. 1: something is wrong."""
    from gateway.cli import diagnosing

    diagnosing.doctor(json, config)


def main() -> None:
    """Entry point of the console script."""
    app()
