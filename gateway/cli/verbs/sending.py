"""The verb that sends messages to a gateway, ours or another's."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.verbs.common import Config, Json

app = typer.Typer()


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
