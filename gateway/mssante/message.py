"""Bytes of a mail with attachments, by the standard library's older API (`compat32`).

Its newer one parses every header that it is given and costs five times as much; the values here are made by
us and already clean, so there is nothing to parse. Equal arguments give equal bytes.
"""

from binascii import b2a_base64
from email.charset import QP, Charset
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import formataddr
from io import BytesIO

from gateway.model.base import Value

_POLICY = compat32.clone(linesep="\r\n")
_UTF_8 = Charset("utf-8")
_UTF_8.body_encoding = QP


_PIECE = 57 * 4096
"""Bytes of whole lines."""


class Attachment(Value):
    """A file of `application/<subtype>`; `name` is ASCII."""

    name: str
    subtype: str
    data: bytes


def one_line(text: str) -> str:
    """`text` without line breaks and control characters: no value can start a header of its own."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def mailbox(name: str, address: str) -> str:
    """`=?utf-8?…?= <address>`: a display name in UTF-8 as encoded words (RFC 2047)."""
    return formataddr((one_line(name), one_line(address)), charset=_UTF_8)


def write(
    headers: tuple[tuple[str, str], ...], text: str, attachments: tuple[Attachment, ...], boundary: str
) -> bytes:
    """multipart/mixed with CRLF line ends, 7-bit: `text` in quoted-printable, attachments in Base64."""
    message = MIMEMultipart("mixed", boundary, policy=_POLICY)
    for name, value in headers:
        message[name] = one_line(value)
    words = MIMENonMultipart("text", "plain", policy=_POLICY, charset="utf-8")
    words.set_payload(text, _UTF_8)
    message.attach(words)
    for number, attached in enumerate(attachments):
        mark = f"{boundary}.{number}"  # a boundary stands in no part: nor does this
        part = MIMEApplication(mark.encode(), attached.subtype, _encoder=lambda _: None, policy=_POLICY)
        part["Content-Transfer-Encoding"] = "base64"
        part.add_header("Content-Disposition", "attachment", filename=attached.name)
        message.attach(part)
    rest = message.as_bytes(policy=_POLICY)
    out = BytesIO()
    for number, attached in enumerate(attachments):
        before, found, rest = rest.partition(f"{boundary}.{number}".encode())
        assert found, "each attachment left its mark"
        out.write(before)
        _base64(attached.data, out)
    out.write(rest)
    return out.getvalue()


def _base64(data: bytes, out: BytesIO) -> None:
    """Lines of 76 characters, as the standard library writes them, but in pieces: it copies a large
    attachment seven times."""
    for begin in range(0, len(data), _PIECE):
        packed = b2a_base64(memoryview(data)[begin : begin + _PIECE], newline=False)
        out.write(b"".join(packed[at : at + 76] + b"\r\n" for at in range(0, len(packed), 76)))
