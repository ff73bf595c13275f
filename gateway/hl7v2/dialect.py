"""Delimiters of a message, and the escape sequences inside its leaves (HL7 2.5 §2.5.4 and §2.7)."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple


class Delimiters(NamedTuple):
    """The five characters of MSH-1 and MSH-2; "" = the message has no such delimiter."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent


STANDARD = Delimiters()
_USUAL = STANDARD.encoding_characters
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def is_field_separator(char: bytes) -> bool:
    return char.isascii() and char.decode("ascii") in _PUNCTUATION and len(char) == 1


@lru_cache(maxsize=64)
def delimiters(separator: str, encoding: str) -> tuple[Delimiters, str]:
    """Delimiters from MSH-1 and MSH-2, and what is odd about them ("" when they are the usual ones).

    Three to five characters (the fifth is the truncation character of 2.7). A character that cannot
    delimit (a letter, a look-alike beyond ASCII, one used twice) gives way to the usual one of its place:
    official V2.0 samples name U+02DC and use `~`.
    """
    if separator == "|" and encoding in (_USUAL, _USUAL + "#"):
        return STANDARD, ""
    named = re.sub(r"(.)\1+", r"\1", encoding)  # a doubled backslash is a programmer's escape
    if len(named) == 3 and named[2] == _USUAL[3]:
        named = named[:2] + _USUAL[2:]  # `^~&`: the escape character was left out
    taken = [separator]
    for usual, char in zip(_USUAL, named.ljust(4)[:4], strict=True):
        fits = char in _PUNCTUATION and char not in taken
        taken.append(char if fits else "" if usual in taken else usual)
    component, repetition, escape, subcomponent = taken[1:]
    chosen = Delimiters(
        field=separator,
        component=component,
        repetition=repetition,
        escape=escape,
        subcomponent=subcomponent,
    )
    return chosen, f"{'empty, ' if not encoding else ''}read with {chosen.encoding_characters}"


Rows = tuple[tuple[str, ...], ...]
"""A field: its repetitions, each as its components (first subcomponent, unescaped, trimmed)."""
Parts = Mapping[tuple[int, int], tuple[str, ...]]
"""(repetition, component) → its subcomponents, where it has several."""


class Dialect:
    """Delimiters as bytes and the decoding of a leaf; one shared object for all equal messages.

    `known` keeps what fields were read as (`Segment.leaves`): senders say the same again and again.
    """

    __slots__ = (
        "_escape",
        "_pattern",
        "codec",
        "component",
        "delimiters",
        "field",
        "known",
        "repetition",
        "sub",
    )

    def __init__(self, chosen: Delimiters, codec: str) -> None:
        self.delimiters, self.codec = chosen, codec
        self.known: dict[bytes, tuple[Rows, Parts]] = {}
        self.field = chosen.field.encode("ascii")
        self.component = chosen.component.encode("ascii")
        self.repetition = chosen.repetition.encode("ascii")
        self.sub = chosen.subcomponent.encode("ascii")
        self._escape = chosen.escape.encode("ascii")
        self._pattern = _pattern(chosen.escape) if chosen.escape else None

    def decode(self, data: bytes) -> str:
        """Text as it stands on the wire, escapes included."""
        return data.decode(self.codec)

    def leaf(self, data: bytes) -> str:
        """Text of a leaf: decoded, unescaped; the null `""` gives ""."""
        if self._pattern is None or data.find(self._escape) < 0:
            return "" if data == b'""' else data.decode(self.codec)
        return self._pattern.sub(self._unescape, data.decode(self.codec))

    def _unescape(self, found: re.Match[str]) -> str:
        single, command, count = found.group("single", "command", "count")
        if single:
            return self._single(single)
        if command:
            return _formatted(command.lower(), count or "", found.group())
        digits = found.group().replace(self.delimiters.escape, "")
        return _hexadecimal(digits.replace("X", ""), self.codec)

    def _single(self, letter: str) -> str:
        chosen = self.delimiters
        return {
            "F": chosen.field,
            "S": chosen.component,
            "R": chosen.repetition,
            "E": chosen.escape,
            "T": chosen.subcomponent,
            "P": "#",
            "H": "",  # highlighting on and off: a text has none
            "N": "",
        }[letter]


@lru_cache(maxsize=16)
def dialect(chosen: Delimiters, codec: str) -> Dialect:
    return Dialect(chosen, codec)


@lru_cache(maxsize=64)
def _pattern(escape: str) -> re.Pattern[str]:
    """Only the sequences that we know: what else stands between two escape characters stays as sent."""
    e = re.escape(escape)
    return re.compile(
        rf"(?:{e}X(?:[0-9A-Fa-f]{{2}})+{e})+"  # neighbours together: they may be bytes of one character
        rf"|{e}(?P<single>[FSRETPHN]){e}"
        rf"|{e}\.(?P<command>[A-Za-z]{{2}}) ?(?P<count>[+-]?\d{{0,4}}){e}"
    )


_LINES, _SPACES, _NOTHING = "\n", " ", ""
_COMMANDS: dict[str, str] = {
    "br": _LINES,
    "sp": _LINES,
    "ce": _LINES,
    "sk": _SPACES,
    "fi": _NOTHING,
    "nf": _NOTHING,
    "in": _NOTHING,
    "ti": _NOTHING,
}
"""Formatting commands (HL7 2.5 §2.7.6) → what a text without layout makes of one unit of them."""
_MOST = 20
"""Cap of a command's count: `\\.sp9999\\` repeated must not blow a message up."""


def _formatted(command: str, count: str, verbatim: str) -> str:
    unit = _COMMANDS.get(command)
    if unit is None:
        return verbatim
    times = int(count.lstrip("+-") or 1) if command in ("sp", "sk") else 1
    return unit * min(times, _MOST)


def _hexadecimal(digits: str, codec: str) -> str:
    data = bytes.fromhex(digits)
    for candidate in (codec, "cp1252"):
        try:
            text = data.decode(candidate)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = data.decode("iso8859-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


_ESCAPES = {
    ord(STANDARD.field): "\\F\\",
    ord(STANDARD.component): "\\S\\",
    ord(STANDARD.repetition): "\\R\\",
    ord(STANDARD.escape): "\\E\\",
    ord(STANDARD.subcomponent): "\\T\\",
    ord("\n"): "\\.br\\",
    **{code: f"\\X{code:02X}\\" for code in range(32) if chr(code) not in "\t\n"},
}


def escape(text: str) -> str:
    """`text` as a leaf between the usual delimiters: they and controls escaped, line breaks as `\\.br\\`."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_ESCAPES)
