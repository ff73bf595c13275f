"""Bytes of a mail with attachments (RFC 5322, 2045, 2047): the standard library folds and encodes words, the
rest is written here.

Its message classes read again every header that they are given and cost twice as much; the values here
are made by us and already clean, so there is nothing to parse. Equal arguments give equal bytes.
"""

from binascii import b2a_base64
from email.charset import QP, Charset
from email.header import Header
from email.utils import formataddr, quote
from functools import lru_cache
from io import BytesIO
from itertools import chain
from struct import Struct

from gateway.model.base import Value

_UTF_8 = Charset("utf-8")
_UTF_8.body_encoding = QP

_LINE = 78
"""Characters of a header line without its end (RFC 5322 §2.1.1)."""
_PACKED = 76
"""Characters of a Base64 line (RFC 2045 §6.8)."""
_PIECE = 57 * 4096
"""Bytes of whole lines."""
_ROWS = Struct("76s" * 64)
"""Lines that are cut at once, in C."""


class Attachment(Value):
    """A file of `application/<subtype>`; `name` is ASCII."""

    name: str
    subtype: str
    data: bytes


def one_line(text: str) -> str:
    """`text` without line breaks and control characters: no value can start a header of its own."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())


@lru_cache(maxsize=64)
def mailbox(name: str, address: str) -> str:
    """`=?utf-8?…?= <address>`: a display name in UTF-8 as encoded words (RFC 2047)."""
    return formataddr((one_line(name), one_line(address)), charset=_UTF_8)


def write(
    headers: tuple[tuple[str, str], ...], text: str, attachments: tuple[Attachment, ...], boundary: str
) -> bytes:
    """multipart/mixed with CRLF line ends, 7-bit: `text` in quoted-printable, attachments in Base64."""
    out, separator = BytesIO(), f"\r\n--{boundary}".encode("ascii")
    cleaned = tuple((name, one_line(value)) for name, value in headers)
    out.write(_headers(("Content-Type", f'multipart/mixed; boundary="{boundary}"'), _MIME, *cleaned))
    out.write(separator[2:] + b"\r\n")
    out.write(_headers(*_part('text/plain; charset="utf-8"', "quoted-printable")))
    if text:
        words = _UTF_8.body_encode(text.encode("utf-8", "replace"))
        out.write(words.replace("\n", "\r\n").encode("ascii"))
    for attached in attachments:
        disposition = f'attachment; filename="{quote(attached.name)}"'
        out.write(separator + b"\r\n")
        out.write(
            _headers(
                *_part(f"application/{attached.subtype}", "base64"), ("Content-Disposition", disposition)
            )
        )
        _base64(attached.data, out)
    out.write(separator + b"--\r\n")
    return out.getvalue()


_MIME = ("MIME-Version", "1.0")


def _part(content_type: str, encoding: str) -> tuple[tuple[str, str], ...]:
    return ("Content-Type", content_type), _MIME, ("Content-Transfer-Encoding", encoding)


def _headers(*headers: tuple[str, str]) -> bytes:
    """Each on its line, or folded, words beyond ASCII encoded; then the empty line."""
    lines = [f"{name}: {_folded(name, value)}\r\n" for name, value in headers]
    return "".join((*lines, "\r\n")).encode("ascii")


def _folded(name: str, value: str) -> str:
    if value.isascii():
        room = _LINE - len(name) - len(": ")
        if len(value) <= room:
            return value
        first, _, parameter = value.partition("; ")
        if len(first) < room and 0 < len(parameter) < _LINE and ";" not in parameter:
            # As the standard library folds it, in a tenth of the time of the whole mail.
            return f"{first};\r\n {parameter}"
    return Header(value, header_name=name).encode(linesep="\r\n", maxlinelen=_LINE)


def _base64(data: bytes, out: BytesIO) -> None:
    """Lines of 76 characters, as the standard library writes them, but in pieces: it copies a large
    attachment seven times."""
    for begin in range(0, len(data), _PIECE):
        out.write(_lines(data[begin : begin + _PIECE]))


def _lines(data: bytes) -> bytes:
    packed = b2a_base64(data, newline=False)
    end = len(packed) // _ROWS.size * _ROWS.size
    lines = chain.from_iterable(_ROWS.iter_unpack(packed[:end]))
    rest = [packed[at : at + _PACKED] for at in range(end, len(packed), _PACKED)]
    return b"\r\n".join([*lines, *rest, b""])
