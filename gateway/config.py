"""Settings: built-in defaults, then `--config gateway.toml`, then environment `GATEWAY_SECTION__NAME`."""

import re
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gateway.model.delivery import Destination


class Environment(StrEnum):
    TEST = "test"
    PRODUCTION = "production"


class _Section(BaseModel):
    model_config = {"extra": "forbid"}


class SubjectSettings(_Section):
    """What the subject of a client certificate must hold; "" asks for nothing."""

    common_name: str = ""
    organization: str = ""
    organizational_unit: str = ""


class MllpPeerSettings(_Section):
    """One sender and what is particular about it (`[[mllp.peers]]`; the first that fits counts).

    A connection fits when everything stated fits: its address, its certificate.
    """

    name: str = Field(min_length=1)
    """Stands in the log and beside the messages; no identity of a person."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    fingerprint: str = ""
    """SHA-256 of the client certificate, in hex, with or without colons (needs mllp.tls_client_ca)."""
    subject: SubjectSettings = SubjectSettings()
    max_bytes: int | None = Field(default=None, gt=0)
    """Cap of a frame; never above limits.max_bytes."""
    missing_start: bool = False
    """It omits the start byte VT: a message begins at `MSH`."""
    enhanced_mode: bool = False
    """Answer as MSH-15 and MSH-16 ask (CA, CE, CR, then AA, AE, AR)."""
    commit_bytes: bool = False
    """MLLP release 2: a block 0x06 or 0x15 before each answer."""
    answer_partial: bool = False
    """AR to a frame that never ended, before the connection is closed. Off: many senders resend by
    themselves what was not answered, and leave to a person what was refused."""

    @field_validator("fingerprint")
    @classmethod
    def _hex(cls, value: str) -> str:
        plain = value.replace(":", "").replace(" ", "").lower()
        if plain and not re.fullmatch(r"[0-9a-f]{64}", plain):
            raise ValueError("expected the SHA-256 of the certificate: 64 hexadecimal digits")
        return plain

    @property
    def by_certificate(self) -> bool:
        return bool(self.fingerprint) or self.subject != SubjectSettings()

    @model_validator(mode="after")
    def _says_who(self) -> "MllpPeerSettings":
        if not self.networks and not self.by_certificate:
            raise ValueError(f"peer {self.name}: state networks, fingerprint or subject")
        return self


class MllpSettings(_Section):
    host: str = "127.0.0.1"
    port: int = 2575
    frame_timeout: float = 30.0
    """Seconds without a byte inside a frame before it is given up."""
    min_rate: int = Field(default=1024, gt=0)
    """Bytes a second that a frame must keep up over its whole length, beyond `frame_timeout`: who sends one
    byte now and then does not hold a connection for ever."""
    max_connections: int = Field(default=1024, gt=0)
    max_per_address: int = Field(default=512, gt=0)
    """Connections of one address. Above either cap the one that was idle longest gives way."""
    max_buffered: int = Field(default=512 * 1024 * 1024, gt=0)
    """Bytes of unfinished frames, of all connections together."""
    keepalive: float = 60.0
    """Seconds of silence after which TCP asks whether the peer still lives; 0 = never."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """Set: clients must present a certificate of this authority (mutual TLS)."""
    peers: tuple[MllpPeerSettings, ...] = ()
    accept_unknown: bool | None = None
    """Whether senders that fit no peer are served. None: only while no peer is listed."""

    @property
    def open_to_all(self) -> bool:
        return not self.peers if self.accept_unknown is None else self.accept_unknown

    @model_validator(mode="after")
    def _peers_can_be_told_apart(self) -> "MllpSettings":
        names = [peer.name for peer in self.peers]
        if len(set(names)) < len(names):
            raise ValueError("mllp.peers: two peers have the same name")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("mllp.tls_client_ca needs mllp.tls_certificate")
        if self.tls_client_ca is None and any(peer.by_certificate for peer in self.peers):
            raise ValueError("mllp.peers: fingerprint and subject need mllp.tls_client_ca (mutual TLS)")
        return self


class IntakeSettings(_Section):
    mappers: int | None = Field(default=None, ge=0, le=64)
    """Processes that read and map HL7 v2 messages beside the one that answers and commits. 0: that one does
    it itself. None: 1 where there is a second core."""


class HttpSettings(_Section):
    host: str = "127.0.0.1"
    port: int = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None


class LimitSettings(_Section):
    max_bytes: int = 50 * 1024 * 1024
    """Cap of every input: MLLP frame, HTTP body, file."""
    min_free_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    """Free bytes of the data folder's disk below which nothing is taken any more (AR, 503)."""


class DestinationSettings(_Section):
    """How one destination is treated (`[destinations.dmp]`, `[destinations.mssante-ps]`…)."""

    paused: bool = False
    """Nothing is sent there; deliveries wait. Beside it `gateway pause` pauses without a restart."""
    concurrency: int | None = Field(default=None, gt=0)
    """Deliveries under way at a time, of all workers together. None: eight a worker."""
    rate: float = Field(default=0.0, ge=0)
    """Deliveries a second at most, 0: no limit."""
    burst: int = Field(default=1, gt=0)
    """Deliveries that may go at once after a pause of the traffic."""
    breaker_failures: int | None = Field(default=None, ge=0)
    """Failures in a row (nothing taken, no answer) after which only one delivery at a time probes; 0: never.
    None: 5, but never for acknowledgements (zam), which go to several peers."""
    breaker_pause: float = Field(default=5.0, gt=0)
    """Seconds before the first probe; doubled at each that fails."""
    breaker_longest: float = Field(default=120.0, gt=0)


class StoreSettings(_Section):
    """Where the durable state lies."""

    url: SecretStr = SecretStr("")
    """`postgresql://user@host:5432/name`: the common store of several nodes. "" = SQLite in the data folder.
    The password may stand in it, or in PGPASSFILE."""
    lease: float = Field(default=30.0, ge=1.0)
    """Seconds after which a node that gives no sign of life counts as dead: the others take its work over."""

    @field_validator("url")
    @classmethod
    def _postgresql(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and not text.startswith(("postgresql://", "postgres://")):
            raise ValueError("store.url: expected postgresql://user@host:port/name, or nothing for SQLite")
        return value


class RetentionSettings(_Section):
    """Days after the last change after which `gateway purge` lets contents go; 0: kept for ever."""

    reports: int = Field(default=0, ge=0)
    """Report sets with documents, recipients and the messages that made them, once all is settled."""
    messages: int = Field(default=0, ge=0)
    """Messages that made no report: refused ones, repetitions, orders, identities."""
    orders: int = Field(default=0, ge=0)


class AlertSettings(_Section):
    """Whom to tell when somebody must look."""

    webhook: str = ""
    """Address that gets a JSON POST, "" = nobody."""
    interval: float = Field(default=30.0, gt=0)
    """Seconds between two looks; what opened and closed between them goes in one POST."""
    repeat: float = Field(default=24 * 3600.0, gt=0)
    """Seconds after which what is still open is told again."""
    queue_age: float = Field(default=900.0, gt=0)
    """Seconds that a delivery may be due before an alert opens."""
    certificate_days: int = Field(default=30, ge=0)
    timeout: float = Field(default=10.0, gt=0)


class DmpSettings(_Section):
    url: str = ""
    """Address of the repository service (ITI-41), "" = destination off."""
    registry_url: str = ""
    """Address of the registry service (ITI-18): what it holds is asked before a replacement or a repeat.
    "": the same address with `/registry` for its last `/repository`; without one nothing is asked."""
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    cachet_certificate: Path | None = None
    """Certificate that signs the VIHF (cachet); its key beside it."""
    cachet_key: Path | None = None
    timeout: float = 30.0
    concurrency: int = 4

    @property
    def registry(self) -> str:
        """Where to ask, "" for nowhere."""
        before, repository, after = self.url.rpartition("/repository")
        return self.registry_url or (f"{before}/registry{after}" if repository else "")


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


class CreatorSettings(_Section):
    """Where the business acknowledgements (ZAM) of one sending application go (`[[zam.creators]]`)."""

    application: str = Field(min_length=1)
    """MSH-3 of its messages."""
    facility: str = ""
    """MSH-4 of its messages, "" = any."""
    host: str = Field(min_length=1)
    port: int = Field(gt=0, lt=65536)
    tls: bool = False
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    charset: Literal["UNICODE UTF-8", "8859/15"] = "UNICODE UTF-8"
    """MSH-18 of what it gets."""


class ZamSettings(_Section):
    creators: tuple[CreatorSettings, ...] = ()
    """None: nobody is told."""
    timeout: float = 30.0

    def creator(self, application: str, facility: str) -> CreatorSettings | None:
        """The first address that fits."""
        return next(
            (
                one
                for one in self.creators
                if one.application == application and one.facility in ("", facility)
            ),
            None,
        )


class ValidationSettings(_Section):
    """The official rules, run on every CDA before it is sent (EX_2.1-1090)."""

    kit: Path | None = None
    """Folder of the official CI-SIS validation kit; None: our own checks only."""
    command: tuple[str, ...] = ("conformance", "validate", "--worker")
    """Long-lived child of each worker; `--kit KIT` is added. A bare name is also looked for beside Python."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds for one document; then the child is ended and started again."""
    start_timeout: float = Field(default=180.0, gt=0)
    """Seconds to load all rules (the first start with a kit compiles them)."""


class PdfSettings(_Section):
    received: Literal["keep", "convert"] = "keep"
    """A received PDF that is not PDF/A-1: kept as it is, or made PDF/A-1b (same look, text searchable)."""

    @property
    def convert(self) -> bool:
        return self.received == "convert"


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
        if self.dmp.url.startswith("http://") and not is_loopback(
            self.dmp.url.split("/")[2].rsplit(":", 1)[0]
        ):
            raise ValueError("dmp.url must be https outside loopback")
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
