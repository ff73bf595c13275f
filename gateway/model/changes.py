"""Copies of values where something changed, and only there.

Its own module beside `base` because it is compiled (`hatch_build.py`), which a class with a metaclass is not.
"""

from typing import TYPE_CHECKING, TypeVar

from gateway.model.base import replace

if TYPE_CHECKING:
    from gateway.model.base import Value

V = TypeVar("V", bound="Value")


def changed(value: V, **fields: object) -> V:
    """A copy where a field became another object, else `value`: most steps change little, and a copy costs
    more than the looks."""
    for name, field in fields.items():
        if getattr(value, name) is not field:
            return replace(value, **fields)
    return value


def same(before: tuple[V, ...], after: list[V]) -> tuple[V, ...]:
    """`before` when nothing in it became another object, else `after`."""
    if len(before) != len(after):
        return tuple(after)
    for place, new in enumerate(after):
        if before[place] is not new:
            return tuple(after)
    return before
