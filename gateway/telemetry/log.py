"""JSON-lines logging with a correlation id that follows one message through all its steps."""

import json
import logging
import sys
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import UTC, datetime
from traceback import walk_tb
from types import TracebackType

_correlation: ContextVar[str] = ContextVar("correlation", default="")

_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "message",
    "asctime",
    "taskName",
}


class _Correlated:
    """By hand: `contextlib` takes four times as long, of each message."""

    __slots__ = ("_identifier", "_token")

    def __init__(self, identifier: str) -> None:
        self._identifier = identifier

    def __enter__(self) -> None:
        self._token = _correlation.set(self._identifier)

    def __exit__(self, *_: object) -> None:
        _correlation.reset(self._token)


def correlation(identifier: str) -> AbstractContextManager[None]:
    """Every line logged inside carries `correlation`: a message id, never an identity."""
    return _Correlated(identifier)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, event, correlation, then the `extra` fields.

    A traceback is written as frames without values, because an exception's text may quote its input.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if identifier := _correlation.get():
            line["correlation"] = identifier
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line[name] = value
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["frames"] = _frames(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=str)


def _frames(traceback: TracebackType | None) -> list[str]:
    return [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(traceback)
    ]


def configure(level: str = "INFO") -> None:
    """Send all logs of this process to stderr as JSON lines (stdout belongs to the command's answer)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)  # a warning of a library is a JSON line, too
    for noisy in ("httpx", "httpcore", "uvicorn", "asyncio", "pikepdf"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def logger(name: str) -> logging.Logger:
    return logging.getLogger(name)
