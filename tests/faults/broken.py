"""Builds of the gateway that are broken in one place, as data: a copy of its source with one text exchanged.

No switch of the product breaks it: what is tested is whether the comparison of the accounts would notice.
"""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.faults.points import POINTS, ROOT, Point, environment

_BY_NAME = {point.name: point for point in POINTS}


class Break(NamedTuple):
    """`before` → `after` in `file`; when a process dies at `point`, the comparison must say `kinds`."""

    name: str
    file: str
    before: str
    after: str
    point: str
    kinds: frozenset[str]

    @property
    def place(self) -> Point:
        return _BY_NAME[self.point]


BREAKS = (
    Break(
        "answers before the commit",
        "gateway/store/writer.py",
        "                session.commit()\n",
        "                self._deliver(done)\n"
        "                time.sleep(5)\n"
        "                session.commit()\n",
        "after the answer left",
        frozenset({"lost"}),
    ),
    Break(
        "forgets what its workers had sent",
        "gateway/pipeline/journal.py",
        "    if not path.is_file():\n        return Recovered()\n",
        "    return Recovered()\n",
        "outcome journalled",
        frozenset({"twice"}),
    ),
    Break(
        "takes a message again that is sent again",
        "gateway/pipeline/intake.py",
        "    return digest.hexdigest()\n",
        "    return uuid4().hex\n",
        "after the commit, before the answer",
        frozenset({"twice"}),
    ),
    Break(
        "sends each mail twice",
        "gateway/pipeline/worker_delivery.py",
        "                outcome = await route.send(request, begun)\n",
        "                await route.send(request, begun)\n"
        "                outcome = await route.send(request, begun)\n",
        "after settling",
        frozenset({"twice"}),
    ),
    Break(
        "calls delivered what it did not send",
        "gateway/pipeline/worker_delivery.py",
        "                outcome = await route.send(request, begun)\n",
        "                outcome = Outcome(kind=OutcomeKind.DELIVERED)\n",
        "after settling",
        frozenset({"missing"}),
    ),
)


def build(broken: Break, folder: Path, armed_in: Path) -> dict[str, str]:
    """Make the build under `folder`; the environment of a stage that runs it, and can be armed."""
    shutil.copytree(ROOT / "gateway", folder / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "mappings", folder / "mappings")
    file = folder / broken.file
    text = file.read_text(encoding="utf-8")
    assert text.count(broken.before) == 1, f"{broken.file} has changed: mend the table"
    file.write_text(text.replace(broken.before, broken.after), encoding="utf-8")
    found = environment(armed_in)
    path = os.pathsep.join((str(folder), found["PYTHONPATH"]))
    return found | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
