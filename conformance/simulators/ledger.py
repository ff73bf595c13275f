"""What a simulator took, one JSON object a line; it survives the end of the process."""

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Ledger:
    """`ledger.jsonl` in a folder, read at start, appended to and flushed before an answer leaves."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / "ledger.jsonl"
        self.entries: list[dict[str, Any]] = list(_load(self.path))
        self._file = self.path.open("a", encoding="utf-8")

    def append(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Write `entry` with its number and time; returns what was written."""
        written = {"number": len(self.entries) + 1, "time": datetime.now(UTC).isoformat(), **entry}
        self._file.write(json.dumps(written, ensure_ascii=False) + "\n")
        self._file.flush()
        self.entries.append(written)
        return written

    def close(self) -> None:
        self._file.close()


def _load(path: Path) -> list[dict[str, Any]]:
    """The entries on disk. A last line torn by a kill is cut off: its submission was never answered."""
    if not path.exists():
        return []
    entries, good = [], 0
    data = path.read_bytes()
    for line in data.splitlines(keepends=True):
        try:
            entries.append(json.loads(line))
        except ValueError:
            print(f"{path.name}: unreadable from byte {good}, cut off", file=sys.stderr)
            break
        good += len(line)
    if good < len(data):
        path.write_bytes(data[:good])
    return entries


def safe_name(identifier: str) -> str:
    """A file name for an identifier that came from outside: no separator, no leading dot, bounded."""
    return re.sub(r"[^A-Za-z0-9._@-]", "_", identifier).lstrip(".")[:150] or "_"
