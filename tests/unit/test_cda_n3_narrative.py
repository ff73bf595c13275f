"""Plain text as blocks."""

import pytest

from gateway.model.narrative import Block, blocks_of, text_of

TEXTS: dict[str, tuple[Block, ...]] = {
    "one\ntwo\n\n\nthree": (Block(text="one\ntwo"), Block(text="three")),
    "Foie :\n- normal\n- homogène\nRate": (
        Block(text="Foie :"),
        Block(items=("normal", "homogène")),
        Block(text="Rate"),
    ),
    "- 2 nodules\n- 3 kystes": (Block(items=("2 nodules", "3 kystes")),),
    "écart\n- 3 mm": (Block(text="écart\n- 3 mm"),),
    "- a\n• b": (Block(text="- a\n• b"),),
    "-5 mm\n-6 mm": (Block(text="-5 mm\n-6 mm"),),
    "a\r\nb\u2028c": (Block(text="a\nb\nc"),),
    " \n\n": (),
    "": (),
}


@pytest.mark.parametrize("text", TEXTS)
def test_blank_lines_part_paragraphs_and_like_bullets_make_a_list(text: str) -> None:
    assert blocks_of(text) == TEXTS[text]


def test_blocks_as_plain_text() -> None:
    found = (
        Block(text="Mesures", heading=True),
        Block(text="Voir :", items=("a", "b"), ordered=True),
        Block(header=("x", "y"), rows=(("1", "2"),)),
    )
    assert text_of(found) == "Mesures\n\nVoir :\n1. a\n2. b\n\nx | y\n1 | 2"
