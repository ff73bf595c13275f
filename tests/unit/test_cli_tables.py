"""Tables of the command line: nothing is cut but for a terminal, and there what matters last."""

from gateway.cli.tables import table

ROWS = [
    {"id": 1, "state": "delivered", "recipient": "alain.dupont@test-ci-sis.mssante.fr", "next_try": None},
    {"id": 2, "state": "blocked", "recipient": "", "next_try": None},
]
COLUMNS = ("id", "state", "recipient", "next_try")


def test_a_line_is_as_long_as_it_needs_to_be() -> None:
    title, first, second = table(ROWS, COLUMNS)
    assert first.split() == ["1", "delivered", "alain.dupont@test-ci-sis.mssante.fr"]
    assert title.index("recipient") == first.index("alain")
    assert second == "2   blocked"


def test_a_column_in_which_no_row_says_anything_is_left_out() -> None:
    assert "next_try" not in table(ROWS, COLUMNS)[0]
    assert table([], COLUMNS) == ["id  state  recipient  next_try"], "the columns are told without rows"


def test_on_a_narrow_terminal_a_recipient_is_cut_and_a_state_is_not() -> None:
    lines = table(ROWS, COLUMNS, 30)
    assert all(len(line) <= 30 for line in lines)
    assert lines[1] == "1   delivered  alain.dupont@t…"


def test_a_line_never_goes_beyond_the_terminal() -> None:
    assert [len(line) <= 12 for line in table(ROWS, COLUMNS, 12)] == [True] * 3
