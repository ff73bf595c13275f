"""DMP transactions as values: what to ask (TD3.1b) and send (TD2.1, TD3.3c) for a delivery, what an answer
means.

No socket, no file, no clock. `gateway.connectors.dmp` sends; `gateway.pipeline.destinations.dmp` joins both.
"""

from gateway.dmp.answers import judge, judge_query
from gateway.dmp.claims import claims_for
from gateway.dmp.feed import provide
from gateway.dmp.lookup import look_up, resolve
from gateway.dmp.values import DmpError, DmpQuery, DmpRequest
from gateway.dmp.withdrawal import delete

__all__ = [
    "DmpError",
    "DmpQuery",
    "DmpRequest",
    "claims_for",
    "delete",
    "judge",
    "judge_query",
    "look_up",
    "provide",
    "resolve",
]
