"""From a canonical path back to the place in the message that the sender knows."""

from gateway.model.submission import Provenance


def locate(provenance: tuple[Provenance, ...], path: str) -> str:
    """Message location of `path`, else of a value inside it, else of what it is a part of, else `path`.

    A path that a profile constant or a rule filled has no place in the message: the path stays.
    """
    inside = around = ""
    owner = path.rpartition(".")[0]
    for entry in provenance:
        if not entry.source:
            continue
        if entry.path == path:
            return entry.source
        if not inside and entry.path.startswith((f"{path}.", f"{path}[")):
            inside = entry.source
        if not around and owner and entry.path == owner:
            around = entry.source
    return inside or around or path
