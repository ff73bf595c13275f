"""The verbs of `gateway`. Exit status: 0 done, 1 refused or failed with the reason on stderr, 2 wrong use."""

import typer

from gateway import __version__, build, compiled
from gateway.cli.verbs import commanding, looking, offline, operating, sending, store, worklist
from gateway.cli.verbs.common import Config, Json

app = typer.Typer(
    name="gateway",
    help="Gateway for medical imaging reports: HL7 v2 and FHIR in; CDA R2, DMP and MSSanté out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def version(json: Json = False) -> None:
    """Print the version, and whether the build is compiled."""
    facts = f'{{"version": "{__version__}", "compiled": {str(compiled()).lower()}}}'
    print(facts if json else f"gateway {build()}")


@app.command()
def serve(config: Config = None) -> None:
    """Listen (MLLP 127.0.0.1:2575, HTTP 127.0.0.1:8080), take, produce, deliver; data in ./var/."""
    from gateway.cli import serving

    serving.serve(config)


for part in (offline, sending, looking, worklist, operating, commanding, store):
    app.add_typer(part.app)


def main() -> None:
    """Entry point of the console script."""
    app()
