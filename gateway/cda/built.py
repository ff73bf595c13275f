"""What the builders take beside a version, and what they return."""

from collections.abc import Callable
from functools import cached_property

from gateway.cda.tree import Element
from gateway.model.base import Value
from gateway.model.findings import Finding

Trace = tuple[tuple[str, str], ...]
"""(element path, canonical path) pairs, in document order."""


class Built(Value, dict=True, gc=True):
    """A document with what the builder has to say about it; `findings` are located by canonical path."""

    data: bytes
    root: Element
    """The same as elements; of a large content they hold the beginning (`gateway.cda.contents`)."""
    findings: tuple[Finding, ...] = ()
    traced: Callable[[], Trace] = tuple
    """Makes the trace, which only an explanation wants."""

    @cached_property
    def trace(self) -> Trace:
        return self.traced()


class AddedDocument(Value):
    """A document that goes into the section « Documents ajoutés » of an N3."""

    title: str
    data: bytes
    media_type: str = "application/pdf"
