"""What a builder leaves as elements is what a reader of its bytes finds: it is judged without reading it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import cda
from gateway.cda.contents import lean
from gateway.cda.reader import document
from gateway.cda.tree import Element
from gateway.model.base import replace
from gateway.model.people import Practitioner
from gateway.model.report import OrderReference, Section, SectionKind
from gateway.model.terms import Identifier
from tests.n3_cases import CASES, FULL
from tests.order_cases import HOUSE, IDENTITY, ORDERS
from tests.reports import BIDEAULT, PATIENT, REPLACEMENT, VERSION, with_report

PDF = b"%PDF-1.4\n" + bytes(range(256)) * 40
DOCUMENTS: dict[str, Callable[[], cda.Built]] = {
    "N1": lambda: cda.build_n1(VERSION, PDF),
    "N1 replaces": lambda: cda.build_n1(REPLACEMENT, PDF),
    "N1 with nothing to open": lambda: cda.build_n1(VERSION, b"no page"),
    **{f"N3 {name}": lambda version=version: cda.build_n3(version, PDF) for name, version in CASES.items()},
    **{
        f"order {name}": lambda order=order: cda.build_order(order, IDENTITY, HOUSE)
        for name, order in ORDERS.items()
    },
}


def shape(node: Element, *, spaced: bool = False) -> tuple[object, ...]:
    """Names, attributes, words; `spaced`: without the white space that only sets elements on lines."""
    text = "" if spaced and node.children and not node.text.strip() else node.text
    tail = "" if spaced and not node.tail.strip() else node.tail
    names = {key: value for key, value in node.attributes.items() if not key.startswith("xmlns")}
    return (node.tag, names, text, tail, [shape(one, spaced=spaced) for one in node.children])


def same(built: cda.Built) -> None:
    read = document(lean(built.data).data)
    assert shape(read, spaced=True) == shape(built.root, spaced=True)
    assert cda.check_built(built) == cda.check(built.data)


@pytest.mark.parametrize("title", DOCUMENTS)
def test_what_was_built_is_what_is_read(title: str) -> None:
    same(DOCUMENTS[title]())


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40), st.sampled_from(SectionKind))
def test_whatever_the_words(family: str, title: str, words: str, kind: SectionKind) -> None:
    """Control characters, surrogates, line ends of any kind."""
    version = with_report(
        title=title,
        patient=replace(PATIENT, birth_family=family),
        requester=Practitioner(id="801234567897", family=family),
        authors=(BIDEAULT,),
        orders=(OrderReference(placer=Identifier(value=words or "1", system="1.2.250.1.748.1")),),
    )
    same(cda.build_n1(version, PDF))
    sections = (*FULL.report.sections, Section(kind=kind, title=title, text=f"a {words}"))
    same(cda.build_n3(replace(FULL, report=replace(FULL.report, sections=sections)), PDF))
