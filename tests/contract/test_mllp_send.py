"""`gateway send`: files, folders, batches; repetition, pace, TLS; the exit status says how it went."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from gateway.cli import sending
from gateway.cli.sending import Options
from gateway.config import MllpSettings
from gateway.connectors import tls
from gateway.hl7v2 import AckCode
from tests.mllp_support import Taken, acknowledged, framed, report, server_thread
from tests.support import PATIENCE
from tests.unit.pki_files import pki


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.01)


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def status(paths: list[Path], options: Options) -> int:
    try:
        sending.send(paths, options)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def to(port: int, **more: object) -> Options:
    return Options(to=f"mllp://127.0.0.1:{port}", timeout=20.0, **more)  # type: ignore[arg-type]


@pytest.mark.req("REQ-02")
def test_an_accepted_file_is_status_0_and_its_answer_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, one=report("7")) / "one"
    taken = Taken()
    with server_thread(taken) as port:
        assert status([file], to(port)) == 0
    assert taken.payloads == [report("7")]
    assert capsys.readouterr().out.startswith("one: AA 7 (")


def test_a_refusal_is_status_1_with_its_errors_and_the_next_file_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path, a=report("1"), b=report("2"))
    taken = Taken(AckCode.AE, "INS-KEY")
    with server_thread(taken) as port:
        assert status([folder], to(port)) == 1
    out = capsys.readouterr().out
    assert "a: AE 1 (" in out
    assert "b: AE 2 (" in out
    assert "INS-KEY" in out
    assert out.splitlines()[-1].startswith("2 sent: 2 AE in ")


def test_a_folder_is_sent_in_the_order_of_names_without_what_is_not_for_mllp(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(
        tmp_path, b=report("2"), a=report("1"), report=b'{"resourceType": "Bundle"}', **{".hidden": b"x"}
    )
    write(folder / "c", d=report("3"), notes=b"# how these were made")
    taken = Taken()
    with server_thread(taken) as port:
        assert status([folder], to(port)) == 0
    assert "2 left out, no message for this receiver: notes, report" in capsys.readouterr().err
    assert taken.payloads == [report("1"), report("2"), report("3")]


def test_all_messages_of_a_batch_and_of_a_saved_frame_are_sent(tmp_path: Path) -> None:
    batch = b"FHS|^~\\&\rBHS|^~\\&\r" + report("1") + report("2") + b"BTS|2\rFTS|1\r"
    folder = write(tmp_path, a=batch, b=framed(report("3")))
    taken = Taken()
    with server_thread(taken) as port:
        assert status([folder], to(port)) == 0
    assert [payload.split(b"|")[9] for payload in taken.payloads] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("paths", "options"),
    [
        (["missing"], Options(to="mllp://127.0.0.1:1")),
        (["empty"], Options(to="mllp://127.0.0.1:1")),
        (["bundle"], Options(to="mllp://127.0.0.1:1")),
        (["message"], Options(to="127.0.0.1:2575")),
        (["message"], Options(to="mllp://127.0.0.1:port")),
        (["message"], Options(to="mllp://127.0.0.1:1", ca=Path("ca.pem"))),
        (["message"], Options(to="mllps://127.0.0.1:1", ca=Path("missing.pem"))),
    ],
)
def test_wrong_use_is_status_2_before_anything_is_sent(
    tmp_path: Path, paths: list[str], options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, message=report("1"), bundle=b"{}")
    (tmp_path / "empty").mkdir()
    assert status([tmp_path / path for path in paths], options) == 2
    assert capsys.readouterr().err.startswith("gateway: ")


def test_nobody_there_is_status_1_with_the_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, one=report("7")) / "one"
    assert status([file], Options(to="mllp://127.0.0.1:1", retries=2)) == 1
    assert "mllp://127.0.0.1:1: connection refused" in capsys.readouterr().err


def test_who_speaks_tls_to_a_plain_port_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, one=report("7")) / "one"
    with server_thread(Taken()) as port:
        assert status([file], Options(to=f"mllps://127.0.0.1:{port}", timeout=20.0)) == 1
    assert "does it speak TLS on this port?" in capsys.readouterr().err


@pytest.mark.parametrize(("retries", "expected", "sent"), [(0, 1, 1), (1, 1, 2), (2, 0, 3), (9, 0, 3)])
def test_ar_is_repeated_as_often_as_asked(tmp_path: Path, retries: int, expected: int, sent: int) -> None:
    payloads = []

    async def busy(payload: bytes, _: str) -> bytes:
        payloads.append(payload)
        return acknowledged(payload, AckCode.AR if len(payloads) < 3 else AckCode.AA)

    file = write(tmp_path, one=report("7")) / "one"
    with server_thread(busy) as port:
        assert status([file], to(port, retries=retries)) == expected
    assert payloads == [report("7")] * sent


def test_ae_is_never_repeated(tmp_path: Path) -> None:
    taken = Taken(AckCode.AE)
    file = write(tmp_path, one=report("7")) / "one"
    with server_thread(taken) as port:
        assert status([file], to(port, retries=5)) == 1
    assert len(taken.payloads) == 1


def test_a_lost_connection_is_opened_again_and_the_same_message_sent(tmp_path: Path) -> None:
    payloads = []

    async def failing(payload: bytes, _: str) -> bytes:
        payloads.append(payload)
        if len(payloads) == 2:
            raise RuntimeError("the receiver breaks the connection")
        return acknowledged(payload)

    folder = write(tmp_path, a=report("1"), b=report("2"), c=report("3"))
    with server_thread(failing) as port:
        assert status([folder], to(port, retries=1)) == 0
    assert payloads == [report("1"), report("2"), report("2"), report("3")]


def test_without_answer_nothing_more_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payloads = []

    async def silent(payload: bytes, _: str) -> bytes:
        payloads.append(payload)
        raise RuntimeError("no answer")

    folder = write(tmp_path, a=report("1"), b=report("2"))
    with server_thread(silent) as port:
        assert status([folder], to(port)) == 1
    assert payloads == [report("1")]
    assert "without an answer" in capsys.readouterr().err


def test_an_answer_to_another_message_is_left_aside(tmp_path: Path) -> None:
    """A late answer must not be taken for that of the message after it (Mirth connect#1441)."""

    async def confused(payload: bytes, _: str) -> bytes:
        return acknowledged(report("99"), AckCode.AE) if b"|7|" in payload else acknowledged(payload)

    folder = write(tmp_path, a=report("7"))
    with server_thread(confused) as port:
        started = time.monotonic()
        assert status([folder], Options(to=f"mllp://127.0.0.1:{port}", timeout=0.3)) == 1
    assert time.monotonic() - started < PATIENCE


def test_the_pace_is_kept(tmp_path: Path) -> None:
    folder = write(tmp_path, **{f"m{number}": report(str(number)) for number in range(6)})
    with server_thread(Taken()) as port:
        started = time.monotonic()
        assert status([folder], to(port, rate=20.0)) == 0
    assert time.monotonic() - started >= 5 / 20


def test_json_is_one_object_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path, a=report("1"), b=b"no HL7 at all")
    with server_thread(Taken()) as port:
        assert status([folder / "a", folder / "b"], to(port, as_json=True)) == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first.pop("seconds") >= 0
    assert first == {"file": str(folder / "a"), "code": "AA", "control_id": "1", "errors": []}
    assert second["code"] == "AR"


def test_an_answer_that_is_none_counts_as_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def babbling(_: bytes, __: str) -> bytes:
        return b"MSH|^~\\&|no MSA\r"

    file = write(tmp_path, one=report("7")) / "one"
    with server_thread(babbling) as port:
        assert status([file], to(port)) == 1
    assert "no MSA" in capsys.readouterr().out


def test_bytes_that_no_frame_can_carry_are_not_sent(tmp_path: Path) -> None:
    taken = Taken()
    file = write(tmp_path, one=report("7", text="A\x0bB")) / "one"
    with server_thread(taken) as port:
        assert status([file], to(port)) == 1
    assert taken.payloads == []


@pytest.mark.req("REQ-72")
def test_mutual_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = pki()
    context = tls.server_context(files.server.certificate, files.server.key, files.ca)
    file = write(tmp_path, one=report("7")) / "one"
    with server_thread(Taken(), MllpSettings(), tls=context) as port:
        secured = Options(
            to=f"mllps://localhost:{port}",
            timeout=5.0,
            ca=files.ca,
            certificate=files.client.certificate,
            key=files.client.key,
        )
        assert status([file], secured) == 0
        anonymous = Options(to=secured.to, timeout=5.0, ca=files.ca)
        assert status([file], anonymous) == 1
        stranger = Options(to=secured.to, timeout=5.0)  # our authority is none of the system's
        assert status([file], stranger) == 1
    assert "certificate" in capsys.readouterr().err.lower()


class Fhir(BaseHTTPRequestHandler):
    """Busy once, then content."""

    posts: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posts.append((self.headers.get("Authorization", ""), body))
        self.send_response(503 if len(self.posts) == 1 else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def fhir() -> Iterator[str]:
    Fhir.posts = []
    server = HTTPServer(("127.0.0.1", 0), Fhir)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/fhir"
    server.shutdown()
    thread.join()
    server.server_close()


def test_fhir_goes_over_http_with_the_same_options(
    tmp_path: Path, fhir: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path, a=b'{"resourceType": "Bundle"}', b=report("1"))
    assert status([folder], Options(to=fhir, token="fictive", retries=1)) == 0
    assert Fhir.posts == [("Bearer fictive", b'{"resourceType": "Bundle"}')] * 2
    assert "a: HTTP 200" in capsys.readouterr().out


def test_without_repetition_503_is_status_1(tmp_path: Path, fhir: str) -> None:
    file = write(tmp_path, a=b"{}") / "a"
    assert status([file], Options(to=fhir)) == 1


def test_a_bar_is_drawn_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path, a=report("1"), b=report("2"))
    with server_thread(Taken()) as port:
        assert status([folder], to(port)) == 0
        assert "sending" not in capsys.readouterr().out
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        assert status([folder], to(port)) == 0
    out = capsys.readouterr().out
    assert "sending" in out
    assert "2/2" in out
    assert "a: AA 1" in out
