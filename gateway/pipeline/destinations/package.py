"""What the folder and every mail of a version carry alike: made once, they are prepared close together."""

from typing import NamedTuple

from gateway.cisis import archive, exchange
from gateway.model.kept import Kept
from gateway.model.submission import Action
from gateway.model.version import ReportVersion
from gateway.xds import Submission

_LIMIT = 8 << 20
"""Bytes of archives, of some three hundred reports: where much waits, one destination may be so far behind
another. Their CDAs are the very ones that `cda.read` keeps."""


class Package(NamedTuple):
    """The submission for an exchange, and its IHE_XDM.ZIP."""

    made: Submission
    xdm: bytes


_kept: Kept[tuple[ReportVersion, bytes, Action], Package] = Kept(_LIMIT)


def package(version: ReportVersion, cda: bytes, action: Action) -> Package:
    """Raises CdaError, CisisError, MetadataError."""
    key = (version, cda, action)
    known = _kept.get(key)
    if known is None:
        made = exchange(version, cda, action)
        known = Package(made, archive(version, cda, made))
        _kept.put(key, known, len(known.xdm))
    return known
