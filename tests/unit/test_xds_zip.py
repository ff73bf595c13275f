"""Zip archives as the standard library reads and writes them."""

import io
import zipfile
import zlib
from datetime import UTC, datetime

import pytest

from gateway.xds import zip as own

FILES = (
    ("INDEX.HTM", b"<html/>" * 40),
    ("SUB/DOC00001.XML", bytes(range(256)) * 3000),
    ("SUB/EMPTY.TXT", b""),
)
WHEN = datetime(2021, 1, 8, 11, 17, 5, tzinfo=UTC)


def made(when: datetime = WHEN) -> bytes:
    return own.archive([own.member(name, data) for name, data in FILES], when)


def by_zipfile() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name, data in FILES:
            one = zipfile.ZipInfo(name, WHEN.timetuple()[:6])
            one.create_system, one.external_attr = 0, 0x20
            target.writestr(one, data, zipfile.ZIP_DEFLATED, 1)
    return out.getvalue()


def test_members_are_read_again() -> None:
    with zipfile.ZipFile(io.BytesIO(made())) as found:
        assert found.testzip() is None
        assert tuple((name, found.read(name)) for name in found.namelist()) == FILES


def test_with_the_same_deflate_the_bytes_are_those_of_the_standard_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own, "compressobj", zlib.compressobj)
    monkeypatch.setattr(own, "crc32", zlib.crc32)
    assert made() == by_zipfile()


def test_a_year_that_zip_cannot_hold_becomes_its_first_one() -> None:
    with zipfile.ZipFile(io.BytesIO(made(datetime(1970, 5, 6, 7, 8, 9, tzinfo=UTC)))) as found:
        assert {one.date_time for one in found.infolist()} == {(1980, 5, 6, 7, 8, 8)}
