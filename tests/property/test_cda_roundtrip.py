"""Whatever names people have, what is built is read back."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import cda
from gateway.model.base import replace
from gateway.model.people import IdentityStatus, Practitioner
from gateway.model.terms import Address
from tests.reports import BIDEAULT, PATIENT, VERSION, with_report

LETTERS = string.ascii_letters + "ÀÂÄÆÇÉÈÊËÎÏÔÖŒÙÛÜŸàâäæçéèêëîïôöœùûüÿñãøłßşțǎĐđ"
SIGNS = "'’-.,&<>\"«» "

names = (
    st.text(LETTERS + SIGNS, min_size=1, max_size=40).map(lambda text: " ".join(text.split())).filter(bool)
)
lines = st.lists(names, max_size=5).map(tuple)


@settings(max_examples=60, deadline=None)
@given(names, names, names, st.one_of(st.just(""), names), names, lines, names)
def test_names_and_addresses_survive(
    family: str, given_name: str, given_names: str, used: str, city: str, street: tuple[str, ...], title: str
) -> None:
    patient = replace(
        PATIENT,
        birth_family=family,
        birth_given=given_name,
        birth_given_names=given_names,
        used_family=used,
        used_given=used,
        birth_place_name=city,
        address=Address(lines=street, postal_code="75007", city=city),
    )
    radiologist = replace(BIDEAULT, family=family, given=given_name)
    version = with_report(patient=patient, title=title, authors=(radiologist,))
    header = cda.read(cda.build_n1(version, b"%PDF-").data)
    assert header.patient == replace(patient, identity_status=IdentityStatus.PROVISOIRE)
    assert header.title == title
    author = header.authors[0].practitioner
    assert (author.family, author.given) == (family, given_name)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_at_all_gives_well_formed_xml(family: str, title: str) -> None:
    """Control characters, surrogates, noncharacters: dropped, never fatal."""
    version = with_report(
        title=title, requester=Practitioner(id="801234567897", family=family), authors=(BIDEAULT,)
    )
    assert cda.read(cda.build_n1(version, b"%PDF-").data).set_id is not None


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"<ClinicalDocument", b"<?xml version='1.0'?>", b"<!--"])
)
def test_any_bytes_are_read_or_refused(data: bytes, start: bytes) -> None:
    """The reader raises CdaError and nothing else."""
    try:
        cda.read(start + data)
    except cda.CdaError as error:
        assert error.findings


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_document_with_a_hole_is_read_checked_or_refused(data: st.DataObject) -> None:
    built = cda.build_n1(VERSION, b"%PDF-").data
    start = data.draw(st.integers(0, len(built)))
    length = data.draw(st.integers(0, 80))
    cda.check(built[:start] + built[start + length :])
