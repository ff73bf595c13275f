"""HL7 v2 on the wire: ER7 reader and writer, MLLP framing, acknowledgements, constants of the CI-SIS volets.

Bytes in, values out, and back; no socket, no clock. `read` keeps every byte of a message.
"""

from gateway.hl7v2.ack import Ack, AckCode, Reply, acknowledge, read_ack, refuse, reply_to
from gateway.hl7v2.batch import answer_several, miscounted, split_batch
from gateway.hl7v2.er7 import Base64Error, Message, NotHl7Error, Segment, read, read_header
from gateway.hl7v2.mllp import (
    Event,
    Frame,
    Framer,
    FramerOptions,
    Junk,
    TooLarge,
    Truncated,
    TruncationReason,
    wrap,
)
from gateway.hl7v2.times import Precision, format_dtm, has_offset, parse_date, parse_dtm, precision

__all__ = [
    "Ack",
    "AckCode",
    "Base64Error",
    "Event",
    "Frame",
    "Framer",
    "FramerOptions",
    "Junk",
    "Message",
    "NotHl7Error",
    "Precision",
    "Reply",
    "Segment",
    "TooLarge",
    "Truncated",
    "TruncationReason",
    "acknowledge",
    "answer_several",
    "format_dtm",
    "has_offset",
    "miscounted",
    "parse_date",
    "parse_dtm",
    "precision",
    "read",
    "read_ack",
    "read_header",
    "refuse",
    "reply_to",
    "split_batch",
    "wrap",
]
