"""The `conformance` command: peers for tests and validators. Heavy rooms are imported on first use."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from conformance.simulators.hold import Judge

app = typer.Typer(
    name="conformance", help="The testers' toolkit.", no_args_is_help=True, pretty_exceptions_enable=False
)
simulate = typer.Typer(help="Run a peer for tests until it is stopped.", no_args_is_help=True)
app.add_typer(simulate, name="simulate")

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port, 0 takes a free one; the ready line names it.")]
Cert = Annotated[Path | None, typer.Option(help="Server certificate (PEM), for TLS.", exists=True)]
Key = Annotated[Path | None, typer.Option(help="Its private key (PEM).", exists=True)]
ClientCa = Annotated[Path | None, typer.Option(help="Demand a client certificate of this CA.", exists=True)]
Mode = Annotated[str, typer.Option(help="Misbehave from the start; see POST /control.")]
Count = Annotated[int, typer.Option(help="For how many submissions --mode holds, 0: until changed.")]
JudgeWhen = Annotated[
    Judge, typer.Option("--judge", help="later: take all at once, judge it for the ledger (load tests).")
]
Delay = Annotated[float, typer.Option(help="Seconds that the mode slow waits.")]


@simulate.command("dmp")
def simulate_dmp(
    folder: Annotated[Path, typer.Option("--dir", help="Where everything received is kept.")] = Path(
        "var/dmp"
    ),
    host: Host = "127.0.0.1",
    port: Port = 8090,
    cert: Cert = None,
    key: Key = None,
    client_ca: ClientCa = None,
    ca: Annotated[
        Path | None, typer.Option(help="CA that must have issued the cachet of the VIHF.", exists=True)
    ] = None,
    schemas: Annotated[
        Path | None, typer.Option(help="Folder of the official ebXML schemas (kit/xds/ebxml).", exists=True)
    ] = None,
    mode: Mode = "ok",
    count: Count = 0,
    fail: Annotated[int, typer.Option(help="Answer HTTP 500 to the first N submissions.")] = 0,
    delay: Delay = 5.0,
    judge: JudgeWhen = Judge.AT_ONCE,
) -> None:
    """A DMP: ITI-41 on /repository and ITI-18 on /registry, with a VIHF; /health, /ledger, POST /control
    {"mode", "count"}, POST /metadata (a uniqueId: its entry gets a new entryUUID), POST /judge (what
    --judge later has taken; what is wrong stands in the ledger, though it was answered with Success)."""
    from conformance.simulators import run
    from conformance.simulators.dmp import MODES, Options

    _pair(cert, key, client_ca)
    _known(mode, MODES)
    options = Options(folder, schemas, run.authorities(ca), delay)
    if fail:
        mode, count = "500", fail
    asyncio.run(
        run.dmp(
            host,
            port,
            options,
            cert=cert,
            key=key,
            client_ca=client_ca,
            mode=mode,
            count=count,
            judge=judge,
        )
    )


@simulate.command("mssante")
def simulate_mssante(
    folder: Annotated[Path, typer.Option("--dir", help="Where everything received is kept.")] = Path(
        "var/mssante"
    ),
    host: Host = "127.0.0.1",
    port: Port = 2525,
    cert: Cert = None,
    key: Key = None,
    client_ca: ClientCa = None,
    control_port: Annotated[int, typer.Option(help="Port of the HTTP side channel, 0: a free one.")] = 0,
    mode: Mode = "ok",
    count: Count = 0,
    delay: Delay = 5.0,
    judge: JudgeWhen = Judge.AT_ONCE,
) -> None:
    """An MSSanté operator: SMTP (STARTTLS with --cert); HTTP side channel for /ledger and /control, and
    /judge (what --judge later has taken)."""
    from conformance.simulators.mssante import MODES
    from conformance.simulators.run import mssante

    _pair(cert, key, client_ca)
    _known(mode, MODES)
    asyncio.run(
        mssante(
            host,
            port,
            folder,
            cert=cert,
            key=key,
            client_ca=client_ca,
            control_port=control_port,
            delay=delay,
            mode=mode,
            count=count,
            judge=judge,
        )
    )


@app.command()
def validate(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files to judge.", exists=True, dir_okay=False)
    ] = None,
    kit: Annotated[
        Path | None, typer.Option(help="Official CI-SIS validation kit.", exists=True, file_okay=False)
    ] = None,
    kind: Annotated[str, typer.Option("--as", help="Take the files for this kind.")] = "",
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit report.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write an HTML report.")] = None,
    worker: Annotated[
        bool, typer.Option("--worker", help="Stay and answer JSON lines on stdin (needs --kit).")
    ] = False,
) -> None:
    """Judge documents, messages, archives, mails and pages; the kind is recognised. Exit 1 on an error."""
    if worker:
        if kit is None or files:
            raise typer.BadParameter("--worker needs --kit and takes no files")
        from conformance.schematron.worker import serve

        raise typer.Exit(serve(kit))
    if not files:
        raise typer.BadParameter("no file is named")
    from conformance.validate.command import run

    raise typer.Exit(run(tuple(files), kit=kit, kind=kind, json_lines=json_lines, junit=junit, html=html))


@app.command()
def reconcile(
    store: Annotated[str, typer.Argument(help="gateway.db of the data folder, or the URL of PostgreSQL.")],
    told: Annotated[
        Path | None, typer.Option(help="What senders were told: `gateway send --json`.", exists=True)
    ] = None,
    dmp: Annotated[
        Path | None, typer.Option(help="Folder of the simulated DMP.", exists=True, file_okay=False)
    ] = None,
    mssante: Annotated[
        Path | None, typer.Option(help="Folder of the simulated operator.", exists=True, file_okay=False)
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Outbox of the folder destination.", exists=True, file_okay=False)
    ] = None,
) -> None:
    """Compare what senders were told, what the store holds, what the peers got. Exit 1: they differ."""
    from conformance.reconcile import run

    raise typer.Exit(run(store if "://" in store else Path(store), told, dmp, mssante, folder))


@app.command()
def pki(
    folder: Annotated[Path, typer.Argument(help="Where the files are written.", file_okay=False)],
    host: Annotated[
        list[str] | None, typer.Option(help="A further name or address of the simulated peers.")
    ] = None,
) -> None:
    """Test certificates, clearly fictive: authority, server, AUTH_CLI client, cachet. Prints the files."""
    from conformance.pki import make

    for path in make(folder, hosts=host or ()).files:
        print(path)


@app.command()
def statement(
    write: Annotated[bool, typer.Option("--write", help="Rewrite conformance/statement.md.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """The conformance statement: each requirement, its status, the tests that prove it."""
    from conformance.statement import run

    raise typer.Exit(run(write=write, json_lines=json_lines))


def _pair(cert: Path | None, key: Path | None, client_ca: Path | None) -> None:
    if (cert is None) != (key is None) or (client_ca is not None and cert is None):
        raise typer.BadParameter("--cert and --key go together, --client-ca needs both")


def _known(mode: str, modes: frozenset[str]) -> None:
    if mode not in modes:
        raise typer.BadParameter(f"--mode is one of {', '.join(sorted(modes))}")


def main() -> None:
    """Entry point of the `conformance` command."""
    app()
