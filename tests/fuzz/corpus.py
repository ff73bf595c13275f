"""Where fuzzing starts, and how it departs from there: seeds and edits that know what HL7 v2 looks like."""

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.support import FIXTURES, SAMPLES

LARGEST = 60_000
"""Bytes of a seed: a large one makes every execution slow and tells nothing new."""

TOKENS = [
    b"\r", b"\n", b"\r\n", b"|", b"^", b"~", b"\\", b"&", b"\x0b", b"\x1c", b"\x1c\r", b"\x00", b'""',
    b"\xef\xbb\xbf", b"\xe9", b"\xc3\xa9", b"\xa4", b"\xff", b"MSH|^~\\&|", b"MSH|", b"\rMSH|^~\\&|",
    b"\rOBX|1|TX|", b"\rOBX|2|ED|X||^^PDF^Base64^", b"\rOBX|2|ED|X||^TEXT^XML^Base64^", b"\rNTE|1||",
    b"\rPID|1||", b"\rOBR|1|", b"\rORC|NW|", b"\rPRT|", b"\rTXA|1|", b"\rZDS|1.2.3^^Application^DICOM",
    b"FHS|^~\\&\r", b"BHS|^~\\&\r", b"\\.br\\", b"\\F\\", b"\\X0D\\", b"\\XE9\\", b"\\H\\",
    b"UNICODE UTF-8", b"8859/15", b"MDM^T02^MDM_T02", b"MDM^T04^MDM_T02", b"MDM^T06^MDM_T02",
    b"ORU^R01^ORU_R01", b"20210108", b"99999999999999", b"0000", b"20210230", b"-1", b"279035121518989",
    b"18748-4^CR^LN", b"|F|", b"|C|", b"|D|", b"|P|", b"MetaDMPMSS", b"DESTDMP",
    b"Y^^expandedYes-NoIndicator", b"=", b"JVBERi0xLjQK",
    b"PENsaW5pY2FsRG9jdW1lbnQ+", b"<", b"&amp;", b"\xf0\x9f\x98\x80",
]  # fmt: skip
"""What edits put in: delimiters, marks, segment heads, codes and values at the edge of their form."""


def seeds() -> tuple[bytes, ...]:
    """The messages of the project; the public samples too where they are at hand."""
    found = [path.read_bytes() for path in sorted((FIXTURES / "hl7v2").glob("*.er7"))]
    folder = SAMPLES / "hl7v2"
    if folder.is_dir():
        files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".tsv")
        found += [data for data in (path.read_bytes() for path in files) if len(data) <= LARGEST]
    return tuple(found)


def framed(data: bytes) -> bytes:
    """A seed for the framer: packets of 64 bytes, no tolerance for a missing start."""
    return b"\x40\x00\x0b" + data + b"\x1c\r"


_PLACES = st.floats(0, 1, allow_nan=False)
_INSERTS = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=8))
_EDITS = st.one_of(
    st.tuples(st.just("insert"), _PLACES, _INSERTS),
    st.tuples(st.just("replace"), _PLACES, _INSERTS),
    st.tuples(st.just("delete"), _PLACES, st.integers(1, 200)),
    st.tuples(st.just("repeat"), _PLACES, st.integers(1, 200)),
    st.tuples(st.just("field"), _PLACES, _INSERTS),
    st.tuples(st.just("drop"), _PLACES, st.just(0)),
    st.tuples(st.just("double"), _PLACES, st.just(0)),
    st.tuples(st.just("swap"), _PLACES, _PLACES),
    st.tuples(st.just("cut"), _PLACES, st.just(0)),
)
"""(kind, where as a share of the length, what): on bytes, on fields, on segments."""

Edit = tuple[str, float, bytes | int | float]


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    for kind, share, what in edits:
        place = int(share * len(data))
        if kind in ("field", "drop", "double", "swap"):
            data = _on_segments(data, kind, share, what)
        elif kind == "cut":
            data = data[:place]
        elif isinstance(what, bytes):
            data = data[:place] + what + data[place + (len(what) if kind == "replace" else 0) :]
        else:
            length = int(what)
            piece = data[place : place + length]
            data = data[:place] + piece * (0 if kind == "delete" else 3) + data[place + length :]
    return data


def _on_segments(data: bytes, kind: str, share: float, what: bytes | int | float) -> bytes:
    end = b"\r" if b"\r" in data else b"\n"
    segments = data.split(end)
    index = min(int(share * len(segments)), len(segments) - 1)
    if kind == "drop":
        del segments[index]
    elif kind == "double":
        segments.insert(index, segments[index])
    elif kind == "swap":
        other = min(int(float(what) * len(segments)), len(segments) - 1)
        segments[index], segments[other] = segments[other], segments[index]
    elif isinstance(what, bytes):
        fields = segments[index].split(b"|")
        fields[int(share * 7919) % len(fields)] = what
        segments[index] = b"|".join(fields)
    return end.join(segments)


def inputs(starts: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Edited seeds, two seeds joined, tokens in a row, and plain noise."""
    seed = st.sampled_from(list(starts))
    varied = st.builds(edited, seed, st.lists(_EDITS, min_size=1, max_size=8))
    joined = st.builds(lambda one, other, share: one[: int(share * len(one))] + other, seed, varied, _PLACES)
    row = st.lists(_INSERTS, max_size=60).map(b"".join)
    return st.one_of(varied, varied, varied, joined, row.map(lambda rest: b"MSH|^~\\&|" + rest), row)
