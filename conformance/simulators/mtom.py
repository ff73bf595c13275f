"""Reading multipart/related with XOP (W3C MTOM, XOP 1.0): bytes in, root part and binary parts out."""

from email.message import Message
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree

XOP_INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"


class MtomError(ValueError):
    """The body is not what its Content-Type says."""


class Part(NamedTuple):
    content_id: str
    content_type: str
    body: bytes


class Package(NamedTuple):
    """`root` is the SOAP part; `parts` all parts by Content-ID without angle brackets."""

    root: Part
    parts: dict[str, Part]
    action: str


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """Media type and parameters, both with lower-case names."""
    message = Message()
    message["Content-Type"] = content_type
    pairs = message.get_params() or []
    return message.get_content_type(), {name.lower(): value for name, value in pairs[1:]}


def read(content_type: str, body: bytes) -> Package:
    """Split a multipart/related body.

    Raises MtomError when a boundary, the root part or a Content-ID is missing. The `action` parameter is
    taken from the package or, as some stacks do, from the root part (`type`/`action` of RFC 2387, SOAP 1.2).
    """
    kind, params = parameters(content_type)
    if kind != "multipart/related":
        raise MtomError(f"multipart/related is expected, not {kind}")
    boundary = params.get("boundary")
    if not boundary:
        raise MtomError("the Content-Type names no boundary")
    parts = [_part(chunk) for chunk in _chunks(body, boundary.encode("latin-1"))]
    if not parts:
        raise MtomError("the body holds no part")
    by_id = {part.content_id: part for part in parts if part.content_id}
    if len(by_id) < len(parts) - 1:
        raise MtomError("parts without Content-ID, or two with the same")
    start = params.get("start", "").strip().strip("<>")
    root = by_id.get(start) if start else parts[0]
    if root is None:
        raise MtomError(f"no part has the Content-ID of the start parameter, {start}")
    root_kind, root_params = parameters(root.content_type)
    if root_kind != "application/xop+xml":
        raise MtomError(f"the root part is {root_kind}, not application/xop+xml")
    return Package(root, by_id, params.get("action") or root_params.get("action", ""))


def _chunks(body: bytes, boundary: bytes) -> list[bytes]:
    """Bytes between delimiter lines (RFC 2046 §5.1.1): the CRLF before a delimiter belongs to it."""
    delimiter = b"\r\n--" + boundary
    pieces = (b"\r\n" + body).split(delimiter)
    chunks: list[bytes] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return chunks
        line, _, chunk = piece.partition(b"\r\n")
        if line.strip(b" \t"):
            raise MtomError("a delimiter line carries other text")
        chunks.append(chunk)
    raise MtomError("the closing delimiter is missing: the body was cut short")


def _part(chunk: bytes) -> Part:
    head, blank, body = chunk.partition(b"\r\n\r\n")
    if not blank:
        raise MtomError("a part has no blank line after its header")
    headers = {}
    for line in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    encoding = headers.get("content-transfer-encoding", "binary").lower()
    if encoding not in ("binary", "8bit", "7bit"):
        raise MtomError(f"a part is encoded as {encoding}: MTOM sends bytes as they are")
    return Part(headers.get("content-id", "").strip("<>"), headers.get("content-type", ""), body)


def included(element: etree._Element, package: Package) -> bytes:
    """The bytes that `element` holds through its one xop:Include child; raises MtomError."""
    include = element.find(XOP_INCLUDE)
    if include is None:
        raise MtomError("a Document has no xop:Include: its bytes must travel as a part")
    href = include.get("href", "")
    if not href.startswith("cid:"):
        raise MtomError("xop:Include needs a cid: reference")
    part = package.parts.get(unquote(href[4:]))
    if part is None:
        raise MtomError("xop:Include names a part that is not there")
    return part.body
