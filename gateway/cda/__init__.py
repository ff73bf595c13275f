"""CDA R2: the French header, the unstructured (N1) and structured (N3) report, built and read, with checks.

Bytes and values in, bytes and values out; XML of strangers only through `gateway.cda.xml.parse`.
"""

from gateway.cda.builder import build_n1
from gateway.cda.built import AddedDocument, Built
from gateway.cda.checks import check, check_built
from gateway.cda.letter import letter
from gateway.cda.n3 import build_n3, n3_possible
from gateway.cda.order import build_order, order_possible
from gateway.cda.reader import embedded_pdf, read
from gateway.cda.reader_order import OrderBody, order_body
from gateway.cda.reader_order_parts import WantedAct
from gateway.cda.reader_parts import parse_ts
from gateway.cda.values import CdaEncounter, CdaHeader, CdaOrder, Party, ServiceEvent
from gateway.cda.view import html
from gateway.cda.xml import CdaError

__all__ = [
    "AddedDocument",
    "Built",
    "CdaEncounter",
    "CdaError",
    "CdaHeader",
    "CdaOrder",
    "OrderBody",
    "Party",
    "ServiceEvent",
    "WantedAct",
    "build_n1",
    "build_n3",
    "build_order",
    "check",
    "check_built",
    "embedded_pdf",
    "html",
    "letter",
    "n3_possible",
    "order_body",
    "order_possible",
    "parse_ts",
    "read",
]
