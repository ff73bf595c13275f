"""Study Instance UIDs and series of a report message (spec hl7v2.md §4.2, §4.3)."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from gateway.mapping import hl7_types as types
from gateway.mapping.hl7_reader import Group, Reader
from gateway.model.report import Act, ImagingSeries, ImagingStudy


def study_uid(reader: Reader, group: Group) -> tuple[str, str]:
    """(Study Instance UID, its place) of one group, "" when none is valid (order of spec §4.2)."""
    candidates = list(_uid_candidates(reader, group))
    valid = [found for found in candidates if types.valid_uid(found[0])]
    if candidates and not valid:
        reader.trail.at("STUDY-UID-FORM", candidates[0][1], f"{len(candidates[0][0])} characters")
    if len({uid for uid, _ in valid}) > 1:
        reader.trail.at("STUDY-UID-CONFLICT", valid[1][1])
    if valid:
        return valid[0]
    guess = reader.profile.locators["act.study_uid_guessed"].find(group)
    if guess is not None and types.valid_uid(guess.value):
        return guess.value, guess.location
    return "", ""


def _uid_candidates(reader: Reader, group: Group) -> Iterator[tuple[str, str]]:
    for path in reader.profile.locators["act.study_uid"].paths:
        for found in path.matches(group):
            reader.mark(found.segment, found.field, *((2, 3) if found.segment.name == "OBX" else ()))
            yield found.value.removeprefix("urn:oid:"), found.location
    for segment in group.all("OBX"):
        if segment.field(2) in (b"RP", b"ED") and (uid := _uid_in_pointer(segment.value(5))):
            reader.mark(segment, 2, 3, 5)
            yield uid, segment.location(5)


def _uid_in_pointer(pointer: str) -> str:
    """`studyUID` of a viewer's address (RP); the address itself is never called."""
    if "://" not in pointer[:16]:
        return ""
    try:
        query = parse_qs(urlsplit(pointer).query)
    except ValueError:
        return ""
    found = next(
        (value for key, value in query.items() if key.lower() in ("studyuid", "studyinstanceuid")), []
    )
    return found[0] if found else ""


def studies(acts: tuple[Act, ...], reader: Reader) -> tuple[ImagingStudy, ...]:
    """Series that the message names (RAD-28, RAD-128), under the only study; other studies come from acts."""
    found = [one for one in reader.find_all("series.uid") if types.valid_uid(one.value)]
    uids = {act.study_uid for act in acts if act.study_uid}
    if not found or len(uids) != 1:
        return ()
    for place, one in enumerate(found):
        reader.mark(one.segment, 2, 3)
        reader.trail.source(f"studies[0].series[{place}].uid", one.location)
    return (ImagingStudy(uid=uids.pop(), series=tuple(ImagingSeries(uid=one.value) for one in found)),)
