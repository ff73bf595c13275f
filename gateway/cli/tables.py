"""Rows as tables for people; scripts ask for JSON."""

import shutil
import sys
from typing import Any

from gateway.cli.common import emit

Row = dict[str, Any]

_CUT_FIRST = ("recipient", "outcome", "control_id", "set_key", "study_uid", "detail", "patient")
"""Columns whose beginning says enough to recognise the row by."""
_LEAST = 8
"""Characters that they keep."""
_GAP = 2


def show(rows: list[Row], columns: tuple[str, ...], as_json: bool) -> None:
    """A table for people, or one JSON object a line. Only a terminal cuts what is too wide for it."""
    if as_json:
        emit(rows)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for line in table(rows, columns, width):
        print(line)


def part(title: str, rows: list[Row], columns: tuple[str, ...]) -> None:
    """A table within the description of one thing, under its title; nothing without rows."""
    if not rows:
        return
    print(f"\n{title}")
    width = shutil.get_terminal_size().columns - _GAP if sys.stdout.isatty() else 0
    for line in table(rows, columns, width):
        print(" " * _GAP + line)


def fields(row: Row, *but: str) -> None:
    """The lines of such a description; what is named in `but` is shown otherwise."""
    for name, value in row.items():
        if name not in but:
            field(name, value)


def field(name: str, value: Any) -> None:
    print(f"{name:20} {text(value)}".rstrip())


def table(rows: list[Row], columns: tuple[str, ...], width: int = 0) -> list[str]:
    """The title line and a line a row. Columns in which no row says anything are left out. What is wider than
    `width` characters (0: nothing is) is cut, long names and texts before the end of the line."""
    if rows:
        columns = tuple(name for name in columns if any(text(row.get(name)) for row in rows))
    cells = [columns, *(tuple(text(row.get(name)) for name in columns) for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    if width:
        _narrow(widths, columns, width - _GAP * (len(columns) - 1))
    lines = [
        (" " * _GAP).join(_cut(one, room).ljust(room) for one, room in zip(line, widths, strict=True))
        for line in cells
    ]
    return [_cut(line.rstrip(), width or len(line)) for line in lines]


def text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)


def pairs(row: Row) -> str:
    """`name=value` of what is said."""
    return "  ".join(f"{name}={text(value)}" for name, value in row.items() if value not in (None, "", [], 0))


def _narrow(widths: list[int], columns: tuple[str, ...], room: int) -> None:
    soft = [at for at, name in enumerate(columns) if name in _CUT_FIRST and widths[at] > _LEAST]
    while sum(widths) > room and soft:
        widest = max(soft, key=widths.__getitem__)
        widths[widest] -= 1
        if widths[widest] == _LEAST:
            soft.remove(widest)


def _cut(value: str, room: int) -> str:
    return value if len(value) <= room else value[: room - 1] + "…"
