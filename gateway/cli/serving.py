"""`gateway serve`: one line on stdout when ready, logs as JSON lines on stderr, SIGTERM drains."""

from pathlib import Path

from gateway.cli.common import fail, settings


def serve(config: Path | None) -> None:
    """Run until SIGTERM or SIGINT. Exit 1 with the reason when it cannot start."""
    current = settings(config)
    from gateway import telemetry
    from gateway.service import StartError, run

    telemetry.configure()
    try:
        run(current, announce=lambda line: print(line, flush=True))
    except StartError as reason:
        fail(str(reason))
