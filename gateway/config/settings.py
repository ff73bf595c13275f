"""The whole of the settings, how they are read, and what they may not say together."""

from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gateway.config.destinations import (
    DestinationSettings,
    DmpSettings,
    FolderSettings,
    MssanteSettings,
    PdfSettings,
    RetrySettings,
    ValidationSettings,
    ZamSettings,
)
from gateway.config.intake import HttpSettings, IntakeSettings, LimitSettings, MllpSettings
from gateway.config.keeping import AlertSettings, RetentionSettings, StoreSettings
from gateway.model.delivery import Destination


class Environment(StrEnum):
    TEST = "test"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """All settings; unknown names are refused with their place."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_",
        env_nested_delimiter="__",
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    environment: Environment = Environment.TEST
    data_dir: Path = Path("var")
    site: str = "default"
    """Profile for messages that no profile claims."""
    sites_dir: Path | None = None
    """Folder of the site's own `*.toml` profiles, beside those shipped."""
    workers: int = Field(default=1, ge=0, le=64)
    """Worker processes; 0 = one thread of the serving process."""
    allow_plain: bool = False
    intake: IntakeSettings = IntakeSettings()
    mllp: MllpSettings = MllpSettings()
    http: HttpSettings = HttpSettings()
    limits: LimitSettings = LimitSettings()
    dmp: DmpSettings = DmpSettings()
    mssante: MssanteSettings = MssanteSettings()
    folder: FolderSettings = FolderSettings()
    store: StoreSettings = StoreSettings()
    zam: ZamSettings = ZamSettings()
    validation: ValidationSettings = ValidationSettings()
    pdf: PdfSettings = PdfSettings()
    retry: RetrySettings = RetrySettings()
    destinations: dict[Destination, DestinationSettings] = {}
    """What differs from the defaults, by destination."""
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()

    @property
    def database(self) -> Path | str:
        """The file of the embedded store, or the address of the PostgreSQL."""
        return self.store.url.get_secret_value() or self.data_dir / "gateway.db"

    @property
    def outbox(self) -> Path:
        return self.folder.path or self.data_dir / "outbox"

    @property
    def folder_enabled(self) -> bool:
        if self.folder.enabled is not None:
            return self.folder.enabled
        return not (self.dmp.url or self.mssante.host)

    @model_validator(mode="after")
    def _plain_text_only_on_loopback(self) -> "Settings":
        """Architecture decision 23: outside loopback TLS, unless `allow_plain` says so."""
        if self.allow_plain:
            return self
        for name, host, secured in (
            ("mllp", self.mllp.host, self.mllp.tls_certificate),
            ("http", self.http.host, self.http.tls_certificate),
        ):
            if not secured and not is_loopback(host):
                raise ValueError(
                    f"{name}.host {host} is not loopback and {name}.tls_certificate is not set: "
                    "configure TLS, or set allow_plain = true behind a proxy that encrypts"
                )
        if self.mssante.host and self.mssante.tls == "none" and not is_loopback(self.mssante.host):
            raise ValueError("mssante.tls = none is refused outside loopback: use starttls or tls")
        for name, url in (("url", self.dmp.url), ("registry_url", self.dmp.registry_url)):
            if url.startswith("http://") and not is_loopback(urlsplit(url).hostname or ""):
                raise ValueError(f"dmp.{name} must be https outside loopback")
        for one in self.zam.creators:
            if not one.tls and not is_loopback(one.host):
                raise ValueError(f"zam.creators {one.application}: tls = true is needed outside loopback")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def at(host: str, port: int) -> str:
    """Host and port as an address writes them: an IPv6 one in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def explain(wrong: Exception) -> str:
    """Why `load` gave no settings, every wrong one named; never a value."""
    if isinstance(wrong, ValidationError):
        lines = (f"{'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg']}" for one in wrong.errors())
        return "settings: " + "; ".join(lines)
    return str(wrong)


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Settings from `config` (TOML, optional), environment and `overrides` (highest).

    Raises pydantic.ValidationError naming section and setting; FileNotFoundError for a missing `config`,
    ValueError with its name for one that is no TOML. `explain` puts all into words.
    """
    if config is None:
        return Settings(**overrides)
    if not config.is_file():
        raise FileNotFoundError(f"no configuration file {config}")

    class _WithFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        return _WithFile(**overrides)
    except (TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise ValueError(f"{config}: {wrong}") from None
