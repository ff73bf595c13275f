"""A letter → PDF/A-1b, with typst.

One compiler per thread: it keeps fonts and the evaluated template; the letter comes to it as the text of a
main file, since other inputs would make typst build its library anew (a fifth of a page's time). Only the
fonts inside typst are used, so that every machine sets the same page. typst is imported on first use.
"""

import json
import os
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.model.letter import Letter
from gateway.pdf import typography

_MAIN = '#import "letter.typ": page-of\n#page-of(json(bytes("{}")))'
_per_thread = threading.local()


class TypesetError(Exception):
    """The letter cannot be set; a fault of the template or of typst, never of the report's text."""


def typeset(letter: Letter, timestamp: datetime) -> bytes:
    """The letter as PDF/A-1b with text, title and language; same letter and `timestamp`, same bytes.

    `timestamp` becomes the document's creation date. Raises TypesetError.
    """
    compiler = _compiler()
    import typst

    data = json.dumps(typography.page(letter), ensure_ascii=False, separators=(",", ":"))
    # Inside a typst string only these two signs are not themselves; JSON has no bare control characters.
    literal = data.replace("\\", "\\\\").replace('"', '\\"')
    try:
        pdf: bytes = compiler.compile(
            _MAIN.replace("{}", literal).encode("utf-8", "replace"),
            format="pdf",
            pdf_standards="a-1b",
            timestamp=int(timestamp.timestamp()),
        )
    except typst.TypstError as error:
        raise TypesetError(error.message) from None
    return pdf


def _compiler() -> Any:
    """This thread's compiler, made on first use; it reads files of this folder only."""
    kept = getattr(_per_thread, "compiler", None)
    if kept is None:
        # typst would start a thread per core for one page; workers are processes already.
        os.environ.setdefault("RAYON_NUM_THREADS", "1")
        import typst

        root = Path(__file__).parent
        kept = _per_thread.compiler = typst.Compiler(ignore_system_fonts=True, root=root)
    return kept
