"""The life sign of a node on PostgreSQL, in a thread of its own: it beats, listens, and buries the dead."""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import psycopg

from gateway.ports import StoreUnavailableError
from gateway.store import nodes
from gateway.store.postgres_session import CHANNEL, PostgresSession, connect

log = logging.getLogger(__name__)

BEATS = 4
"""At least so many beats in the time after which a silent node counts as dead."""
LONGEST = 1.0
"""Seconds between two beats at most: as often the dead are looked for."""
AGAIN = 1.0
"""Seconds between two tries to reach the database."""
GATHER = 0.02
"""Seconds in which notifications are gathered: a flood of commits is one piece of news."""


class Node(NamedTuple):
    """Who this is: name of the data folder, where it lives, fingerprint of its audit key, seconds until a
    silent node counts as dead."""

    name: str
    at: str
    key: str
    lease: float

    @property
    def term(self) -> int:
        return int(self.lease * 1e6)


class Pulse:
    """`token` is that of the present run: it changes when others took this node for dead."""

    def __init__(
        self,
        url: str,
        node: Node,
        *,
        news: Callable[[], None],
        bury: Callable[[PostgresSession, str], None],
        recovering: bool,
    ) -> None:
        """Joins, and begins to beat. `news`: another node committed something; `bury`: take over, in the
        transaction that is open; both are called in this thread. `recovering`: what earlier runs of this
        node had in hand stays so.

        Raises StoreUnavailableError, nodes.NodeError.
        """
        self._url, self._node, self._news, self._bury = url, node, news, bury
        self._stopping, self._recovering = threading.Event(), recovering
        self.up = True
        self._living: tuple[str, ...] = ()
        self._connection = connect(url, "pulse")
        try:
            self._session = PostgresSession(self._connection)
            self.token = self._join_when_free()
            self._living = nodes.living(self._session)
            self._connection.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            self._connection.close()
            raise
        self._thread = threading.Thread(target=self._run, name="store-pulse", daemon=True)
        self._thread.start()

    @property
    def first(self) -> bool:
        """Whether this is the first by name of the nodes that live."""
        return self._living[:1] == (self._node.name,)

    @property
    def living(self) -> int:
        """How many nodes live, this one included."""
        return max(1, len(self._living))

    def close(self) -> None:
        """Leave in order, where the database can be reached."""
        self._stopping.set()
        self._thread.join()
        try:
            nodes.stop(self._session, self._node.name, self.token)
        except psycopg.Error as fault:
            log.warning("leaving without a word", extra={"fault": str(fault)})
        self._connection.close()

    def _join_when_free(self) -> int:
        """A folder that was moved to another machine waits until its last run there counts as dead."""
        end = time.monotonic() + self._node.lease + AGAIN
        while True:
            try:
                return self._join()
            except nodes.LivesElsewhereError:
                if time.monotonic() > end:
                    raise
                time.sleep(AGAIN)

    def _join(self) -> int:
        node = self._node
        with self._session.transaction():
            token = nodes.start(self._session, node.name, node.at, node.key, node.term)
            if not self._recovering:
                nodes.recovered(self._session, node.name, token)
            return token

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._beat()
                self._look_around()
                self.up = True
                self._listen(min(LONGEST, self._node.lease / BEATS))
            except (psycopg.Error, StoreUnavailableError, nodes.NodeError) as fault:
                if self.up:
                    log.error("store does not answer", extra={"fault": str(fault)})
                self.up = False
                self._stopping.wait(AGAIN)
                self._reconnect()

    def _beat(self) -> None:
        if not nodes.beat(self._session, self._node.name, self.token, self._node.term):
            log.error("this node counted as dead, others took its work over", extra={"node": self._node.name})
            self.token = self._join()

    def _look_around(self) -> None:
        for name in nodes.expired(self._session):
            log.error("a node is dead, its work is taken over", extra={"node": name})
            with self._session.transaction():
                self._bury(self._session, name)
            self._news()
        self._living = nodes.living(self._session)

    def _listen(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopping.is_set():
            heard = list(self._connection.notifies(timeout=min(left, 0.25), stop_after=1))
            if heard:
                self._stopping.wait(GATHER)
                heard += self._connection.notifies(timeout=0)
                if any(one.payload != str(self.token) for one in heard):
                    self._news()

    def _reconnect(self) -> None:
        if self._stopping.is_set():
            return
        self._connection.close()
        try:
            self._connection = connect(self._url, "pulse")
        except StoreUnavailableError:
            return  # `_run` comes here again
        self._session = PostgresSession(self._connection)
        self._connection.execute(f"LISTEN {CHANNEL}")
        self._news()
