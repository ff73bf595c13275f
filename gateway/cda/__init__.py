"""CDA R2: the French header and the unstructured report (N1), built and read; checks that official rules miss.

Bytes and values in, bytes and values out; XML of strangers only through `gateway.cda.xml.parse`.
"""

from gateway.cda.reader import embedded_pdf, read
from gateway.cda.reader_parts import parse_ts
from gateway.cda.values import CdaEncounter, CdaHeader, CdaOrder, Party, ServiceEvent
from gateway.cda.xml import CdaError

__all__ = [
    "CdaEncounter",
    "CdaError",
    "CdaHeader",
    "CdaOrder",
    "Party",
    "ServiceEvent",
    "embedded_pdf",
    "parse_ts",
    "read",
]
