"""Values that are kept: the last ones, in bytes, not in numbers."""

from gateway.model.kept import Kept


def test_the_oldest_goes_when_the_room_is_full() -> None:
    kept: Kept[str, str] = Kept(100)
    for key in "abcdefghijk":
        kept.put(key, key.upper(), 10)
    assert [kept.get(key) for key in "abk"] == [None, "B", "K"]


def test_what_would_fill_an_eighth_of_the_room_is_not_kept() -> None:
    kept: Kept[str, int] = Kept(80)
    kept.put("small", 1, 10)
    kept.put("large", 2, 11)
    assert (kept.get("small"), kept.get("large")) == (1, None)


def test_a_key_that_is_put_again_counts_once() -> None:
    kept: Kept[str, int] = Kept(80)
    for value in range(20):
        kept.put("same", value, 10)
    kept.put("other", 1, 10)
    assert (kept.get("same"), kept.get("other")) == (19, 1)
