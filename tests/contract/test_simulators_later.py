"""Simulated peers under load (`--judge later`): all is taken at once, and nothing is spared for it."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from conformance import pki
from conformance.simulators.mssante import MAX_BYTES
from tests.conformance.iti41 import Wish
from tests.contract.test_simulator_dmp import Simulator as Dmp
from tests.contract.test_simulator_mssante import TO, mail
from tests.contract.test_simulator_mssante import Simulator as Operator

MESSAGE_ID = ".//{*}MessageID"
LATER = ("--judge", "later")
WRONG = Wish(
    unique_id="1.2.3.8", set_id="1.2.3.9", edits=[('nodeRepresentation="31"', 'nodeRepresentation="10"')]
)
UNSIGNED = Wish(unique_id="1.2.4.1", set_id="1.2.4.2", assertion=False)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> pki.Pki:
    return pki.make(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def dmp(tmp_path: Path, keys: pki.Pki) -> Iterator[Dmp]:
    running = Dmp(tmp_path / "dmp", keys, "--ca", str(keys.ca), *LATER)
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture
def operator(tmp_path: Path, keys: pki.Pki) -> Iterator[Operator]:
    tls = ("--cert", str(keys.server.certificate), "--key", str(keys.server.key))
    running = Operator(tmp_path / "mail", *tls, *LATER)
    yield running
    running.stop()


def soap(body: bytes) -> etree._Element:
    """The envelope in the first part of a package."""
    return etree.fromstring(body.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0])


def judged(simulator: Dmp) -> list[tuple[str, list[str]]]:
    """What the ledger says once somebody asks for it."""
    entries: list[dict[str, Any]] = httpx.get(f"{simulator.base}/ledger").json()
    return [(one["result"], [error["code"] for error in one["errors"]]) for one in entries]


@pytest.mark.req("REQ-80")
def test_a_dmp_takes_all_and_its_ledger_names_every_fault(dmp: Dmp) -> None:
    for wish in (Wish(), WRONG, UNSIGNED, Wish()):
        assert dmp.post(wish) == (200, []), "taken"
    assert dmp.ledger() == [], "and not judged"
    assert judged(dmp) == [
        ("Success", []),
        ("Failure", ["XDSRegistryMetadataError"]),
        ("Fault", ["InvalidSecurity"]),
        ("Failure", ["XDSDuplicateUniqueIdInRegistry"]),
    ]
    assert [one["held"] for one in dmp.ledger()] == [1, 2, 3, 4]
    assert httpx.post(f"{dmp.base}/judge").json() == {"judged": 0}


def test_a_dmp_answers_each_message_by_its_own(dmp: Dmp) -> None:
    answers = [soap(dmp.send(wish).content) for wish in (Wish(), WRONG)]
    assert len(judged(dmp)) == 2
    requests = [dmp.folder / "requests" / name / "request.mime" for name in ("000001", "000002")]
    asked = [soap(one.read_bytes()).findtext(MESSAGE_ID) for one in requests]
    assert [one.findtext(".//{*}RelatesTo") for one in answers] == asked
    assert len({*asked, *(one.findtext(MESSAGE_ID) for one in answers)}) == 4


def test_a_dmp_reads_what_is_no_plain_post_by_all_of_http(dmp: Dmp, keys: pki.Pki) -> None:
    """Chunked, after a plain post on the same connection, and with more behind it."""
    with httpx.Client(timeout=20) as client:
        for body in (
            b"<a:MessageID>1</a:MessageID>",
            iter((b"<a:MessageID>2", b"</a:MessageID>")),
            b"no envelope",
        ):
            answer = client.post(dmp.url, content=body, headers={"Content-Type": "multipart/related"})
            assert answer.status_code == (500 if body == b"no envelope" else 200)
        assert len(client.get(f"{dmp.base}/ledger").json()) == 3
    kept = (dmp.folder / "requests" / "000002" / "request.mime").read_bytes()
    assert kept == b"<a:MessageID>2</a:MessageID>"


def test_in_another_mode_a_dmp_judges_before_it_answers(dmp: Dmp) -> None:
    assert dmp.post(Wish()) == (200, [])
    httpx.post(f"{dmp.base}/control", json={"mode": "closed", "count": 1}).raise_for_status()
    assert dmp.post(Wish(unique_id="1.2.5.1", set_id="1.2.5.2")) == (200, ["DMPClosed"])
    assert dmp.post(WRONG) == (200, [])
    assert [result for result, _ in judged(dmp)] == ["Success", "Failure", "Failure"]
    assert [one.get("held") for one in dmp.ledger()] == [1, None, 2]


def test_what_a_killed_dmp_held_is_judged_by_the_next(dmp: Dmp, keys: pki.Pki) -> None:
    dmp.post(Wish())
    dmp.post(WRONG)
    dmp.process.kill()
    dmp.process.wait()
    with (dmp.folder / "held.bin").open("ab") as file:
        file.write(b'{"number": 3, "size": 500, "taken"')  # torn by the kill, never answered
    again = Dmp(dmp.folder, keys, *LATER)
    again.post(Wish(unique_id="1.2.6.1", set_id="1.2.6.2"))
    again.stop()
    assert [(one["held"], one["result"]) for one in again.ledger()] == [
        (1, "Success"),
        (2, "Failure"),
        (3, "Success"),
    ]
    assert (dmp.folder / "held.bin").read_bytes() == b""


@pytest.mark.req("REQ-80")
def test_an_operator_takes_all_and_its_ledger_names_every_fault(operator: Operator, keys: pki.Pki) -> None:
    tls = ssl.create_default_context(cafile=str(keys.ca))
    with pytest.raises(smtplib.SMTPException):
        operator.send(mail())
    for one in (mail(), mail(Subject="CR d'imagerie"), mail()):
        operator.send(one, tls=tls)
    assert operator.ledger() == []
    entries = httpx.get(f"{operator.control_url}/ledger").json()
    assert entries == operator.ledger()
    assert [(one["held"], one["result"], one["duplicate"]) for one in entries] == [
        (1, "ok", False),
        (2, "faults", True),
        (3, "ok", True),
    ]
    assert b"X-MSS-NIL: FICTIF-NIL" in (operator.folder / entries[0]["files"][0]).read_bytes()
    operator.control(mode="450", count=1)
    with pytest.raises(smtplib.SMTPDataError):
        operator.send(mail(), tls=tls)


def test_an_operator_takes_commands_that_come_together(tmp_path: Path) -> None:
    """PIPELINING (RFC 2920), limits (RFC 1870), dots at the start of a line (RFC 5321 §4.5.2)."""
    running = Operator(tmp_path, *LATER)
    envelope = f"MAIL FROM:<a@x.mssante.fr> BODY=8BITMIME\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        heard = connection.makefile("rb")

        def said(*commands: bytes, replies: int) -> list[bytes]:
            connection.sendall(b"".join(commands))
            return [next(line[:3] for line in heard if line[3:4] == b" ") for _ in range(replies)]

        assert said(b"", replies=1) == [b"220"]
        assert said(envelope, replies=3) == [b"503", b"503", b"503"], "EHLO comes first"
        connection.sendall(b"EHLO x.fr\r\n")
        offered = {next(heard).split()[0][4:] for _ in range(6)}
        assert offered >= {b"SIZE", b"8BITMIME", b"SMTPUTF8", b"PIPELINING"}
        assert said(b"MAIL FROM:<a@x.fr> SIZE=%d\r\nRSET\r\nNOPE\r\n" % (MAX_BYTES + 1), replies=3) == [
            b"552",
            b"250",
            b"502",
        ]
        assert said(envelope, replies=3) == [b"250", b"250", b"354"]
        assert said(b"Subject: x\r\n\r\n..y\r\n.\r\n" + envelope, replies=4) == [
            b"250",
            b"250",
            b"250",
            b"354",
        ]
        assert said(b".\r\nQUIT\r\n", replies=2) == [b"250", b"221"]
    running.stop()
    first, second = running.ledger()
    assert (running.folder / first["files"][0]).read_bytes() == b"Subject: x\r\n\r\n.y\r\n"
    assert (first["envelope_from"], first["to"], second["size"]) == ("a@x.mssante.fr", [TO], 0)


def test_what_came_in_the_clear_behind_starttls_is_forgotten(operator: Operator, keys: pki.Pki) -> None:
    """RFC 3207 §6: a stranger's command must not count as said by the client that TLS names."""
    with smtplib.SMTP("127.0.0.1", operator.port, timeout=20) as client:
        client.ehlo()
        assert client.sock is not None
        client.sock.sendall(b"STARTTLS\r\nNOOP\r\n")
        assert client.getreply()[0] == 220
        context = ssl.create_default_context(cafile=str(keys.ca))
        client.sock = context.wrap_socket(client.sock, server_hostname="localhost")
        client.file = None
        assert client.ehlo()[0] == 250
        assert not client.has_extn("starttls")
        assert client.mail("a@x.fr")[0] == 250, "no reply too many"
