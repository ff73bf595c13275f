"""The same message read by other libraries, where they are installed: `pip install hl7apy hl7`."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from gateway import hl7v2

Peer = tuple[str, Callable[[], object]]


def whole(frame: bytes) -> list[object]:
    """Read by us down to every component, as the others do: our reader alone would put that off."""
    message = hl7v2.read(frame)
    return [
        leaf
        for segment in message.segments
        for field in segment.populated()
        if field > 2 or segment.name != "MSH"
        for leaf in (segment.leaves(field),)
    ]


def peers(frame: bytes) -> Iterator[Peer]:
    """(name, reading of `frame`) of each library that is here; the others are named on the way."""
    text = frame.decode()
    for name, module, reading in (("hl7apy", "hl7apy.parser", _hl7apy), ("python-hl7", "hl7", _python_hl7)):
        try:
            library = import_module(module)
        except ImportError:
            print(f"{name}: not installed, left out")
            continue
        yield name, reading(library, text)


def _hl7apy(library: Any, text: str) -> Callable[[], object]:
    def read() -> object:
        # Its tolerant level, without the search for groups: the cheapest that it offers.
        parsed = library.parse_message(text, find_groups=False)
        return [field.value for segment in parsed.children for field in segment.children]

    return read


def _python_hl7(library: Any, text: str) -> Callable[[], object]:
    return lambda: library.parse(text)
