"""The mail as the simulated operator takes it apart: the same entities as the email package finds."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import pytest

from conformance.simulators import mime


def made() -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = "XDM/1.0/DDM+CR d'imagerie medicale PAT-TROIS DOMINIQUE"
    message.set_content(
        "Veuillez trouver ci-joint le compte rendu.\n\n-- \nRadiologie, étage 2", charset="utf-8"
    )
    message.add_alternative("<p>Veuillez trouver ci-joint</p>", subtype="html")
    message.add_attachment(
        bytes(range(256)) * 20, maintype="application", subtype="zip", filename="IHE_XDM.ZIP"
    )
    message.add_attachment(
        b"%PDF-1.4 --not-a-boundary", maintype="application", subtype="pdf", filename="a.pdf"
    )
    return message.as_bytes()


def by_the_package(data: bytes) -> list[tuple[str, bytes]]:
    message = BytesParser(policy=policy.compat32).parsebytes(data)
    parts = [part for part in message.walk() if not part.is_multipart()]
    return [(part.get_content_type(), bytes(part.get_payload(decode=True) or b"")) for part in parts]


def by_us(data: bytes) -> list[tuple[str, bytes]]:
    return [(part.kind, part.content()) for part in mime.leaves(mime.entity(data))]


WHOLE = made()
OUTER = mime.entity(WHOLE).head.get_boundary()
assert OUTER is not None
MARK = b"--" + OUTER.encode()


@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        WHOLE.replace(b"\r\n", b"\n"),
        WHOLE.replace(MARK, MARK + b"  "),
        WHOLE.replace(MARK + b"\r\n", b"preamble\r\n" + MARK + b"\r\n", 1),
        WHOLE + b"epilogue\r\n",
        WHOLE.removesuffix(MARK + b"--\r\n"),
        WHOLE.replace(b"boundary=", b"bound=", 1),
        b"\r\n" + WHOLE,
        b"Subject: alone\r\n\r\ntext\r\n",
        b"",
    ],
    ids=["whole", "LF", "padded", "preamble", "epilogue", "cut", "no boundary", "no head", "plain", "empty"],
)
def test_the_entities_are_those_of_the_email_package(data: bytes) -> None:
    assert by_us(data) == by_the_package(data)


def test_a_delimiter_stands_at_the_start_of_a_line_and_alone_on_it() -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
    data = head + b"one --b\r\n--bc\r\n--b x\r\n--b--\r\n--b\r\n\r\nlost"
    assert by_us(data) == [("text/plain", b"one --b\r\n--bc\r\n--b x")]


def test_base64_that_is_none_holds_nothing() -> None:
    assert by_us(b"Content-Transfer-Encoding: base64\r\n\r\nQ") == [("text/plain", b"")]
