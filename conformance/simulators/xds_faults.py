"""A submission as its rules see it, and what they say when it breaks one."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from conformance.simulators.ebrim import Metadata, RegistryObject


class Fault(NamedTuple):
    """One broken rule. `code`: IHE error code, or WS-Security fault subcode; `place`: object and field."""

    code: str
    place: str
    text: str


class Submission(NamedTuple):
    """Metadata with the bytes of its documents by entry id (the `Document/@id` of ITI-41)."""

    metadata: Metadata
    documents: dict[str, bytes]


Rule = Callable[[Submission], Iterator[Fault]]

METADATA = "XDSRegistryMetadataError"
REPOSITORY = "XDSRepositoryMetadataError"


def objects(submission: Submission) -> tuple[RegistryObject, ...]:
    return submission.metadata.entries + submission.metadata.sets


def label(found: RegistryObject) -> str:
    return "DocumentEntry" if found.kind == "entry" else "SubmissionSet"
