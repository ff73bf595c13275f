"""A received PDF → PDF/A-1b that looks the same: each page as an image, its text unseen above it.

Whatever the page uses (fonts that are not embedded, transparency, forms, scripts) ends as pixels; words stay
where they were, so that they are found, marked and copied. pypdfium2 and pikepdf are imported on first use.
"""

import io
from datetime import datetime

from gateway.pdf import pictured
from gateway.pdf.shown import ConvertError, pages


def convert(data: bytes, timestamp: datetime, title: str = "") -> bytes:
    """The same pages as PDF/A-1b; same bytes, title and `timestamp`, same result. Raises ConvertError."""
    import pikepdf

    with pikepdf.new() as made:
        font = pictured.unseen_font(made)
        for page in pages(data):
            pictured.add(made, page, font)
        if not len(made.pages):
            raise ConvertError("no page")
        pictured.declare(made, timestamp, title)
        out = io.BytesIO()
        # Neither object streams nor compressed references exist in PDF 1.4 (ISO 19005-1 §6.1.4).
        made.save(
            out,
            force_version="1.4",
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            deterministic_id=True,
            compress_streams=False,
            fix_metadata_version=False,
        )
        return out.getvalue()
