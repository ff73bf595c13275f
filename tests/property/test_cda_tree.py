"""What we write is what libxml2 would write of the same elements, whatever the words in them."""

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.cda.tree import Element, paths, serialised

XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r&<>\"'"),
    max_size=12,
)
NAMES = st.sampled_from(("td", "content", "br", "id"))


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> tuple[str, dict[str, str], str, str, list[object]]:
    children = draw(st.lists(trees(depth=depth - 1), max_size=3)) if depth else []
    values = draw(st.dictionaries(st.sampled_from(("ID", "code", "root")), XML_TEXT, max_size=2))
    return draw(NAMES), values, draw(XML_TEXT | st.just("")), draw(XML_TEXT | st.just("")), list(children)


def both(node: object, ours: Element | None, theirs: etree._Element | None) -> tuple[Element, etree._Element]:
    tag, values, text, tail, children = node  # type: ignore[misc]
    mine = Element(tag, ours)
    other = etree.Element(tag) if theirs is None else etree.SubElement(theirs, tag)
    for key, value in values.items():
        mine.set(key, value)
        other.set(key, value)
    mine.text, other.text = text, text or None
    if ours is not None:
        mine.tail, other.tail = tail, tail or None
    for child in children:
        both(child, mine, other)
    return mine, other


@settings(max_examples=150)
@given(trees())
def test_the_bytes_are_those_of_libxml2(tree: object) -> None:
    ours, theirs = both(tree, None, None)
    assert serialised(ours).encode() == etree.tostring(theirs, encoding="UTF-8", pretty_print=True)


def _allowed(sign: str) -> bool:
    """XML 1.0 §2.2."""
    code = ord(sign)
    return sign in "\t\n\r" or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF


@given(st.text(max_size=20))
def test_characters_that_xml_cannot_hold_are_left_out_and_nothing_else(text: str) -> None:
    node = Element("td")
    node.text = text
    node.set("code", text)
    read = etree.fromstring(serialised(node).encode("utf-8"))
    allowed = "".join(filter(_allowed, text))
    assert (read.text or "") == allowed
    assert read.get("code") == allowed


def test_paths_have_indexes_only_among_siblings_of_one_name() -> None:
    root = Element("a")
    first, second, other = Element("b", root), Element("b", root), Element("c", root)
    inner = Element("d", second)
    named = dict(paths(root, [(first, "1"), (inner, "2"), (other, "3"), (root, "4")]))
    assert named == {"a/b[1]": "1", "a/b[2]/d": "2", "a/c": "3", "a": "4"}
