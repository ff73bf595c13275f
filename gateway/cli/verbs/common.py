"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
