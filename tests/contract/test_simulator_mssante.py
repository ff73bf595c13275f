"""The MSSanté simulator as a process: it keeps every mail, names what is wrong, misbehaves on demand."""

import io
import json
import signal
import smtplib
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance import pki
from conformance.simulators import mail_rules
from tests.conformance.iti41 import Wish, cda_with_pdf, pdf, submit_objects

TO = "alain.dupont@medecin.mssante.fr"
INDEX = b'<html xmlns="http://www.w3.org/1999/xhtml"><body><a href="README.TXT">README</a></body></html>'


def archive(cda: bytes, edits: dict[str, bytes] | None = None) -> bytes:
    """IHE_XDM.ZIP around one document; `edits` replaces files by name (b"" leaves one out)."""
    files = {
        "INDEX.HTM": INDEX,
        "README.TXT": b"Emetteur : Centre de radiologie Ambroise",
        "IHE_XDM/SUBSET01/METADATA.XML": submit_objects(Wish(document=cda), uri="DOC00001.XML").encode(),
        "IHE_XDM/SUBSET01/DOC00001.XML": cda,
    }
    files.update(edits or {})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            if data:
                target.writestr(name, data)
    return buffer.getvalue()


def mail(
    edits: dict[str, bytes] | None = None, *, page: bytes = pdf(), **headers: str | None
) -> EmailMessage:
    """A faultless mail to a professional; `headers` replaces (or with None removes) one by its name."""
    message = EmailMessage()
    wanted: dict[str, str | None] = {
        "From": "Centre de radiologie Ambroise <radio@ambroise.mssante.fr>",
        "To": TO,
        "Date": "Fri, 08 Jan 2021 11:20:00 +0100",
        "Message-ID": "<1.2.3@ambroise.mssante.fr>",
        "Subject": "XDM/1.0/DDM+CR d'imagerie medicale PAT-TROIS DOMINIQUE 28/03/1979",
        "X-MSS-CODECDA": "18748-4",
        "X-MSS-INS": "O",
        "X-MSS-NIL": "FICTIF-NIL",
        **headers,
    }
    for name, value in wanted.items():
        if value is not None:
            message[name.replace("_", "-")] = value
    message.set_content("Veuillez trouver ci-joint le compte rendu.", charset="utf-8")
    zipped = archive(cda_with_pdf(pdf()), edits)
    message.add_attachment(zipped, maintype="application", subtype="zip", filename="IHE_XDM.ZIP")
    name = "20210108_CR_d_imagerie_medicale_PAT-TROIS_DOMINIQUE.pdf"
    message.add_attachment(page, maintype="application", subtype="pdf", filename=name)
    return message


class Simulator:
    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "conformance", "simulate", "mssante", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--dir", str(folder), *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().replace(",", "").split()
        self.port = int(next(word for word in words if word.startswith("smtp://")).rpartition(":")[2])
        self.control_url = next(word for word in words if word.startswith("http://"))

    def send(self, message: EmailMessage, *recipients: str, tls: ssl.SSLContext | None = None) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as client:
            if tls is not None:
                client.starttls(context=tls)
            client.send_message(message, to_addrs=list(recipients) or [TO])

    def control(self, **state: Any) -> None:
        assert httpx.post(f"{self.control_url}/control", json=state).status_code == 200

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "ledger.jsonl").read_text().splitlines()]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    running = Simulator(tmp_path)
    yield running
    running.stop()


@pytest.mark.req("REQ-50", "REQ-80")
def test_a_faultless_mail_is_kept_and_has_no_fault(simulator: Simulator) -> None:
    simulator.send(mail())
    (line,) = simulator.ledger()
    assert (line["result"], line["checks"]) == ("ok", [])
    assert (line["message_id"], line["to"]) == ("<1.2.3@ambroise.mssante.fr>", [TO])
    kept = simulator.folder / line["files"][0]
    assert kept.parent.name == TO
    assert b"X-MSS-NIL: FICTIF-NIL" in kept.read_bytes()


@pytest.mark.req("REQ-50")
@pytest.mark.parametrize(
    ("message", "place"),
    [
        (mail(Subject="CR d'imagerie"), "Subject"),
        (mail(Subject="XDM/1.0/DDM+Échographie PAT-TROIS DOMINIQUE"), "Subject"),
        (mail(**{"X-MSS-NIL": None}), "X-MSS-NIL"),
        (mail(**{"X-MSS-CODECDA": "11502-2"}), "X-MSS-CODECDA"),
        (mail(**{"X-MSS-INS": None}), "X-MSS-INS"),
        (mail(**{"Message-ID": None}), "Message-ID"),
        (mail(page=b"GIF89a"), "PDF"),
        (mail(page=b"%PDF-1.7 no declaration"), "PDF"),
        (mail(page=pdf("another")), "PDF"),
        (mail({"README.TXT": b""}), "README.TXT"),
        (mail({"IHE_XDM/SUBSET01/document.xml": b"<x/>"}), "IHE_XDM/SUBSET01/document.xml"),
        (mail({"IHE_XDM/SUBSET01/DOC00001.XML": cda_with_pdf(pdf()) + b"\n"}), "DocumentEntry.hash"),
        (mail({"IHE_XDM/SUBSET01/METADATA.XML": b"<!DOCTYPE x><x/>"}), "METADATA.XML"),
    ],
)
def test_one_wrong_thing_is_named(message: EmailMessage, place: str) -> None:
    """By the rules alone, without the process around them."""
    assert place in [fault.place for fault in mail_rules.read(message.as_bytes(), (TO,)).faults]


def test_a_line_that_a_server_may_break_is_named() -> None:
    wire = mail().as_bytes().replace(b"\n", b"\r\n")
    longer = wire.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"a" * 991 + b"\r\n\r\n", 1)
    assert mail_rules.read(wire, (TO,)).faults == ()
    assert [fault.place for fault in mail_rules.read(longer, (TO,)).faults] == ["line"]


def test_a_mail_with_faults_is_taken_and_its_faults_are_in_the_ledger(simulator: Simulator) -> None:
    simulator.send(mail(Subject="CR d'imagerie"))
    (line,) = simulator.ledger()
    assert line["result"] == "faults"
    assert [check["place"] for check in line["checks"]] == ["Subject"]


def test_a_citizen_gets_the_documents_of_no_other_patient(simulator: Simulator) -> None:
    simulator.send(mail(), "279035121518989@patient.mssante.fr")
    simulator.send(mail(), "279035121518888@patient.mssante.fr")
    first, second = simulator.ledger()
    assert first["result"] == "ok"
    assert [check["place"] for check in second["checks"]] == ["RCPT TO"]


def test_a_patient_without_ins_travels_under_the_local_number(simulator: Simulator) -> None:
    local = cda_with_pdf(pdf()).replace(b"1.2.250.1.213.1.4.10", b"1.2.3.4.567.8.9.10")
    edits = [("1.2.250.1.213.1.4.10", "1.2.3.4.567.8.9.10"), ("&amp;ISO^NH", "&amp;ISO^PI")]
    metadata = submit_objects(Wish(document=local, edits=edits), uri="DOC00001.XML").encode()
    files = {"IHE_XDM/SUBSET01/METADATA.XML": metadata, "IHE_XDM/SUBSET01/DOC00001.XML": local}
    simulator.send(mail(files, **{"X-MSS-INS": "N"}))
    simulator.send(mail(files, **{"X-MSS-INS": "O"}))
    first, second = simulator.ledger()
    assert first["checks"] == []
    assert [check["place"] for check in second["checks"]] == ["X-MSS-INS"]


def test_a_repeated_message_id_is_recorded_not_refused(simulator: Simulator) -> None:
    simulator.send(mail())
    simulator.send(mail())
    assert [line["duplicate"] for line in simulator.ledger()] == [False, True]


def test_it_misbehaves_on_demand(simulator: Simulator) -> None:
    for code in (450, 550):
        simulator.control(mode=str(code), count=1)
        with pytest.raises(smtplib.SMTPDataError) as refused:
            simulator.send(mail())
        assert refused.value.smtp_code == code
    assert not simulator.ledger()
    simulator.control(mode="drop", count=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        simulator.send(mail())
    assert len(simulator.ledger()) == 1, "taken, though no reply came"
    simulator.send(mail())
    assert len(httpx.get(f"{simulator.control_url}/ledger").json()) == 2


def test_with_a_certificate_mail_goes_through_starttls_only(tmp_path: Path) -> None:
    keys = pki.make(tmp_path / "pki")
    running = Simulator(
        tmp_path / "mail", "--cert", str(keys.server.certificate), "--key", str(keys.server.key)
    )
    try:
        with pytest.raises(smtplib.SMTPException):
            running.send(mail())
        running.send(mail(), tls=ssl.create_default_context(cafile=str(keys.ca)))
        assert len(running.ledger()) == 1
    finally:
        running.stop()
