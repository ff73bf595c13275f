"""The points at which a process of the gateway is killed, as data; and the means to do it from outside.

Production code knows nothing of this: `tests/faults/arming/sitecustomize.py` wraps the functions that the
points name, in processes started with `environment(...)`. Who comes to the point that the armed file names
takes the file away and dies, so that each arming kills once. A point whose function is gone stops the process
at its start, loudly.
"""

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, tzinfo
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Point(NamedTuple):
    """`side` of the call of `where` ("module:Class.function") at which the process ends.

    `told`: what the sender has heard then, "" nothing, None where that depends on who is faster.
    `mail_may_be_unknown`: mails may stand as ambiguous afterwards; never sent twice.
    `short`: tried in `make test` as well.
    """

    name: str
    where: str
    side: str
    told: str | None = None
    mail_may_be_unknown: bool = False
    short: bool = False


POINTS = (
    # whoever reads the message: the intake process, or a mapper beside it
    Point("while it is read", "gateway.pipeline.reading:read", "before"),
    # the intake process
    Point("before the commit", "gateway.store.writer:GroupWriter._transact", "before", ""),
    Point(
        "after the commit, before the answer",
        "gateway.store.writer:GroupWriter._transact",
        "after",
        "",
        short=True,
    ),
    Point("before the answer leaves", "gateway.connectors.mllp_dialogue:Dialogue._send", "before", ""),
    Point(
        "after the answer left", "gateway.connectors.mllp_dialogue:Dialogue._send", "after", "AA", short=True
    ),
    Point("after the claim", "gateway.pipeline.handing:Handing._hand_out", "before"),
    Point("after handing out", "gateway.pipeline.handing:Handing._hand_out", "after"),
    Point("before settling", "gateway.pipeline.settling:Settling.settle", "before", short=True),
    Point("after settling", "gateway.pipeline.settling:Settling.settle", "after"),
    # a worker
    Point("before production", "gateway.pipeline.worker_production:Production.produce", "before"),
    Point("after production", "gateway.pipeline.worker_production:Production.produce", "after"),
    Point("before the send", "gateway.pipeline.worker_delivery:Delivery._send", "before"),
    Point("send journalled", "gateway.pipeline.journal:Journal.started", "after"),
    Point("mail begins to leave", "gateway.pipeline.journal:Journal.begun", "after", None, True, short=True),
    Point("after the send", "gateway.pipeline.journal:Journal.ended", "before", None, True, short=True),
    Point("outcome journalled", "gateway.pipeline.journal:Journal.ended", "after"),
    # the start after a death
    Point("outcomes recovered", "gateway.pipeline.journal:forget", "before", short=True),
)

WITHDRAWAL_POINTS = (
    # the intake process, amidst the transaction
    Point("deletions planned", "gateway.store.versions:recall", "after", "", short=True),
    # a worker
    Point("before the question", "gateway.connectors.dmp:DmpSender.ask", "before"),
    Point("after the question", "gateway.connectors.dmp:DmpSender.ask", "after"),
    Point("before the deletion is sent", "gateway.connectors.dmp:DmpSender.send", "before"),
    Point("after the deletion was answered", "gateway.connectors.dmp:DmpSender.send", "after", short=True),
    Point("before the cancellation mail", "gateway.connectors.smtp:SmtpSender.send", "before"),
)
"""On the way of a withdrawal, beside the points that every delivery passes."""


def environment(folder: Path) -> dict[str, str]:
    """For the processes of a stage that shall die at points (`arm`)."""
    return _PYTHON | {"FAULT_ARMED": str(folder / "armed")}


def arm(folder: Path, point: Point, *, everyone: bool = False) -> None:
    """The next process that comes to `point` dies; `everyone`: gateway and workers together, as when the
    machine goes down."""
    ready = folder / "armed.new"
    ready.write_text(_order(point, everyone=everyone))
    ready.rename(folder / "armed")


def fired(folder: Path) -> Path:
    """Exists when a process has died of it."""
    return folder / "armed.fired"


def clock(folder: Path) -> dict[str, str]:
    """For a stage whose wall clock is set by the seconds in the file `folder`/clock."""
    return _PYTHON | {"FAULT_CLOCK": str(folder / "clock")}


_PYTHON = {"PYTHONPATH": f"{ROOT / 'tests' / 'faults' / 'arming'}{os.pathsep}{ROOT}"}


def _order(point: Point, *, everyone: bool) -> str:
    return f"{point.where} {point.side} {'everyone' if everyone else 'self'}"


# --- inside the process


def install() -> None:
    """Wrap what the environment names. Ends the process when that does not exist."""
    try:
        if armed := os.environ.get("FAULT_ARMED"):
            for point in (*POINTS, *WITHDRAWAL_POINTS):
                _wrap(point, Path(armed))
        if offset := os.environ.get("FAULT_CLOCK"):
            _shift(Path(offset))
    except Exception as wrong:
        print(f"fault point: {wrong!r}", file=sys.stderr, flush=True)
        os._exit(97)


def _wrap(place: Point, armed: Path) -> None:
    side = place.side
    module, _, path = place.where.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    original: Callable[..., Any] = getattr(owner, name)

    def point() -> None:
        _pass(place, armed)

    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def waited(*given: Any, **named: Any) -> Any:
            if side == "before":
                point()
                return await original(*given, **named)
            result = await original(*given, **named)
            point()
            return result

        setattr(owner, name, waited)
    else:

        @wraps(original)
        def called(*given: Any, **named: Any) -> Any:
            if side == "before":
                point()
                return original(*given, **named)
            result = original(*given, **named)
            point()
            return result

        setattr(owner, name, called)


def _pass(point: Point, armed: Path) -> None:
    try:
        order = armed.read_text()
        everyone = order == _order(point, everyone=True)
        if not everyone and order != _order(point, everyone=False):
            return
        armed.rename(armed.with_name("armed.fired"))
    except OSError:
        return  # not armed, or another process was first
    if everyone:
        parent = os.getppid()
        gateway = parent if _is_gateway(parent) else os.getpid()
        for process in {gateway, *_children(gateway)} - {os.getpid()}:
            os.kill(process, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _is_gateway(process: int) -> bool:
    command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    return b"gateway" in command and b"serve" in command


def _children(process: int) -> Iterable[int]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        if int(after_name[1]) == process:
            yield int(status.parent.name)


def _shift(offset: Path) -> None:
    """The wall clock of the gateway and of its workers is moved by the seconds in the file."""

    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one
            try:
                seconds = float(offset.read_text())
            except (OSError, ValueError):
                seconds = 0.0
            return datetime.now(tz) + timedelta(seconds=seconds)

    clocks = ("store.store", "pipeline.route", "service.parts", "service.workers")
    for module in (f"gateway.{name}" for name in clocks):
        import_module(module).datetime = Moved  # type: ignore[attr-defined]  # that is the purpose
