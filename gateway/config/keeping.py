"""Settings of what is kept and watched: store, retention, alerts."""

from datetime import time

from pydantic import Field, SecretStr, field_validator

from gateway.config.base import Section


class StoreSettings(Section):
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


class RetentionSettings(Section):
    """Days after the last change after which a purge lets contents go; 0: kept for ever."""

    reports: int = Field(default=0, ge=0)
    """Report sets with documents, recipients and the messages that made them, once all is settled."""
    messages: int = Field(default=0, ge=0)
    """Messages that made no report: refused ones, repetitions, orders, identities."""
    orders: int = Field(default=0, ge=0)
    purge_at: time | None = None
    """Time of day ("02:30", of the machine's time zone) at which the server purges by itself, one node of
    several; not set: only `gateway purge`."""
    purge_unexported: bool = False
    """That purge takes also what no `gateway export` has taken out before."""

    @property
    def days(self) -> dict[str, int]:
        """By class of contents."""
        return {"reports": self.reports, "messages": self.messages, "orders": self.orders}


class AlertSettings(Section):
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
    unvalidated_hours: float = Field(default=0.0, ge=0)
    """Hours that a report may wait for its validation before an alert names its radiologist; 0 = no alert."""
    timeout: float = Field(default=10.0, gt=0)
