"""MSSanté: the mail that carries a report to a professional or to the patient, as bytes.

`gateway.connectors.smtp` sends it; the archive inside comes from `gateway.xds.xdm`.
"""

from typing import TYPE_CHECKING, Any

from gateway.mssante.address import patient_address, trusted

if TYPE_CHECKING:
    from gateway.mssante.build import MailError, MailRequest, mail

__all__ = ["MailError", "MailRequest", "mail", "patient_address", "trusted"]


def __getattr__(name: str) -> Any:
    """The mail itself is imported on first use: intake asks for addresses only."""
    if name not in ("MailError", "MailRequest", "mail"):
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module("gateway.mssante.build"), name)
