"""DMP transactions as values: what to send for a delivery (TD2.1), and what an answer means.

No socket, no file, no clock. `gateway.connectors.dmp` sends; `gateway.pipeline.destinations.dmp` joins both.
"""

from gateway.dmp.answers import judge
from gateway.dmp.claims import claims_for
from gateway.dmp.feed import provide
from gateway.dmp.values import DmpError, DmpRequest

__all__ = ["DmpError", "DmpRequest", "claims_for", "judge", "provide"]
