"""Nothing clinical is lost: every string and code of a report stands in its N3, or in a finding."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import cda
from gateway.model.base import replace
from gateway.model.imaging import AdministeredProduct, ContraIndication, Device, Quantity, RadiationDose
from gateway.model.imaging import RadiationExposure as Exposure
from gateway.model.narrative import Block, blocks_of, text_of
from gateway.model.report import Act, ImagingStudy, OrderReference, Section, SectionKind
from gateway.model.terms import DCM, LOINC, SNOMED_CT, Code
from gateway.model.version import ReportVersion
from tests.n3_cases import CASES, HEAD_SITE
from tests.reports import HEAD, REPORT, VERSION, modality

CLINICAL = ("sections", "acts", "studies", "contraindications", "devices", "pregnancy")
"""Fields of a report that say something of the exam; people and numbers have the header's own tests."""
NOT_SAID = ("system", "use", "start", "end", "started", "used_at", "authored_at", "author", "authorized_by")
"""Names of authorities, moments and people."""
BULLETS = "-–—•*· \t"


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, string) of everything in a value made of dicts and lists."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in NOT_SAID:
                yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


def clinical(version: ReportVersion) -> Iterator[tuple[str, str]]:
    """What must be found again, line by line. Text beside blocks repeats them; a kind is a section's code."""
    plain = msgspec.to_builtins(version.report)
    for section in plain["sections"]:
        if section.get("blocks"):
            del section["text"]
        section.pop("kind")
    for study in plain.get("studies", ()):
        study["series"] = study.get("series", ())[:1]  # one series stands for all (SCH)
    for index, order in enumerate(plain.get("orders", ())):
        yield from leaves(order.get("reason", ""), f"orders[{index}].reason")
    for field in CLINICAL:
        for path, text in leaves(plain.get(field, ()), field):
            for line in text.splitlines():
                yield path, line


def words(text: str) -> str:
    return " ".join(text.split())


def lost(version: ReportVersion) -> list[tuple[str, str]]:
    """Lines that stand neither in the document nor under the location of a finding."""
    built = cda.build_n3(version)
    root = etree.fromstring(built.data)
    said = words(
        " ".join([*root.itertext(), *(value for node in root.iter() for value in node.attrib.values())])
    )
    told = tuple(found.location for found in built.findings)
    return [
        (path, line)
        for path, line in clinical(version)
        if words(line.strip(BULLETS)) not in said
        and words(line).replace(".", ",") not in said
        and not path.startswith(told)
    ]


@pytest.mark.req("REQ-25")
@pytest.mark.parametrize("name", CASES)
def test_no_case_loses_anything(name: str) -> None:
    assert lost(CASES[name]) == []


LETTERS = st.characters(blacklist_categories=("Cs", "Cc", "Cn", "Co", "Zl", "Zp"))
WORD = st.text(LETTERS, min_size=1, max_size=12).filter(str.strip)
TEXT = st.lists(st.one_of(WORD, st.just(""), WORD.map("- {}".format)), min_size=1, max_size=6).map("\n".join)
CODE = st.from_regex(r"[A-Z]{2}[0-9]{3}", fullmatch=True)
CODES = st.builds(Code, code=CODE, system=st.just("1.2.3.4"), display=WORD)
QUANTITY = st.builds(
    Quantity,
    value=st.one_of(st.decimals(0, 5000, places=2).map(str), WORD),
    unit=st.sampled_from(["mGy", "mSv", "mGy.cm", "Gy.cm2", "mL", "MBq", "", "gouttes"]),
)
PRODUCT = st.builds(
    AdministeredProduct,
    label=WORD,
    codes=st.lists(CODES, max_size=2).map(tuple),
    route=st.none() | CODES,
    quantity=st.none() | QUANTITY,
    lot=st.just("") | CODE,
    comment=st.just("") | WORD,
)
DOSE = st.builds(
    RadiationDose,
    code=st.builds(
        Code, code=st.sampled_from(["113813", "111637", "999"]), system=st.just(DCM), display=WORD
    ),
    quantity=QUANTITY,
    site=st.none() | st.just(Code(code="302551006", system=SNOMED_CT, display="Thorax")),
)
ACT = st.builds(
    Act,
    label=st.just("") | WORD,
    code=st.none() | st.builds(Code, code=st.just("24727-0"), system=st.just(LOINC), display=WORD),
    ccam=st.none() | st.builds(Code, code=st.just("ACQH003"), display=WORD),
    local=st.none() | CODES,
    modalities=st.just((modality("CT", "Scanner"),)),
    sites=st.lists(st.just(HEAD_SITE), min_size=1, max_size=2, unique=True).map(tuple),
    start=st.just(HEAD.start),
    study_uid=st.sampled_from(["", "1.2.3.4", "1.2.3.5"]),
    laterality=st.none() | st.builds(Code, code=st.sampled_from(["24028007", "51440002", "X"]), display=WORD),
    parameters=st.just("") | TEXT,
    products=st.lists(PRODUCT, max_size=2).map(tuple),
    radiopharmaceuticals=st.lists(PRODUCT, max_size=1).map(tuple),
    exposure=st.none() | st.builds(Exposure, doses=st.lists(DOSE, max_size=2).map(tuple)),
)
CELLS = st.tuples(WORD, WORD)
BLOCK = st.one_of(
    st.builds(Block, text=WORD, heading=st.booleans()),
    st.builds(Block, text=st.just("") | WORD, items=st.lists(WORD, min_size=1, max_size=3).map(tuple)),
    st.builds(Block, text=WORD, header=CELLS, rows=st.lists(CELLS, min_size=1, max_size=2).map(tuple)),
)
SECTION = st.builds(
    Section,
    kind=st.sampled_from(list(SectionKind)),
    text=TEXT.filter(str.strip),
    title=st.just("") | WORD,
    blocks=st.lists(BLOCK, max_size=3).map(tuple),
    act=st.sampled_from([None, 0, 1, 7]),
)
CONCLUSION = Section(kind=SectionKind.CONCLUSION, text="Sans particularité.")
STUDY = st.builds(
    ImagingStudy,
    uid=st.sampled_from(["1.2.3.4", "1.2.3.5", "1.2.3.6", "not a uid"]),
    modalities=st.sampled_from([(), ("CT",), ("MR",)]),
    description=st.just("") | WORD,
    url=st.just("") | st.just("https://images.example/study?a=1&b=2"),
)


@given(
    acts=st.lists(ACT, min_size=1, max_size=3).map(tuple),
    sections=st.lists(SECTION, max_size=6).map(tuple),
    studies=st.lists(STUDY, max_size=2).map(tuple),
    reasons=st.lists(st.builds(OrderReference, reason=WORD), max_size=2).map(tuple),
    contraindications=st.lists(
        st.builds(ContraIndication, code=st.none() | CODES, comment=WORD), max_size=2
    ).map(tuple),
    devices=st.lists(st.builds(Device, label=WORD, code=st.none() | CODES), max_size=2).map(tuple),
    pregnancy=st.none()
    | st.builds(Code, code=st.sampled_from(["60001007", "77386006", "other"]), display=WORD),
)
@settings(max_examples=60, deadline=None)
def test_nothing_clinical_is_lost(
    acts: tuple[Act, ...],
    sections: tuple[Section, ...],
    studies: tuple[ImagingStudy, ...],
    reasons: tuple[OrderReference, ...],
    contraindications: tuple[ContraIndication, ...],
    devices: tuple[Device, ...],
    pregnancy: Code | None,
) -> None:
    report = replace(
        REPORT,
        acts=acts,
        sections=(*sections, CONCLUSION),
        studies=studies,
        orders=reasons,
        contraindications=contraindications,
        devices=devices,
        pregnancy=pregnancy,
    )
    assert lost(replace(VERSION, report=report)) == []


@given(text=TEXT)
@settings(max_examples=200, deadline=None)
def test_blocks_of_a_text_hold_all_its_words_in_order(text: str) -> None:
    flat = [word for line in text.splitlines() for word in line.strip(BULLETS).split()]
    again = [word for line in text_of(blocks_of(text)).splitlines() for word in line.strip(BULLETS).split()]
    assert again == flat
