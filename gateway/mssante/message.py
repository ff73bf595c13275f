"""Bytes of a mail with attachments, by the standard library's older API (`compat32`).

Its newer one parses every header that it is given and costs five times as much; the values here are made by
us and already clean, so there is nothing to parse. Equal arguments give equal bytes.
"""

from email.charset import QP, Charset
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import formataddr

from gateway.model.base import Value

_POLICY = compat32.clone(linesep="\r\n")
_UTF_8 = Charset("utf-8")
_UTF_8.body_encoding = QP


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
    message.attach(MIMEText(text, "plain", _UTF_8, policy=_POLICY))  # type: ignore[arg-type] # typeshed: str only
    for attached in attachments:
        part = MIMEApplication(attached.data, attached.subtype, policy=_POLICY)
        part.add_header("Content-Disposition", "attachment", filename=attached.name)
        message.attach(part)
    return message.as_bytes(policy=_POLICY)
