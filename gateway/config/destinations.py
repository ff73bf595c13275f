"""Settings of what goes out: destinations, their pace, documents, the official rules."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from gateway.config.base import Section


class DestinationSettings(Section):
    """How one destination is treated (`[destinations.dmp]`, `[destinations.mssante-ps]`…)."""

    paused: bool = False
    """Nothing is sent there; deliveries wait. Beside it `gateway pause` pauses without a restart."""
    concurrency: int | None = Field(default=None, gt=0)
    """Deliveries under way at a time, of all workers of a node together. None: eight a worker."""
    rate: float = Field(default=0.0, ge=0)
    """Deliveries a second at most, of all nodes together, 0: no limit."""
    burst: int = Field(default=1, gt=0)
    """Deliveries that may go at once after a pause of the traffic."""
    breaker_failures: int | None = Field(default=None, ge=0)
    """Failures in a row (nothing taken, no answer) after which only one delivery at a time probes; 0: never.
    None: 5, but never for acknowledgements (zam), which go to several peers."""
    breaker_pause: float = Field(default=5.0, gt=0)
    """Seconds before the first probe, ± a fifth; doubled at each that fails. A probe is one real delivery,
    the next in the queue. When it succeeds all that failed meanwhile is due at once, as far as rate and
    concurrency let it through."""
    breaker_longest: float = Field(default=30.0, gt=0)
    """Seconds between two probes at most, where the peer asks for no longer pause (Retry-After): after so
    long at the latest a destination that is back is noticed."""


class DmpSettings(Section):
    url: str = ""
    """Address of the repository service (ITI-41), "" = destination off."""
    registry_url: str = ""
    """Address of the registry service: what it holds is asked (ITI-18) before a replacement, a deletion or a
    repeat, and it takes the deletions. "": the same address with `/registry` for its last `/repository`;
    without one nothing is asked, and nothing can be deleted."""
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


class MssanteSettings(Section):
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


class FolderSettings(Section):
    enabled: bool | None = None
    """None: on when no other destination is configured."""
    path: Path | None = None
    """Default `<data_dir>/outbox`."""


class CreatorSettings(Section):
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


class ZamSettings(Section):
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


class ValidationSettings(Section):
    """The official rules, run on every CDA before it is sent (EX_2.1-1090)."""

    kit: Path | None = None
    """Folder of the official CI-SIS validation kit; None: our own checks only."""
    command: tuple[str, ...] = ("conformance", "validate", "--worker")
    """Long-lived child of each worker; `--kit KIT` is added. A bare name is also looked for beside Python."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds for one document; then the child is ended and started again."""
    start_timeout: float = Field(default=180.0, gt=0)
    """Seconds to load all rules (the first start with a kit compiles them)."""


class PdfSettings(Section):
    received: Literal["keep", "convert"] = "keep"
    """A received PDF that is not PDF/A-1: kept as it is, or made PDF/A-1b (same look, text searchable)."""

    @property
    def convert(self) -> bool:
        return self.received == "convert"


class RetrySettings(Section):
    first: float = 5.0
    """Seconds before the second attempt."""
    factor: float = 2.0
    longest: float = 900.0
    jitter: float = 0.2
    """± share of the delay, drawn anew each time."""
    give_up_after: float = 3 * 24 * 3600.0
    """Seconds after which a delivery that never succeeded is failed and shown."""
