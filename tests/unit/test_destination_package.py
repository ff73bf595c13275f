"""What folder and mails share is made once a version, and anew for everything that it depends on."""

import pytest

from gateway.cda import build_n1
from gateway.model.base import replace
from gateway.model.kept import Kept
from gateway.model.submission import Action
from gateway.pipeline.destinations import package
from gateway.xds import Submission
from tests.unit.mail_jobs import job

VERSION = job().version
CDA = build_n1(VERSION, b"%PDF-1.4").data


def test_a_package_is_made_once_for_equal_versions() -> None:
    first = package.package(VERSION, CDA, Action.CREATE)
    assert package.package(replace(VERSION), bytes(bytearray(CDA)), Action.CREATE) is first


def test_another_action_site_or_document_makes_another_package() -> None:
    first = package.package(VERSION, CDA, Action.CREATE)
    software = replace(VERSION.site.software, version="9.9.9")
    renewed = replace(VERSION, site=replace(VERSION.site, software=software))
    assert b"9.9.9" not in first.xdm
    for other in (
        package.package(VERSION, CDA, Action.REPLACE),
        package.package(renewed, CDA, Action.CREATE),
        package.package(VERSION, CDA + b"\n", Action.CREATE),
    ):
        assert other.made != first.made or other.xdm != first.xdm
        assert isinstance(other.made, Submission)


def test_a_package_that_would_fill_the_room_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "_kept", Kept(1 << 10))
    first = package.package(VERSION, CDA, Action.CREATE)
    assert package.package(VERSION, CDA, Action.CREATE) is not first
