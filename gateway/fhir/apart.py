"""The entries of a batch stand each for itself: those that break the model are set aside (R4 §3.1.0.11.2)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.model.findings import Finding

Refused = Mapping[int, tuple[Finding, ...]]
"""Position of an entry → what is wrong with it."""
_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]")


def by_entry(findings: Iterable[Finding]) -> dict[int, tuple[Finding, ...]]:
    """`findings` by the entry that each is about; empty when one is about the Bundle itself."""
    found: dict[int, tuple[Finding, ...]] = {}
    for one in findings:
        place = _ENTRY.match(one.location)
        if place is None:
            return {}
        found[int(place[1])] = (*found.get(int(place[1]), ()), one)
    return found


def without(tree: dict[str, Any], entries: Iterable[int]) -> dict[str, Any]:
    """The Bundle with nothing in these entries; the others keep their positions."""
    gone = frozenset(entries)
    kept = [
        {"fullUrl": f"urn:refused:{index}"} if index in gone else entry
        for index, entry in enumerate(tree["entry"])
    ]
    return tree | {"entry": kept}
