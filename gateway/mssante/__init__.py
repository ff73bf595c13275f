"""MSSanté: the mail that carries a report to a professional or to the patient, as bytes.

`gateway.connectors.smtp` sends it; the archive inside comes from `gateway.xds.xdm`.
"""

from gateway.mssante.address import patient_address, trusted
from gateway.mssante.mail import MailError, MailRequest, mail

__all__ = ["MailError", "MailRequest", "mail", "patient_address", "trusted"]
