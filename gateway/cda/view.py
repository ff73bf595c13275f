"""Any CDA → one HTML page that people can read, in French: header, sections, attached documents.

Self-contained and inert: no script, no outside resource, every text escaped, links only to the web and mail.
"""

from collections.abc import Callable
from html import escape
from typing import Final

from gateway.cda.letter import letter, signed
from gateway.cda.reader import body_pdf, document
from gateway.cda.reader_people import author
from gateway.cda.tree import Element, descendants
from gateway.cda.view_style import STYLE
from gateway.cda.xml import attribute, child, children, local, text
from gateway.model.letter import Letter
from gateway.model.wording import Rows

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; object-src data:; frame-src data:"
)
_LINKS: Final = ("https://", "http://", "mailto:")
_SHOWN: Final = frozenset({"application/pdf", "image/png", "image/jpeg", "text/plain"})
"""Media that a link may offer; another type is named, not linked."""

_BLOCKS: Final = frozenset(("paragraph", "list", "table"))

_TAGS: Final[dict[str, str]] = {
    **{tag: tag for tag in ("table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "sub", "sup")},
    "paragraph": "p",
    "content": "span",
    "item": "li",
    "footnote": "small",
    "footnoteRef": "sup",
}
"""Narrative element → HTML element; another one gives only its words."""

_STYLES: Final[dict[str, str]] = {
    "bold": "b",
    "italics": "i",
    "bolditalics": "b i",
    "underline": "u",
    "emphasis": "i",
}


def html(data: bytes) -> bytes:
    """The page (UTF-8). Raises CdaError when `data` is no CDA."""
    root = document(data)
    page = letter(data)
    media = _media(root)
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="{escape(page.language, quote=True)}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(page.title)}</title><style>{STYLE}</style></head><body><main>",
        _head(page),
        _body(root, page, media),
        _foot(page),
        "</main></body></html>\n",
    ]
    return "\n".join(parts).encode()


def _head(page: Letter) -> str:
    sender = "".join(f"<span>{escape(line)}</span>" for line in page.sender[1:])
    title = f"<strong>{escape(page.sender[0])}</strong>" if page.sender else ""
    recipients = "<br>".join(map(escape, page.recipients))
    to = f'<div class="to"><h2>Destinataires</h2>{recipients}</div>' if recipients else ""
    return (
        f"<header><address>{title}{sender}</address></header>"
        f'<div class="who"><section class="patient" aria-label="Patient">{_rows(page.identity)}</section>{to}'
        f"</div><h1>{escape(page.title)}</h1>{_rows(page.exam)}"
    )


def _rows(rows: Rows) -> str:
    lines = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in rows)
    return f"<dl>{lines}</dl>" if lines else ""


def _foot(page: Letter) -> str:
    lines = "<br>".join(map(escape, page.signature))
    return f'<p class="signature">{lines}</p><footer>{escape(page.footer)}</footer>'


def _body(root: Element, page: Letter, media: dict[str, tuple[str, str]]) -> str:
    structured = child(root, "component/structuredBody")
    if structured is not None:
        return "".join(_sections(structured, 2, media))
    pdf = child(root, "component/nonXMLBody/text")
    if pdf is not None and body_pdf(root) is not None:
        return _attached("Compte rendu", "application/pdf", "".join(pdf.text.split()))
    return (
        "".join(
            f"<section><h2>{escape(section.title)}</h2>"
            + "".join(f"<p>{_breaks(words)}</p>" for words in section.paragraphs)
            + "</section>"
            for section in page.sections
        )
        or "<p>Le corps de ce document ne peut pas être affiché.</p>"
    )


def _breaks(words: str) -> str:
    return escape(words).replace("\n", "<br>")


def _sections(parent: Element, level: int, media: dict[str, tuple[str, str]]) -> list[str]:
    parts = []
    for component in children(parent, "component"):
        section = child(component, "section")
        if section is None:
            continue
        title = text(child(section, "title")) or attribute(child(section, "code"), "displayName")
        authors = "".join(
            f'<p class="author">{escape(signed(author(node)))}</p>' for node in children(section, "author")
        )
        narrative = child(section, "text")
        words = _content(narrative, media) if narrative is not None else ""
        heading = f"h{min(level, 4)}"
        parts.append(
            f"<section><{heading}>{escape(title)}</{heading}>{authors}{words}"
            f"{''.join(_sections(section, level + 1, media))}</section>"
        )
    return parts


def _content(node: Element, media: dict[str, tuple[str, str]]) -> str:
    """Words and elements inside a narrative element; white space that only indents markup is dropped."""
    parts = [_words(node.text)]
    for part in node.children:
        parts += [_element(part, media), _words(part.tail)]
    return "".join(parts)


def _words(raw: str) -> str:
    if not raw.strip() and "\n" in raw:
        return ""
    return escape(raw)


def _element(node: Element, media: dict[str, tuple[str, str]]) -> str:
    kind = local(node)
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(node, media)
    inner = _content(node, media)
    tag = _TAGS.get(kind)
    if tag is None:
        return inner
    for style in _STYLES.get(attribute(node, "styleCode").lower(), "").split():
        inner = f"<{style}>{inner}</{style}>"
    spans = "".join(
        f' {key}="{value}"' for key in ("colspan", "rowspan") if (value := attribute(node, key)).isdecimal()
    )
    return f"<{tag}{spans}>{inner}</{tag}>" if tag != "span" else inner


def _break(node: Element, media: dict[str, tuple[str, str]]) -> str:
    return "<br>"


def _list(node: Element, media: dict[str, tuple[str, str]]) -> str:
    """A list whose only item holds blocks is a frame: its content stands alone."""
    items = list(children(node, "item"))
    caption = child(node, "caption")
    title = f"<p>{_content(caption, media)}</p>" if caption is not None else ""
    if len(items) == 1 and any(part.tag in _BLOCKS for part in items[0].children):
        return title + _content(items[0], media)
    tag = "ol" if attribute(node, "listType") == "ordered" else "ul"
    inner = "".join(f"<li>{_content(item, media)}</li>" for item in items)
    return f"{title}<{tag}>{inner}</{tag}>"


def _link(node: Element, media: dict[str, tuple[str, str]]) -> str:
    target = attribute(node, "href")
    inner = _content(node, media) or escape(target)
    if not target.lower().startswith(_LINKS):
        return inner
    return f'<a href="{escape(target, quote=True)}" rel="noopener noreferrer">{inner}</a>'


def _render(node: Element, media: dict[str, tuple[str, str]]) -> str:
    kind, packed = media.get(attribute(node, "referencedObject"), ("", ""))
    return _attached("Document joint", kind, packed) if packed else "<i>Document joint absent</i>"


_SPECIAL: Final[dict[str, Callable[[Element, dict[str, tuple[str, str]]], str]]] = {
    "br": _break,
    "list": _list,
    "linkHtml": _link,
    "renderMultiMedia": _render,
}


def _media(root: Element) -> dict[str, tuple[str, str]]:
    """ID of each observationMedia → (media type, Base64 without white space)."""
    found = {}
    for node in descendants(root):
        value = child(node, "value") if node.tag == "observationMedia" else None
        if value is not None and attribute(value, "representation") == "B64":
            packed = "".join(value.text.split())
            found[attribute(node, "ID")] = (attribute(value, "mediaType"), packed)
    return found


_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


def _attached(title: str, kind: str, packed: str) -> str:
    """A document inside: shown where the browser can, and as a link to keep it."""
    if kind not in _SHOWN or not _BASE64.issuperset(packed):
        return f"<i>{escape(title)} ({escape(kind) or 'type inconnu'})</i>"
    address = f"data:{kind};base64,{packed}"
    ending = {"application/pdf": "pdf", "text/plain": "txt"}.get(kind, kind.rpartition("/")[2])
    link = f'<a download="document.{ending}" href="{address}">{escape(title)} (enregistrer)</a>'
    if kind.startswith("image/"):
        shown = f'<img alt="{escape(title, quote=True)}" src="{address}">'
    else:
        shown = f'<embed type="{kind}" src="{address}">'
    return f"<figure>{shown}<figcaption>{link}</figcaption></figure>"
