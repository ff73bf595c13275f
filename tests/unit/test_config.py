"""Settings: defaults run at once; plain text leaves loopback only when it is said."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.config import Environment, load


def test_the_defaults_listen_on_loopback_and_write_to_the_outbox() -> None:
    settings = load()
    assert (settings.mllp.host, settings.mllp.port) == ("127.0.0.1", 2575)
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert settings.environment is Environment.TEST
    assert settings.folder_enabled
    assert settings.outbox == Path("var/outbox")


def test_a_configured_destination_switches_the_default_folder_off_but_it_can_be_kept() -> None:
    dmp = {"url": "https://dmp.example/repository"}
    assert not load(dmp=dmp).folder_enabled
    assert load(dmp=dmp, folder={"enabled": True}).folder_enabled


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('data_dir = "here"\n[mllp]\nport = 1111\nframe_timeout = 3.0\n')
    monkeypatch.setenv("GATEWAY_MLLP__PORT", "2222")
    settings = load(file)
    assert settings.mllp.port == 2222
    assert settings.mllp.frame_timeout == 3.0
    assert settings.data_dir == Path("here")


def test_an_unknown_setting_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[mllp]\nprot = 1\n")
    with pytest.raises(ValidationError, match=r"mllp\.prot"):
        load(file)


@pytest.mark.req("REQ-72")
@pytest.mark.parametrize(
    "wrong",
    [
        {"mllp": {"host": "0.0.0.0"}},
        {"http": {"host": "192.0.2.1"}},
        {"mssante": {"host": "smtp.example", "tls": "none"}},
        {"dmp": {"url": "http://dmp.example/repository"}},
        {"dmp": {"url": "https://dmp.example/repository", "registry_url": "http://dmp.example/registry"}},
    ],
)
def test_plain_text_outside_loopback_is_refused_unless_allowed(wrong: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        load(**wrong)
    assert load(**wrong, allow_plain=True).allow_plain
