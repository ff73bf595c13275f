"""A gateway without its protocols, as a process to be killed: commits as fast as it can, delivers beside it.

    python -m tests.store_child DATA_DIR WORKERS FIRST

Writes the control id of every acknowledged message to stdout, one a line, after its commit. WORKERS -1: no
dispatcher.
"""

import asyncio
import os
import sys
from pathlib import Path

from gateway.config import RetrySettings, Settings
from gateway.pipeline.dispatcher import Dispatcher
from gateway.store import SqliteStore, SystemClock
from tests.store_support import DMP, DOCTOR, FACTORY, FOLDER, MAIL, concluding, planned, received

COMMITTERS = 8
MOST = 40
"""Messages of one committer beside deliveries: a slow machine must not get more work the slower it is."""


async def main(data_dir: Path, workers: int, first: int) -> None:
    settings = Settings(
        data_dir=data_dir, workers=max(0, workers), retry=RetrySettings(first=0.1, jitter=0.0)
    )
    store = SqliteStore.open(settings.database, retry=settings.retry)
    if workers >= 0:
        dispatcher = Dispatcher(store, settings, SystemClock(), factory=FACTORY)
        store.subscribe(dispatcher.wake)
        await dispatcher.start()

    async def commit(start: int) -> None:
        number = start
        while workers < 0 or number < start + COMMITTERS * MOST:
            name = f"CR{number}"
            plan = (planned(DMP), planned(FOLDER), planned(MAIL, DOCTOR))
            await store.commit(received(name, os.urandom(2000)), concluding(*plan, order=name))
            os.write(1, f"{name}\n".encode())
            number += COMMITTERS
            if workers >= 0:
                await asyncio.sleep(0.02)  # leave the two cores to the deliveries

    await asyncio.gather(*(commit(first + start) for start in range(COMMITTERS)))
    await asyncio.Event().wait()  # until it is killed


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
