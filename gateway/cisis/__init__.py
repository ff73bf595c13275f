"""The CI-SIS profile of sharing and exchange: CDA header → DocumentEntry, sender → SubmissionSet.

Code derivations stand in `tables`, as data with their sources; generic XDS in `gateway.xds`.
"""

from gateway.cisis.entry import document_entry
from gateway.cisis.exchange import archive, exchange
from gateway.cisis.findings import CisisError
from gateway.cisis.submission import submission

__all__ = ["CisisError", "archive", "document_entry", "exchange", "submission"]
