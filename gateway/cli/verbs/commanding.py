"""Verbs about a report that the gateway keeps: who may see it, and its end."""

from typing import Annotated

import typer

from gateway.cli.verbs.common import LARGEST, Config, Json

app = typer.Typer()

Reports = Annotated[
    list[int], typer.Argument(metavar="REPORT...", max=LARGEST, help="Report ids, as `messages` shows them.")
]


@app.command()
def announce(
    reports: Reports,
    mail: Annotated[bool, typer.Option("--mail/--no-mail", help="Mail the patient the report.")] = True,
    json: Json = False,
    config: Config = None,
) -> None:
    """The patient was told: a version that the patient may see goes to the DMP, and the patient's mail."""
    from gateway.cli import commanding

    commanding.announce(reports, mail, json, config)


@app.command()
def mask(
    reports: Reports,
    flag: Annotated[
        str,
        typer.Option("--flag", help="MASQUE_PS, INVISIBLE_PATIENT or INVISIBLE_REPRESENTANTS_LEGAUX."),
    ],
    off: Annotated[bool, typer.Option("--off", help="Take the mask away.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    """Hide a document in the DMP, in a new version of it; no mail goes again."""
    from gateway.cli import commanding

    commanding.mask(reports, flag, off, json, config)


@app.command()
def withdraw(reports: Reports, json: Json = False, config: Config = None) -> None:
    """The report was wrong: cancel what has not left, delete it wherever it arrived (DMP, mails, folder)."""
    from gateway.cli import commanding

    commanding.withdraw(reports, json, config)
