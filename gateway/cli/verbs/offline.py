"""Verbs that need neither server nor store: what a message is, and what would be made of it."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.verbs.common import Config, Json

app = typer.Typer()
sites_app = typer.Typer(help="Site profiles: prove them before they are used.", no_args_is_help=True)
app.add_typer(sites_app, name="sites")


Level = Annotated[str, typer.Option("--level", help="CDA body: n1 (PDF) or n3; default: the site's.")]
SiteName = Annotated[
    str, typer.Option("--site", help="Site profile; default: the one that the message matches.")
]
Files = Annotated[list[Path], typer.Argument(help="Message files (HL7 v2 or FHIR JSON).")]


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
