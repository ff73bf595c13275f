"""The comparison of the three accounts turns red on builds that lose, repeat or invent.

Each build of tests/faults/broken.py is run as the true one in test_points.py: a message, a death at a point,
a restart, a sender that sends again what was not answered. Only mails are sent: what is repeated there cannot
be taken back.
"""

import asyncio
import time
from pathlib import Path

import pytest

from conformance.demo.stage import Stage
from tests.faults.broken import BREAKS, Break, build
from tests.faults.points import arm, fired
from tests.faults.support import LONG, Account, compare, drained, message, send
from tests.support import PATIENCE

MAILS_ONLY = {"GATEWAY_DMP__URL": "", "GATEWAY_FOLDER__ENABLED": "false"}


@pytest.mark.req("REQ-78")
@pytest.mark.parametrize("broken", BREAKS if LONG else BREAKS[:2], ids=lambda one: one.name)
def test_a_broken_build_is_found_out(stage: Stage, tmp_path: Path, broken: Break) -> None:
    assert stage.gateway is not None
    stage.gateway.stop()
    environment = MAILS_ONLY | build(broken, tmp_path / "build", stage.folder)
    stage.serve(**environment)
    account = Account()
    arm(stage.folder, broken.place, everyone=True)
    asyncio.run(send(stage, account, [message(1)]))
    end = time.monotonic() + PATIENCE
    while not fired(stage.folder).exists():
        assert time.monotonic() < end, f"{broken.point}: nobody came by"
        time.sleep(0.05)
    stage.gateway.kill()
    stage.serve(**environment)
    if account.told["FAULT-1-1"] != "AA":
        asyncio.run(send(stage, account, [message(1)]))
    if broken.kinds != {"lost"}:
        drained(stage)
    result = compare(stage, account)
    assert {one.kind for one in result.problems} == broken.kinds, str(result)
