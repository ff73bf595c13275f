"""Documents that somebody sends to do harm, or that are simply broken; all small but one."""

import base64
import re
from collections.abc import Callable

_BODY = re.compile(rb'(representation="B64"[^>]*>)([^<]+)(</text>)')
_EMPTY = b'<ClinicalDocument xmlns="urn:hl7-org:v3">%s</ClinicalDocument>'


def _laughs(_: bytes) -> bytes:
    """Billion laughs: 3 GB of text from 700 bytes."""
    entities = b"".join(b'<!ENTITY l%d "%s">' % (one, b"&l%d;" % (one - 1) * 10) for one in range(1, 10))
    return b'<!DOCTYPE x [<!ENTITY l0 "lol">' + entities + b"]>" + _EMPTY % b"<title>&l9;</title>"


def _body(content: bytes) -> Callable[[bytes], bytes]:
    return lambda document: _BODY.sub(rb"\g<1>" + content + rb"\g<3>", document, count=1)


def _wide(document: bytes) -> bytes:
    return document.decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "billion laughs": (_laughs, "CDA-INVALID"),
    "billion laughs behind a comment": (lambda d: b"<!-- x -->" + _laughs(d), "CDA-INVALID"),
    "external entity": (
        lambda _: (
            b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + _EMPTY % b"<title>&e;</title>"
        ),
        "CDA-INVALID",
    ),
    "external type": (
        lambda _: b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + _EMPTY % b"",
        "CDA-INVALID",
    ),
    "UTF-16": (_wide, "CDA-INVALID"),
    "UTF-16 declared over UTF-8": (lambda d: d.replace(b"UTF-8", b"UTF-16", 1), "CDA-INVALID"),
    "Latin-1 under UTF-8": (lambda d: d.replace("é".encode(), b"\xe9"), "CDA-INVALID"),
    "deep nesting": (lambda _: _EMPTY % (b"<a>" * 100_000 + b"</a>" * 100_000), "CDA-INVALID"),
    "many attributes": (
        lambda _: (
            _EMPTY.replace(b">%s", b" " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b">%s") % b""
        ),
        "CDA-INVALID",
    ),
    "broken Base64": (_body(b"@@@JVBERi0xLjQK"), "HL7-BASE64"),
    "no PDF": (_body(base64.b64encode(b"hello")), "PDF-INVALID"),
}
"""Name → (what it makes of a good CDA N1, the finding that the gateway refuses it with)."""
