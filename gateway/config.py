"""Settings: built-in defaults, then `--config gateway.toml`, then environment `GATEWAY_SECTION__NAME`."""

from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Environment(StrEnum):
    TEST = "test"
    PRODUCTION = "production"


class _Section(BaseModel):
    model_config = {"extra": "forbid"}


class MllpSettings(_Section):
    host: str = "127.0.0.1"
    port: int = 2575
    frame_timeout: float = 30.0
    """Seconds without a byte inside a frame before it is given up."""
    max_connections: int = 512
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """Set: clients must present a certificate of this authority (mutual TLS)."""


class HttpSettings(_Section):
    host: str = "127.0.0.1"
    port: int = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None


class LimitSettings(_Section):
    max_bytes: int = 50 * 1024 * 1024
    """Cap of every input: MLLP frame, HTTP body, file."""


class DmpSettings(_Section):
    url: str = ""
    """Address of the repository service (ITI-41), "" = destination off."""
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    cachet_certificate: Path | None = None
    """Certificate that signs the VIHF (cachet); its key beside it."""
    cachet_key: Path | None = None
    timeout: float = 30.0
    concurrency: int = 4


class MssanteSettings(_Section):
    host: str = ""
    """SMTP server of the MSSanté operator, "" = destination off."""
    port: int = 25
    tls: str = "starttls"
    """`starttls`, `tls` or `none` (loopback or allow_plain only)."""
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    username: str = ""
    password: SecretStr | None = None
    timeout: float = 30.0
    max_bytes: int = 25 * 1024 * 1024
    """Largest mail to a patient (Mon espace santé)."""


class FolderSettings(_Section):
    enabled: bool | None = None
    """None: on when no other destination is configured."""
    path: Path | None = None
    """Default `<data_dir>/outbox`."""


class RetrySettings(_Section):
    first: float = 5.0
    """Seconds before the second attempt."""
    factor: float = 2.0
    longest: float = 900.0
    jitter: float = 0.2
    """± share of the delay, drawn anew each time."""
    give_up_after: float = 3 * 24 * 3600.0
    """Seconds after which a delivery that never succeeded is failed and shown."""


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
    mllp: MllpSettings = MllpSettings()
    http: HttpSettings = HttpSettings()
    limits: LimitSettings = LimitSettings()
    dmp: DmpSettings = DmpSettings()
    mssante: MssanteSettings = MssanteSettings()
    folder: FolderSettings = FolderSettings()
    retry: RetrySettings = RetrySettings()

    @property
    def database(self) -> Path:
        return self.data_dir / "gateway.db"

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
        if self.dmp.url.startswith("http://") and not is_loopback(
            self.dmp.url.split("/")[2].rsplit(":", 1)[0]
        ):
            raise ValueError("dmp.url must be https outside loopback")
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


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Settings from `config` (TOML, optional), environment and `overrides` (highest).

    Raises pydantic.ValidationError naming section and setting; FileNotFoundError for a missing `config`.
    """
    if config is None:
        return Settings(**overrides)
    if not config.is_file():
        raise FileNotFoundError(f"no configuration file {config}")

    class _WithFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    return _WithFile(**overrides)
