"""One letter → PDF/A-1b; the inspection of a received PDF, and PDF/A-1b made of it.

typst, pikepdf and pypdfium2 are imported on first use. Bytes and values in, bytes and values out.
"""

from gateway.pdf.convert import convert
from gateway.pdf.inspect import PdfFacts, inspect, looks_like_pdf
from gateway.pdf.letter import letter
from gateway.pdf.shown import ConvertError
from gateway.pdf.typeset import TypesetError, typeset

__all__ = [
    "ConvertError",
    "PdfFacts",
    "TypesetError",
    "convert",
    "inspect",
    "letter",
    "looks_like_pdf",
    "typeset",
]
