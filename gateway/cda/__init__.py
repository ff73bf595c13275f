"""CDA R2: the French header and the unstructured report (N1), built and read, with own checks.

Bytes and values in, bytes and values out; XML of strangers only through `gateway.cda.xml.parse`.
"""

from gateway.cda.builder import Built, build_n1
from gateway.cda.checks import check
from gateway.cda.reader import embedded_pdf, read
from gateway.cda.reader_parts import parse_ts
from gateway.cda.values import CdaEncounter, CdaHeader, CdaOrder, Party, ServiceEvent
from gateway.cda.xml import CdaError

__all__ = [
    "Built",
    "CdaEncounter",
    "CdaError",
    "CdaHeader",
    "CdaOrder",
    "Party",
    "ServiceEvent",
    "build_n1",
    "check",
    "embedded_pdf",
    "parse_ts",
    "read",
]
