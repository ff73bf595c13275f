"""Verbs by which people step in: deliveries, destinations, contents that may go."""

from typing import Annotated

import typer

from gateway.cli.verbs.common import LARGEST, Config, Json

app = typer.Typer()


Deliveries = Annotated[
    list[int], typer.Argument(metavar="ID...", max=LARGEST, help="Delivery ids (`deliveries`).")
]
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
