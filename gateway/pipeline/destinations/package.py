"""What the folder and every mail of a version carry alike: made once, since they are prepared close together.

A tenth of a worker's time for a report that goes to a folder and two mailboxes (measured).
"""

from functools import lru_cache
from typing import NamedTuple

from gateway.cda import read
from gateway.cisis import archive, exchange
from gateway.model.submission import Action
from gateway.model.version import ReportVersion
from gateway.xds import Submission

_KEPT = 16
"""Versions; the window of a worker holds about as many."""
_LARGEST = 1 << 20
"""Bytes of a CDA above which nothing is kept."""


class Package(NamedTuple):
    """The submission for an exchange, and its IHE_XDM.ZIP."""

    made: Submission
    xdm: bytes


def package(version: ReportVersion, cda: bytes, action: Action) -> Package:
    """Raises CdaError, CisisError, MetadataError."""
    return (_known if len(cda) <= _LARGEST else _package)(version, cda, action)


def _package(version: ReportVersion, cda: bytes, action: Action) -> Package:
    made = exchange(version, cda, header=read(cda), action=action)
    return Package(made, archive(version, cda, made))


_known = lru_cache(maxsize=_KEPT)(_package)
