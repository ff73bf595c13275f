"""Which character set the bytes of a message really are in (spec hl7v2.md §4.5 rule 3, HL7 table 0211)."""

from functools import lru_cache
from typing import NamedTuple

UTF_8 = "utf-8"
WINDOWS_1252 = "cp1252"
LATIN_1 = "iso8859-1"

CODECS: dict[str, str] = {
    "ASCII": "ascii",
    "US-ASCII": "ascii",
    "UNICODE UTF-8": UTF_8,
    "UNICODE": UTF_8,
    "UTF-8": UTF_8,
    "UTF8": UTF_8,
    # Senders that declare 8859/1 run on Windows: 0x80-0x9F are then letters and quotes, never controls.
    "8859/1": WINDOWS_1252,
    "LATIN1": WINDOWS_1252,
    "CP1252": WINDOWS_1252,
    "WINDOWS-1252": WINDOWS_1252,
    **{f"8859/{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
}
"""MSH-18 → Python codec. All are supersets of ASCII, so that delimiters are single known bytes.

`ISO-8859-15`, `ISO8859-15` and `iso8859/15` are read as `8859/15`."""

DECLARATIONS: dict[str, str] = {
    UTF_8: "UNICODE UTF-8",
    "ascii": "UNICODE UTF-8",
    WINDOWS_1252: "8859/1",
    LATIN_1: "8859/1",
}
"""Python codec → what we write into MSH-18 (other codecs: `8859/n`)."""


class Charset(NamedTuple):
    """The codec that decodes every byte of the message; `problem` says how it differs from MSH-18."""

    codec: str
    problem: str = ""


@lru_cache(maxsize=64)
def codec_of(name: str) -> str | None:
    """Python codec of a MSH-18 value or a codec name, None when it is not one of ours."""
    wanted = name.strip().upper().replace("_", "-")
    for prefix in ("ISO-8859-", "ISO8859-", "ISO8859/", "ISO 8859-"):
        if wanted.startswith(prefix):
            wanted = "8859/" + wanted.removeprefix(prefix)
    return CODECS.get(wanted)


def declaration_of(codec: str) -> str:
    """MSH-18 for a codec of this room."""
    return DECLARATIONS.get(codec) or codec.replace("iso8859-", "8859/")


def detect(data: bytes, declared: str, override: str | None = None) -> Charset:
    """The character set of `data`, whose MSH-18 is `declared`; `override` is the site's word against it.

    Order: what is declared where the bytes fit, UTF-8, windows-1252, ISO 8859-1 (which takes every byte).
    """
    wanted = override or declared
    codec = codec_of(wanted)
    unknown = "MSH-18 names no character set of table 0211" if wanted and codec is None else ""
    if data.isascii():
        return Charset(UTF_8 if codec in (None, "ascii") else str(codec), unknown)
    if _fits(data, UTF_8):
        if codec == UTF_8 or (override and codec not in (None, "ascii")):
            return Charset(str(codec))
        # Bytes that are valid UTF-8 beyond ASCII are UTF-8: French text in 8859 never looks like it.
        return Charset(UTF_8, unknown or _contrast(wanted, "UTF-8"))
    if codec == WINDOWS_1252:
        return Charset(_eight_bit(data))
    if codec and _fits(data, codec):
        return Charset(codec)
    return Charset(_eight_bit(data), unknown or _contrast(wanted, "windows-1252"))


def _contrast(wanted: str, read_as: str) -> str:
    return f"{f'declared {wanted.strip()}' if wanted.strip() else 'none declared'}, read as {read_as}"


def _eight_bit(data: bytes) -> str:
    return WINDOWS_1252 if _fits(data, WINDOWS_1252) else LATIN_1


def _fits(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
