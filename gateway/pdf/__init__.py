"""One letter → PDF/A-1b, and the inspection of a received PDF.

typst and pikepdf are imported on first use. Bytes and values in, bytes and values out.
"""

from gateway.pdf.inspect import PdfFacts, inspect, looks_like_pdf
from gateway.pdf.letter import letter
from gateway.pdf.typeset import TypesetError, typeset

__all__ = ["PdfFacts", "TypesetError", "inspect", "letter", "looks_like_pdf", "typeset"]
