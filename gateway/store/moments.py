"""Times as the tables hold them: microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Exact; `moment` must be aware."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def iso(micros: int | None) -> str | None:
    """ISO 8601 with milliseconds and `Z`, as API and CLI show a time."""
    if micros is None:
        return None
    return from_micros(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z")
