"""Verbs about what waits for people."""

from typing import Annotated

import typer

from gateway.cli.verbs.common import LARGEST, Config, Json

app = typer.Typer()


@app.command()
def worklist(
    since: Annotated[str, typer.Option("--from", help="First received at or after (ISO 8601).")] = "",
    until: Annotated[str, typer.Option("--to", help="First received before (ISO 8601).")] = "",
    radiologist: Annotated[str, typer.Option("--radiologist", help="Only of this RPPS.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=LARGEST, help="At most so many, oldest first.")
    ] = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List reports that wait for their validation; nothing of them is sent before."""
    from gateway.cli import worklist as listing

    listing.worklist(since, until, radiologist, limit, json, config)
