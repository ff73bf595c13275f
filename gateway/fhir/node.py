"""A place in a FHIR resource: its JSON value and its FHIRPath, which every finding and provenance names."""

import re
from collections.abc import Iterator
from typing import Any

_UNWRITABLE = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")


class Node:
    """One element. Missing elements are falsy nodes, so that a chain of `get` needs no branches.

    `path` is a FHIRPath from the root (`Bundle.entry[2].resource.name[0].family`). `reads`, shared by all
    nodes of one walk, collects the paths whose values were used: coverage follows from it.
    """

    __slots__ = ("path", "reads", "resource", "value")

    def __init__(self, value: Any, path: str, reads: set[str], resource: "Node | None" = None) -> None:
        self.value = value
        self.path = path
        self.reads = reads
        self.resource = resource or self
        """The outermost resource around this element: `contained` and `#id` are looked up there."""

    def __bool__(self) -> bool:
        return self.value is not None

    def __repr__(self) -> str:
        return f"Node({self.path})"  # never the value: it may be clinical text

    def get(self, *names: str) -> "Node":
        """The element reached by `names`, the first item wherever a list stands in between."""
        node = self
        for name in names:
            node = node._child(name).first()
        return node

    def all(self, name: str) -> "tuple[Node, ...]":
        """Items of a repeating element, () when absent. A single object counts as one item."""
        child = self._child(name)
        if isinstance(child.value, list):
            return tuple(
                Node(item, f"{child.path}[{index}]", self.reads, self.resource)
                for index, item in enumerate(child.value)
                if item is not None
            )
        return (child,) if child else ()

    def first(self) -> "Node":
        """Itself, or the first item when its value is a list."""
        if not isinstance(self.value, list):
            return self
        item = self.value[0] if self.value else None
        return Node(item, f"{self.path}[0]", self.reads, self.resource)

    def text(self, *names: str) -> str:
        """The primitive at `names` as text, "" when absent; marks it as read. Outer blanks are left out, and
        characters that FHIR strings and XML may not hold."""
        node = self.get(*names)
        if node.value is None or isinstance(node.value, dict | list):
            return ""
        node.reads.add(node.path)
        return _UNWRITABLE.sub("", node.value).strip() if isinstance(node.value, str) else str(node.value)

    def flag(self, name: str) -> bool:
        """A boolean element that is present and true."""
        node = self.get(name)
        if isinstance(node.value, bool):
            node.reads.add(node.path)
        return node.value is True

    def extensions(self, *urls: str) -> "tuple[Node, ...]":
        """Extensions of this element with one of `urls`."""
        return tuple(one for one in self.all("extension") if one._peek("url") in urls and one.text("url"))

    def extension(self, *urls: str) -> "Node":
        """The first such extension; a falsy node when there is none."""
        return next(iter(self.extensions(*urls)), Node(None, self.path, self.reads, self.resource))

    @property
    def kind(self) -> str:
        """resourceType, "" for an element that is no resource."""
        found = self._peek("resourceType")
        return found if isinstance(found, str) else ""

    def _peek(self, name: str) -> Any:
        return self.value.get(name) if isinstance(self.value, dict) else None

    def _child(self, name: str) -> "Node":
        return Node(self._peek(name), f"{self.path}.{name}", self.reads, self.resource)


def unwritable(value: Any) -> tuple[str, ...]:
    """What `Node.text` leaves out of a primitive: each character once."""
    if not isinstance(value, str) or value.isprintable():
        return ()
    return tuple(dict.fromkeys(_UNWRITABLE.findall(value)))


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """FHIRPaths of all primitive values below `value`, each with its value, in document order, whatever the
    depth."""
    stack: list[tuple[Any, str]] = [(value, path)]
    while stack:
        item, place = stack.pop()
        if isinstance(item, dict):
            stack.extend((child, f"{place}.{name}") for name, child in reversed(item.items()))
        elif isinstance(item, list):
            stack.extend((child, f"{place}[{index}]") for index, child in reversed(list(enumerate(item))))
        elif item is not None:
            yield place, item
