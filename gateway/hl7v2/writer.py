"""Builder of ER7: segments from nested tuples, escaped where they must be.

    segment("PID", "1", None, Repeat(("1234", "", "", ("CHU", "1.2.3", "ISO"), "PI"), ("5678",)))
    → PID|1||1234^^^CHU&1.2.3&ISO^PI~5678

A str is a leaf; a tuple is components; a tuple inside it subcomponents; `Repeat` repetitions; `Verbatim`
goes in as it stands (Base64, a field of another message).
"""

import unicodedata
from collections.abc import Callable
from typing import TypeVar

from gateway.hl7v2.dialect import STANDARD, escape

T = TypeVar("T")


class Verbatim(str):
    """Text that holds its own delimiters and escapes, or needs none."""

    __slots__ = ()


class Repeat(tuple["Repetition", ...]):
    """Repetitions of a field."""

    __slots__ = ()

    def __new__(cls, *repetitions: "Repetition") -> "Repeat":
        return super().__new__(cls, repetitions)


Subcomponents = tuple[str | None, ...]
Repetition = str | tuple[str | Subcomponents | None, ...] | None
Field = Repetition | Repeat


def segment(name: str, *fields: Field) -> str:
    """One segment, without terminator; trailing empty fields are left out.

    The fields of MSH begin with MSH-3: MSH-1 and MSH-2 are written here.
    """
    filled = [written(field) for field in fields]
    while filled and not filled[-1]:
        filled.pop()
    head = [name, STANDARD.encoding_characters] if name in ("MSH", "FHS", "BHS") else [name]
    return STANDARD.field.join(head + filled)


def message(*segments: str, charset: str = "utf-8") -> bytes:
    """The segments as bytes, each ended by CR. Characters that `charset` lacks become their nearest."""
    return encode("".join(f"{one}\r" for one in segments), charset)


def encode(text: str, charset: str) -> bytes:
    """`text` in `charset`; never raises: `≥` becomes `>=` by its table, `ő` becomes `o`, the rest `?`."""
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        return "".join(_nearest(char, charset) for char in text).encode(charset, "replace")


_NEAREST = {
    "−": "-", "–": "-", "—": "-", "‑": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "…": "...",
    "→": "->", "≤": "<=", "≥": ">=", "×": "x", "œ": "oe", "Œ": "OE", "€": "EUR", "\u202f": " ", "\u00a0": " ",
}  # fmt: skip


def _nearest(char: str, charset: str) -> str:
    try:
        char.encode(charset)
    except UnicodeEncodeError:
        plain = unicodedata.normalize("NFKD", char)
        return _NEAREST.get(char) or "".join(one for one in plain if not unicodedata.combining(one))
    return char


def written(field: Field) -> str:
    """One field."""
    if isinstance(field, Repeat):
        return STANDARD.repetition.join(_repetition(one) for one in field)
    return _repetition(field)


def _repetition(value: Repetition) -> str:
    return _joined(value, STANDARD.component, _component) if isinstance(value, tuple) else _leaf(value)


def _component(value: str | Subcomponents | None) -> str:
    return _joined(value, STANDARD.subcomponent, _leaf) if isinstance(value, tuple) else _leaf(value)


def _joined(values: tuple[T, ...], delimiter: str, write: Callable[[T], str]) -> str:
    return delimiter.join(write(one) for one in values).rstrip(delimiter)


def _leaf(value: str | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, Verbatim) else escape(value)
