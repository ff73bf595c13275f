"""HL7 v2 on the wire: ER7 reader and writer, MLLP framing, acknowledgements, constants of the CI-SIS volets.

Bytes in, values out, and back; no socket, no clock. `read` keeps every byte of a message.
"""

from gateway.hl7v2.er7 import Base64Error, Message, NotHl7Error, Segment, read
from gateway.hl7v2.times import format_dtm, has_offset, parse_date, parse_dtm, precision

__all__ = [
    "Base64Error",
    "Message",
    "NotHl7Error",
    "Segment",
    "format_dtm",
    "has_offset",
    "parse_date",
    "parse_dtm",
    "precision",
    "read",
]
