"""Nothing clinical is lost: every string and code of a report stands in its N3, or in a finding."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway import cda
from gateway.model.base import Value, replace
from gateway.model.imaging import AdministeredProduct, ContraIndication, Device, Quantity, RadiationDose
from gateway.model.imaging import RadiationExposure as Exposure
from gateway.model.narrative import Block, blocks_of, text_of
from gateway.model.report import Act, ImagingSeries, ImagingStudy, OrderReference, Section, SectionKind
from gateway.model.terms import DCM, LOINC, SNOMED_CT, Code, Identifier
from gateway.model.version import ReportVersion
from tests.n3_cases import CASES, HEAD_SITE
from tests.reports import BIDEAULT, DUPONT, HEAD, REPORT, VERSION, modality

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
        yield from leaves(order.get("reasons", ()), f"orders[{index}].reasons")
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


FILLED: dict[type[Value], set[str]] = {}
"""Fields that the strategies below fill, by kind of value."""


def filled(kind: type[Any], /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    FILLED.setdefault(kind, set()).update(fields)
    return st.builds(kind, **fields)


LETTERS = st.characters(blacklist_categories=("Cs", "Cc", "Cn", "Co", "Zl", "Zp"))
WORD = st.text(LETTERS, min_size=1, max_size=12).filter(str.strip)
TEXT = st.lists(st.one_of(WORD, st.just(""), WORD.map("- {}".format)), min_size=1, max_size=6).map("\n".join)
CODE = st.from_regex(r"[A-Z]{2}[0-9]{3}", fullmatch=True)
PEOPLE = st.sampled_from([DUPONT, BIDEAULT])
CODES = filled(Code, code=CODE, system=st.just("1.2.3.4"), display=WORD)
QUANTITY = filled(
    Quantity,
    value=st.one_of(st.decimals(0, 5000, places=2).map(str), WORD),
    unit=st.sampled_from(["mGy", "mSv", "mGy.cm", "Gy.cm2", "mL", "MBq", "", "gouttes"]),
)
PRODUCT = filled(
    AdministeredProduct,
    label=WORD,
    codes=st.lists(CODES, max_size=2).map(tuple),
    route=st.none() | CODES,
    quantity=st.none() | QUANTITY,
    lot=st.just("") | CODE,
    comment=st.just("") | WORD,
)
DOSE = filled(
    RadiationDose,
    code=filled(Code, code=st.sampled_from(["113813", "111637", "999"]), system=st.just(DCM), display=WORD),
    quantity=QUANTITY,
    site=st.none() | st.just(Code(code="302551006", system=SNOMED_CT, display="Thorax")),
)
DOSES = st.lists(DOSE, max_size=2).map(tuple)
EXPOSURE = filled(Exposure, doses=DOSES, authorized_by=st.none() | PEOPLE)
ACT = filled(
    Act,
    label=st.just("") | WORD,
    code=st.none() | filled(Code, code=st.just("24727-0"), system=st.just(LOINC), display=WORD),
    ccam=st.none() | filled(Code, code=st.just("ACQH003"), display=WORD),
    local=st.none() | CODES,
    modalities=st.just((modality("CT", "Scanner"),)),
    sites=st.lists(st.just(HEAD_SITE), min_size=1, max_size=2, unique=True).map(tuple),
    regions=st.lists(CODES, max_size=2).map(tuple),
    start=st.just(HEAD.start),
    end=st.none() | st.just(HEAD.start),
    accession=st.none() | st.builds(Identifier, value=CODE, system=st.just("1.2.3")),
    function=st.none() | CODES,
    study_uid=st.sampled_from(["", "1.2.3.4", "1.2.3.5"]),
    laterality=st.none() | filled(Code, code=st.sampled_from(["24028007", "51440002", "X"]), display=WORD),
    parameters=st.just("") | TEXT,
    products=st.lists(PRODUCT, max_size=2).map(tuple),
    radiopharmaceuticals=st.lists(PRODUCT, max_size=1).map(tuple),
    exposure=st.none()
    | filled(Exposure, doses=st.lists(DOSE, max_size=2).map(tuple), authorized_by=st.none() | PEOPLE),
)
CELLS = st.tuples(WORD, WORD)
ITEMS = st.lists(WORD, min_size=1, max_size=3).map(tuple)
BLOCK = st.one_of(
    filled(Block, text=WORD, heading=st.booleans()),
    filled(
        Block,
        text=st.just("") | WORD,
        items=st.lists(WORD, min_size=1, max_size=3).map(tuple),
        ordered=st.booleans(),
    ),
    filled(Block, text=WORD, header=CELLS, rows=st.lists(CELLS, min_size=1, max_size=2).map(tuple)),
)
SECTION = filled(
    Section,
    kind=st.sampled_from(list(SectionKind)),
    text=TEXT.filter(str.strip),
    title=st.just("") | WORD,
    blocks=st.lists(BLOCK, max_size=3).map(tuple),
    act=st.sampled_from([None, 0, 1, 7]),
    author=st.none() | PEOPLE,
    authored_at=st.none() | st.just(HEAD.start),
)
DEVICE = filled(
    Device,
    label=WORD,
    code=st.none() | CODES,
    udi=st.none() | st.builds(Identifier, value=CODE, system=st.sampled_from(["", "1.2.3"])),
    used_at=st.none() | st.just(HEAD.start),
)
CONCLUSION = Section(kind=SectionKind.CONCLUSION, text="Sans particularité.")
SERIES = filled(
    ImagingSeries,
    uid=st.sampled_from(["1.2.3.4.1", "1.2.3.4.2"]),
    modality=st.sampled_from(["", "CT", "XX"]),
    sop_class_uid=st.sampled_from(["", "1.2.840.10008.5.1.4.1.1.2"]),
    instance_uid=st.sampled_from(["", "1.2.3.4.1.1"]),
)
STUDY = filled(
    ImagingStudy,
    uid=st.sampled_from(["1.2.3.4", "1.2.3.5", "1.2.3.6", "not a uid"]),
    modalities=st.sampled_from([(), ("CT",), ("MR",)]),
    accession=st.none() | st.builds(Identifier, value=CODE, system=st.just("1.2.3")),
    started=st.none() | st.just(HEAD.start),
    series=st.lists(SERIES, max_size=2).map(tuple),
    description=st.just("") | WORD,
)


@given(
    acts=st.lists(ACT, min_size=1, max_size=3).map(tuple),
    sections=st.lists(SECTION, max_size=6).map(tuple),
    studies=st.lists(STUDY, max_size=2).map(tuple),
    reasons=st.lists(
        st.builds(OrderReference, reason=st.just("") | WORD, reasons=st.lists(CODES, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    contraindications=st.lists(
        filled(ContraIndication, code=st.none() | CODES, comment=WORD), max_size=2
    ).map(tuple),
    devices=st.lists(DEVICE, max_size=2).map(tuple),
    pregnancy=st.none()
    | st.builds(Code, code=st.sampled_from(["60001007", "77386006", "other"]), display=WORD),
)
@settings(max_examples=40, deadline=None)
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


@pytest.mark.parametrize("kind", FILLED, ids=lambda kind: kind.__name__)
def test_the_strategies_fill_every_field_of_the_model(kind: type[Value]) -> None:
    """A field that is added to the model must be looked for in the document, too."""
    fields = set(kind.__struct_fields__)  # type: ignore[attr-defined]  # every Value is a Struct
    assert fields == FILLED[kind]


@given(text=TEXT)
@settings(max_examples=200, deadline=None)
def test_blocks_of_a_text_hold_all_its_words_in_order(text: str) -> None:
    flat = [word for line in text.splitlines() for word in line.strip(BULLETS).split()]
    again = [word for line in text_of(blocks_of(text)).splitlines() for word in line.strip(BULLETS).split()]
    assert again == flat
