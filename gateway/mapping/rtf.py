r"""The text of an RTF document: paragraphs as lines, table rows as lines, lists with dashes (RTF 1.9.1).

Only what a reader sees: fonts, styles, pictures, headers, hidden and deleted text are left out. Layout is
lost; words, accents (`\'e9`, `\u233 ?`) and their order are not.
"""

import re
from typing import Final, NamedTuple

MARK: Final = b"{\\rtf"
_TOKEN = re.compile(
    r"\\(?:(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|'(?P<hex>[0-9a-fA-F]{2})|(?P<symbol>.))"
    r"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+",
    re.DOTALL,
)
_SKIPPED: Final = frozenset(
    (
        *(
            "fonttbl",
            "colortbl",
            "stylesheet",
            "info",
            "pict",
            "object",
            "themedata",
            "datastore",
            "generator",
        ),
        *("header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf", "fldinst"),
        *(
            "listtable",
            "listoverridetable",
            "revtbl",
            "rsidtbl",
            "xmlnstbl",
            "latentstyles",
            "filetbl",
            "bkmkstart",
        ),
        *(
            "bkmkend",
            "footnote",
            "annotation",
            "atnid",
            "atnauthor",
            "nonshppict",
            "private",
            "mmathPr",
            "tc",
            "xe",
        ),
    )
)
"""Destinations that hold no text of the body; any other one behind `\\*` is skipped too."""
_BULLETS: Final = frozenset({"pntext", "listtext"})
"""Destinations that hold the sign of a list item, often a letter of a symbol font: a dash stands for it."""
_BREAKS: Final = frozenset({"par", "line", "sect", "page", "column", "row", "nestrow"})
_CELLS: Final = frozenset({"cell", "nestcell"})
_SIGNS: Final = {
    "tab": "\t",
    "emdash": "—",
    "endash": "–",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
}
_SYMBOLS: Final = {
    "~": "\u00a0",
    "_": "\u2011",
    "{": "{",
    "}": "}",
    "\\": "\\",
    "\n": "\n",
    "\r": "\n",
    "\t": "\t",
}
_HIDING: Final = frozenset({"v", "deleted"})
_CODEPAGES: Final = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850", "ansi": "cp1252"}
_SPACES = re.compile(r"[ \t\u00a0]+")
_CELL = "\x1f"
"""Parts cells until their row is whole."""


class _State(NamedTuple):
    """What a group inherits and gives back at its end. `fallback`: characters that follow a `\\u`."""

    skipped: bool = False
    hidden: bool = False
    fallback: int = 1


def text(data: bytes) -> str:
    """The text of `data`, lines parted by LF, without blank lines at its ends; "" when it has none.

    Never raises: what is no RTF reads as nothing, a document that was cut off as far as it goes.
    """
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(MARK):
        return ""
    return _tidy(_Reader().read(data.decode("latin-1")))


class _Reader:
    """One pass over the tokens; all state of the document."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._bytes = bytearray()
        self._state = _State()
        self._stack: list[_State] = []
        self._codec = "cp1252"
        self._owed = 0
        """Fallback characters still to leave out behind a `\\u`."""
        self._starred = False

    def read(self, source: str) -> str:
        place = 0
        while (token := _TOKEN.match(source, place)) is not None:
            place = token.end()
            if token["word"] == "bin" and token["number"]:
                place += max(0, int(token["number"]))  # raw bytes follow
            else:
                self._take(token)
        self._flush()
        return "".join(self._out)

    def _take(self, token: re.Match[str]) -> None:
        if (byte := token["hex"]) is not None:
            self._byte(int(byte, 16))
        elif (written := token["text"]) is not None:
            for char in self._spared(written):
                self._byte(ord(char))
        elif token["brace"] == "{":
            self._stack.append(self._state)
            self._owed = 0
        elif token["brace"] == "}":
            self._state = self._stack.pop() if self._stack else _State()
            self._owed = 0
        elif token["word"] is not None:
            self._word(token["word"], token["number"])
        elif token["symbol"] == "*":
            self._starred = True
            return
        elif token["symbol"] is not None:
            self._write(_SYMBOLS.get(token["symbol"], ""))
        self._starred = False

    def _word(self, word: str, number: str | None) -> None:
        if word == "u" and number:
            self._unicode(int(number))
        elif word == "uc":
            self._state = self._state._replace(fallback=min(int(number or 1), 100))
        elif word in _BULLETS:
            self._write("- ")
            self._state = self._state._replace(skipped=True)
        elif word in _SKIPPED or self._starred:
            self._flush()
            self._state = self._state._replace(skipped=True)
        elif word in _HIDING:
            self._flush()
            self._state = self._state._replace(hidden=number != "0")
        elif word == "plain":
            self._flush()
            self._state = self._state._replace(hidden=False)
        elif word in _BREAKS:
            self._write("\n")
        elif word in _CELLS:
            self._write(_CELL)
        elif word == "ansicpg" and number:
            self._flush()
            self._codec = _codec(int(number))
        elif word in _CODEPAGES:
            self._codec = _CODEPAGES[word]
        else:
            self._write(_SIGNS.get(word, ""))

    def _unicode(self, number: int) -> None:
        self._flush()
        if not (self._state.skipped or self._state.hidden):
            self._out.append(chr(number & 0xFFFF))
        self._owed = self._state.fallback

    def _spared(self, written: str) -> str:
        """`written` without the characters that stand in for a `\\u` before it."""
        spared, self._owed = written[self._owed :], max(0, self._owed - len(written))
        return spared

    def _byte(self, byte: int) -> None:
        """A byte of the document's code page; neighbours are decoded together (UTF-8, DBCS)."""
        if self._owed:
            self._owed -= 1
        elif not (self._state.skipped or self._state.hidden):
            self._bytes.append(byte & 0xFF)

    def _write(self, written: str) -> None:
        self._flush()
        if written and not (self._state.skipped or self._state.hidden):
            self._out.append(written)

    def _flush(self) -> None:
        if self._bytes:
            self._out.append(self._bytes.decode(self._codec, "replace"))
            self._bytes.clear()


def _codec(codepage: int) -> str:
    name = {65001: "utf-8", 10000: "mac_roman", 0: "cp1252"}.get(codepage, f"cp{codepage}")
    try:
        b"a".decode(name)
    except LookupError:
        return "cp1252"
    return name


def _tidy(raw: str) -> str:
    """Surrogate pairs joined, cells of a row parted by ` | `, blanks squeezed."""
    joined = raw.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    lines = []
    for line in joined.split("\n"):
        cells = [_SPACES.sub(" ", cell).strip() for cell in line.split(_CELL)]
        if len(cells) > 1 and not cells[-1]:
            cells.pop()
        lines.append(" | ".join(cells))
    return "\n".join(lines).strip("\n")
