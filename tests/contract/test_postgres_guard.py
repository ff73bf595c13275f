"""A private PostgreSQL ends with the process that started it, however that one ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conformance.postgres import PostgresMissingError, programs
from tests.support import PATIENCE

_STARTS = """
import sys
from conformance.postgres import Cluster
cluster = Cluster(durable=False)
cluster.start()
print(cluster.folder, flush=True)
sys.stdin.read()
"""


@pytest.mark.postgres
def test_a_killed_session_leaves_no_server_and_no_folder_behind() -> None:
    try:
        programs()
    except PostgresMissingError as missing:
        pytest.skip(str(missing))
    process = subprocess.Popen([sys.executable, "-c", _STARTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().decode().strip())
    server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    process.send_signal(signal.SIGKILL)
    process.communicate()
    end = time.monotonic() + PATIENCE
    while folder.exists() or Path(f"/proc/{server}").exists():
        assert time.monotonic() < end, folder
        time.sleep(0.1)
