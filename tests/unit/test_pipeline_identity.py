"""Names of a version: derived, stable over restarts, and different where they must be."""

from datetime import UTC, datetime

import pytest

from gateway import hl7v2
from gateway.mapping import hl7, sites
from gateway.model.base import replace
from gateway.model.canonical import canonical
from gateway.model.decision import KnownReport
from gateway.model.report import ReportStatus
from gateway.model.submission import Flags, Mapped
from gateway.model.version import VersionIdentity, derive_oid
from gateway.pipeline.identity import identity, set_key
from gateway.pipeline.reading import dedupe_key
from tests.support import FIXTURES

ORU = (FIXTURES / "hl7v2" / "oru_report.er7").read_bytes()
NOW = datetime(2021, 7, 8, 9, 17, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="module")
def mapped() -> Mapped:
    (one,) = hl7.reports(hl7v2.read(ORU), sites.load().default)
    assert one.report is not None
    return one


def named(mapped: Mapped, number: int = 1, known: KnownReport | None = None) -> VersionIdentity:
    assert mapped.report is not None
    key = set_key(mapped.report.report_set)
    site = sites.load().default.site
    return identity(mapped, environment="test", site=site, key=key, number=number, known=known, now=NOW)


def test_the_same_version_has_the_same_names_for_ever(mapped: Mapped) -> None:
    assert named(mapped) == named(mapped)
    assert named(mapped).document_id.startswith("2.25.")
    assert len(named(mapped).document_id) <= 64


def test_each_version_has_its_own_document_in_one_set(mapped: Mapped) -> None:
    first, second = named(mapped), named(mapped, 2)
    assert first.document_id != second.document_id
    assert first.set_id == second.set_id


def test_the_version_is_dated_in_the_site_s_zone_with_whole_seconds(mapped: Mapped) -> None:
    assert named(mapped).created_at.isoformat() == "2021-07-08T11:17:00+02:00"


def test_a_replacement_names_the_document_of_the_version_before(mapped: Mapped) -> None:
    known = KnownReport(report_id="1", status=ReportStatus.FINAL, version=1, document_id="2.25.7")
    assert named(mapped, 2, known).replaces_document_id == "2.25.7"
    assert named(mapped).replaces_document_id == ""


def test_a_received_cda_keeps_its_own_names(mapped: Mapped) -> None:
    context = replace(
        mapped.context, received_document="0" * 64, document_id="1.2.3", received_set_id="1.2.4"
    )
    made = named(replace(mapped, context=context))
    assert (made.document_id, made.set_id) == ("1.2.3", "1.2.4")


@pytest.mark.req("REQ-38")
def test_a_change_of_visibility_is_a_change_of_content(mapped: Mapped) -> None:
    assert mapped.report is not None
    before = canonical(mapped).content_hash
    flags = Flags(invisible_patient=True)
    after = canonical(replace(mapped, context=replace(mapped.context, flags=flags))).content_hash
    assert before != after
    resent = replace(mapped, context=replace(mapped.context, control_id="OTHER", flags=Flags(to_dmp=True)))
    assert canonical(resent).content_hash == before


@pytest.mark.req("REQ-03")
def test_a_resend_is_recognised_whatever_its_msh_7_and_a_change_is_not() -> None:
    message = hl7v2.read(ORU)
    later = hl7v2.read(ORU.replace(b"20210108111705+0100", b"20210108120000+0100"))
    other = hl7v2.read(ORU.replace("décelable".encode(), b"nouvelle"))
    assert dedupe_key(message) == dedupe_key(later)
    assert dedupe_key(message) != dedupe_key(other)


def test_derived_oids_tell_their_parts_apart() -> None:
    assert derive_oid("a", "bc") != derive_oid("ab", "c")
