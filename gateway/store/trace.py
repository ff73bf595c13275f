"""Where the values of a version, or of an order, came from: kept beside its canonical JSON."""

from gateway.model.base import Value
from gateway.model.submission import Coverage, Provenance


class Trace(Value):
    """What the column `trace` holds."""

    provenance: tuple[Provenance, ...] = ()
    coverage: Coverage = Coverage()
