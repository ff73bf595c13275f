"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
LARGEST = (1 << 63) - 1
"""What a store can number."""
Limit = Annotated[int, typer.Option("--limit", min=1, max=LARGEST, help="At most so many, newest first.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
