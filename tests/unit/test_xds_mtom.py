"""multipart/related: what is written is read back, whatever the bytes and however they arrive."""

import random

import pytest

from gateway.xds import mtom

# Two parts, the first with a binary body that ends in a line break.
WIRE = (
    b"preamble to skip\r\n"
    b"--edge\r\n"  # first boundary
    b'Content-Type: application/xop+xml;\r\n type="x"\r\n'  # folded header line
    b"Content-ID: <root@x>\r\n"
    b"\r\n"
    b"<a/>\r\n\r\n"  # body is `<a/>` and one line break
    b"--edge \t\r\n"  # blanks after a boundary are allowed (RFC 2046 §5.1.1)
    b"\r\n"  # no headers
    b"\x00\r\n--edg\r\n-"  # nearly a boundary
    b"\r\n--edge--\r\nepilogue"
)
CONTENT_TYPE = 'multipart/related; boundary="edge"; start="<root@x>"'


def test_a_multipart_by_hand() -> None:
    found = mtom.read(CONTENT_TYPE, WIRE)
    assert [part.data for part in found.parts] == [b"<a/>\r\n", b"\x00\r\n--edg\r\n-"]
    assert found.root.content_type == 'application/xop+xml; type="x"'
    assert found.root.content_id == "root@x"


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"\r\n--", b"--edg", b"\r\n\r\n--edgx--", bytes(range(256)) * 300]
)
def test_what_is_written_is_read_back(data: bytes) -> None:
    parts = (mtom.part("a@x", "text/xml", data), mtom.part("b@x", "text/plain", b"end"))
    body = b"".join(mtom.write(parts, "edge"))
    assert mtom.read(CONTENT_TYPE, body).parts == parts


def test_a_part_of_headers_only() -> None:
    """RFC 2046 §5.1.1: the body is optional; the boundary may follow the headers at once."""
    body = b"--edge\r\nContent-ID: <a@x>\r\n\r\n--edge\r\n\r\nb\r\n--edge--"
    assert [(part.content_id, part.data) for part in mtom.read(CONTENT_TYPE, body).parts] == [
        ("a@x", b""),
        ("", b"b"),
    ]


def test_random_bytes_come_back() -> None:
    chance = random.Random(7)
    for _ in range(500):
        data = bytes(chance.choice(b"\r\n-edg\x00") for _ in range(chance.randint(0, 40)))
        if b"--edge" in data:
            continue
        body = b"".join(mtom.write((mtom.part("a@x", "text/xml", data),), "edge"))
        assert mtom.read(CONTENT_TYPE, body).root.data == data


@pytest.mark.parametrize(
    ("content_type", "named"),
    [
        ('Multipart/Related; boundary="a;b=c"; START=x', {"boundary": "a;b=c", "start": "x"}),
        (
            'multipart/related ;\r\n boundary = "a\\"b\\\\" ;type=text/xml',
            {"boundary": 'a"b\\', "type": "text/xml"},
        ),
        ("multipart/related; boundary=; type", {"boundary": ""}),
        ("multipart/related", {}),
    ],
)
def test_the_parameters_of_a_content_type(content_type: str, named: dict[str, str]) -> None:
    assert mtom.parameters(content_type) == ("multipart/related", named)


def test_the_root_is_the_part_that_start_names() -> None:
    parts = (mtom.part("b@x", "text/plain", b"second"), mtom.part("root@x", "text/xml", b"first"))
    assert mtom.read(CONTENT_TYPE, b"".join(mtom.write(parts, "edge"))).root.data == b"first"


def test_a_boundary_inside_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="boundary occurs"):
        list(mtom.write((mtom.part("a@x", "text/xml", b"..--edge.."),), "edge"))


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("text/xml", b"<a/>", "announces no multipart"),
        ("multipart/related", b"", "announces no multipart"),
        ('multipart/related; boundary="é"', b"", "ASCII"),
        (CONTENT_TYPE, WIRE[:-18], "closing boundary"),
        (CONTENT_TYPE, b"", "closing boundary"),
        (CONTENT_TYPE, b"--edge--", "no part"),
        (CONTENT_TYPE, b"--edge\r\nnonsense\r\n\r\n", "no name"),
        (CONTENT_TYPE, b"--edge\r\nA: " + b"x" * 20000, "never end"),
        (CONTENT_TYPE, b"--edgexyz\r\n\r\n", "text after"),
    ],
)
def test_a_broken_multipart_is_said(content_type: str, body: bytes, message: str) -> None:
    with pytest.raises(mtom.MultipartError, match=message):
        mtom.read(content_type, body)
