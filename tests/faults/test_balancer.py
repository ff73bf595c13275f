"""The load balancer of docker/several-nodes.yaml, as configured: senders go on when a node dies."""

import asyncio
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.nodes import NAMES, NodesStage, send_somewhere
from tests.faults.support import LONG, Account, drained, message
from tests.postgres_support import Server
from tests.support import PATIENCE

CONFIGURATION = Path(__file__).parents[2] / "docker" / "haproxy.cfg"
HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
SENDERS, EACH = 4, 30

pytestmark = [
    pytest.mark.skipif(
        not Path(HAPROXY).exists(), reason="no haproxy here (Debian: apt-get install haproxy)"
    ),
    pytest.mark.postgres,
    pytest.mark.timeout(600),
]


def test_the_configuration_is_one_of_haproxy() -> None:
    done = subprocess.run([HAPROXY, "-c", "-f", CONFIGURATION], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert all("could not resolve address" in line for line in told), told


@pytest.fixture
def stage(postgres_server: Server, tmp_path: Path) -> Iterator[NodesStage]:
    one = NodesStage(tmp_path / "stage", postgres_server.database())
    one.start()
    yield one
    one.stop()


def free() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def here(stage: NodesStage, doors: dict[str, int]) -> str:
    """The configuration on this machine's loopback: addresses and ports change, nothing else."""
    text = CONFIGURATION.read_text()
    text = re.sub(r"\nresolvers docker\n.*\n", "\n", text).replace(" resolvers docker", "")
    for name in NAMES:
        web = urlsplit(stage.addresses[name]).port
        text = text.replace(f"{name}:2575", f"127.0.0.1:{stage.doors[name][1]} port {web}")
        text = text.replace(f"{name}:8080", f"127.0.0.1:{web} port {web}")
    for name, port in doors.items():
        text = re.sub(rf"(frontend {name}\n    bind ):\d+", rf"\g<1>127.0.0.1:{port}", text)
    return text


@pytest.fixture
def balanced(stage: NodesStage, tmp_path: Path) -> Iterator[dict[str, int]]:
    """Ports of the balancer, once it has found all nodes ready."""
    doors = {"mllp": free(), "http": free()}
    file = tmp_path / "haproxy.cfg"
    file.write_text(here(stage, doors))
    with (tmp_path / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([HAPROXY, "-db", "-f", file], stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while not ready(doors["http"]):
            assert process.poll() is None, (tmp_path / "haproxy.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.2)
        yield doors
    finally:
        process.kill()
        process.wait()


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.skipif(not LONG, reason="in `make faults`")
@pytest.mark.req("REQ-43", "REQ-78")
def test_senders_go_on_while_a_node_is_dead_and_it_comes_back(
    stage: NodesStage, balanced: dict[str, int]
) -> None:
    account = Account()
    stage.doors = dict.fromkeys(NAMES, ("127.0.0.1", balanced["mllp"]))  # every way leads through it

    async def load() -> None:
        lanes = [
            [message(1000 + 100 * sender + number // 2, 1 + number % 2) for number in range(EACH)]
            for sender in range(SENDERS)
        ]
        sending = [asyncio.create_task(send_somewhere(stage, account, lane, 0)) for lane in lanes]
        await asyncio.sleep(1.0)
        stage.kill("a", workers_too=True)
        await asyncio.wait_for(asyncio.gather(*sending), 4 * PATIENCE)  # while it is dead

    asyncio.run(load())
    assert account.codes() == {"AA"}
    assert len(account.told) == SENDERS * EACH
    assert ready(balanced["http"])
    stage.node("a")
    found = drained(stage, 120)
    assert {row["state"] for row in found} <= {"delivered", "cancelled", "ambiguous"}
    result = stage.compare(account)
    assert result.problems == (), str(result)
