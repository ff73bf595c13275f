"""The simulated peers under load: they answer what their protocol needs, keep the bytes, and judge later.

No way around the rules: what was taken is judged by all of them, with the clock of its arrival, before
anybody is shown the ledger over the side channel, and at the end. Only the answer comes before: what is
wrong is taken all the same, and its entry in the ledger says so.
"""

import asyncio
import json
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from conformance.simulators import soap
from conformance.simulators.dmp import DmpSimulator
from conformance.simulators.hold import Held, Hold
from conformance.simulators.http import Request, Response
from conformance.simulators.ledger import Ledger
from conformance.simulators.mssante import MAX_BYTES, TAKEN, Mailbox
from conformance.simulators.smtp import unstuffed
from conformance.simulators.smtp_later import Dialogue
from conformance.simulators.threads import Listener

UNJUDGED = frozenset({"/health", "/control"})
"""What is answered without all being judged."""
MESSAGE_ID = re.compile(rb":MessageID(?: [^>]*)?>\s*([^<>\s]+)\s*</")
FIRST = 16 * 1024
"""Bytes of a request in which the head of its envelope stands."""
RELATES = "urn:uuid:relates"


class Later:
    """What waits in the folder of a ledger, and how it is judged: `one` makes its entry."""

    def __init__(self, ledger: Ledger, one: Callable[[Held], None]) -> None:
        self.hold = Hold(ledger.folder, max((entry.get("held", 0) for entry in ledger.entries), default=0))
        self._one = one

    def judge(self) -> int:
        """All that waits; how many it were. In the thread that writes the ledger."""
        return self.hold.judge(self._one)

    def close(self) -> None:
        """Nobody takes any more; what waits is judged."""
        self.judge()
        self.hold.close()

    def answering(self, inner: Callable[[Request], Awaitable[Response | None]]) -> Callable[[Request], Any]:
        """The side channel: as `inner`, once all is judged; POST /judge says how many that were."""

        async def answer(request: Request) -> Response | None:
            number = 0 if request.path in UNJUDGED else self.judge()
            if request.path == "/judge":
                return Response(200, "application/json", json.dumps({"judged": number}).encode())
            return await inner(request)

        return answer


class LaterDmp:
    """A DMP that takes submissions in any thread, and judges them in that of its event loop.

    What needs an answer that knows the registry, a question or a deletion, and any submission in another mode
    than `ok`, is answered as ever, once all that came before is judged.
    """

    def __init__(self, simulator: DmpSimulator) -> None:
        self._simulator = simulator
        self.later = Later(simulator.ledger, self._judge)
        self.answer = self.later.answering(simulator.answer)
        self._success = soap.registry_response((), RELATES)
        own = MESSAGE_ID.search(self._success.body)
        assert own is not None
        self._own = own[1]

    def take(self, request: Request) -> Response | None:
        """Success for a submission that names itself; None for all else. OSError: it could not be kept."""
        if request.method != "POST" or request.path.rstrip("/") != "/repository":
            return None
        theirs = MESSAGE_ID.search(request.body, 0, FIRST)
        if theirs is None or self._simulator.switch.mode != "ok":
            return None
        self.later.hold.take({"content_type": request.headers.get("content-type", "")}, request.body)
        body = self._success.body.replace(RELATES.encode(), theirs[1])
        return self._success._replace(body=body.replace(self._own, uuid4().urn.encode()))

    def _judge(self, held: Held) -> None:
        request = Request("POST", "/repository", {"content-type": held.envelope["content_type"]}, held.data)
        self._simulator.submit(request, held=held)


class LaterMailbox:
    """An operator that takes mail in any thread, and judges it in that of its event loop.

    In another mode than `ok` a mail is answered as ever, once all that came before is judged.
    """

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self.later = Later(mailbox.ledger, self._judge)
        self.answer = self.later.answering(mailbox.answer)

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> Listener:
        loop = asyncio.get_running_loop()

        def take(data: bytes, sender: str, recipients: tuple[str, ...]) -> str:
            if self._mailbox.switch.mode != "ok":
                judged = self._in_turn(data, sender, recipients)
                return asyncio.run_coroutine_threadsafe(judged, loop).result()
            self.later.hold.take({"from": sender, "to": recipients}, data)
            return TAKEN

        def converse(connection: socket.socket) -> None:
            Dialogue(connection, take, limit=MAX_BYTES, tls=tls).run()

        return Listener(converse, host, port)

    async def _in_turn(self, data: bytes, sender: str, recipients: tuple[str, ...]) -> str:
        self.later.judge()
        return await self._mailbox.take(unstuffed(data), sender, recipients)

    def _judge(self, held: Held) -> None:
        self._mailbox.keep(unstuffed(held.data), held.envelope["from"], tuple(held.envelope["to"]), held)
