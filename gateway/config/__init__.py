"""Settings: built-in defaults, then `--config gateway.toml`, then environment `GATEWAY_SECTION__NAME`."""

from gateway.config.destinations import (
    CreatorSettings,
    DestinationSettings,
    DmpSettings,
    FolderSettings,
    MssanteSettings,
    PdfSettings,
    RetrySettings,
    ValidationSettings,
    ZamSettings,
)
from gateway.config.intake import (
    HttpSettings,
    IntakeSettings,
    LimitSettings,
    MllpPeerSettings,
    MllpSettings,
    SubjectSettings,
)
from gateway.config.keeping import AlertSettings, RetentionSettings, StoreSettings
from gateway.config.settings import Environment, Settings, at, explain, is_loopback, load

__all__ = [
    "AlertSettings",
    "CreatorSettings",
    "DestinationSettings",
    "DmpSettings",
    "Environment",
    "FolderSettings",
    "HttpSettings",
    "IntakeSettings",
    "LimitSettings",
    "MllpPeerSettings",
    "MllpSettings",
    "MssanteSettings",
    "PdfSettings",
    "RetentionSettings",
    "RetrySettings",
    "Settings",
    "StoreSettings",
    "SubjectSettings",
    "ValidationSettings",
    "ZamSettings",
    "at",
    "explain",
    "is_loopback",
    "load",
]
