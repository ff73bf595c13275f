"""`gateway serve`: one line on stdout when ready, logs as JSON on stderr; SIGTERM drains, SIGHUP reloads."""

from pathlib import Path

from gateway.cli.common import fail, settings


def serve(config: Path | None) -> None:
    """Run until SIGTERM or SIGINT. Exit 1 with the reason when it cannot start."""
    current = settings(config)
    from gateway import telemetry
    from gateway.config import load
    from gateway.reload import StartError
    from gateway.service.node import run

    telemetry.configure()
    try:
        run(current, read=lambda: load(config), announce=lambda line: print(line, flush=True))
    except StartError as reason:
        fail(str(reason))
