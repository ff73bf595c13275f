"""MLLP over TCP and TLS: the server that the senders reach, the client that reaches them.

Framing is `hl7v2.mllp`, a state machine; here are sockets, deadlines and limits. One message is in flight per
connection, both ways: the next one waits for the answer to the one before.
"""

from gateway.connectors.mllp_client import Exchange, MllpClient, connect
from gateway.connectors.mllp_dialogue import Handler, Refuse
from gateway.connectors.mllp_server import MllpServer

__all__ = ["Exchange", "Handler", "MllpClient", "MllpServer", "Refuse", "connect"]
