"""The window over copies."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from claude_comm.delivery.dedup import Window, mark_of, member
from claude_comm.names import check_name

# Names of modules, as their own check has them.
_NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", fullmatch=True).map(check_name)


def test_a_message_is_open_until_it_is_handled_or_released_and_then_a_copy_or_new() -> None:
    window, one = Window(10), mark_of("a", "1")
    assert [window.standing(one), window.standing(one)] == ["new", "open"]
    window.released(one)
    assert window.standing(one) == "new"
    window.handled(one)
    assert (window.standing(one), window.is_open(one)) == ("copy", False)


def test_the_window_forgets_what_was_handled_longest_ago() -> None:
    window = Window(2)
    for number in range(3):
        window.handled(mark_of("a", str(number)))
    assert [window.standing(mark_of("a", str(number))) for number in range(3)] == ["new", "copy", "copy"]


def test_of_a_large_window_an_eighth_more_is_remembered_at_most() -> None:
    window = Window(80)
    for number in range(1_000):
        window.handled(mark_of("a", str(number)))
        assert window.standing(mark_of("a", str(max(number - 79, 0)))) == "copy"
    assert window.standing(mark_of("a", str(1_000 - 91))) == "new"


def test_threads_that_forget_at_once_fail_nobody() -> None:
    """While one thread has copied what it looks at, another forgets, and a third gives some back."""

    class Shrinking(dict[str, None]):
        def __iter__(self) -> Iterator[str]:
            copied = list(super().__iter__())
            self.clear()
            return iter(copied)

    window = Window(2)
    window._handled = Shrinking({mark_of("a", str(number)): None for number in range(2)})
    window.handled(mark_of("a", "last"))


def test_many_are_new_together_or_nothing_has_changed() -> None:
    window = Window(10)
    window.handled(mark_of("a", "handled"))
    assert window.standing(mark_of("a", "open")) == "new"
    for copy in ("handled", "open", "1"):
        assert not window.all_new([mark_of("a", "1"), mark_of("a", copy)])
        assert not window.is_open(mark_of("a", "1"))
    assert window.all_new([mark_of("a", "1"), mark_of("a", "2")])
    assert [window.standing(mark_of("a", name)) for name in ("1", "2")] == ["open", "open"]


def test_what_was_reported_and_not_done_is_new_again() -> None:
    window, one = Window(10), mark_of("a", "1")
    window.handled(one)
    window.undone(one)
    window.undone(mark_of("a", "never seen"))
    assert window.standing(one) == "new"


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_no_two_messages_are_one_member(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (member(one) == member(other)) == (one == other)


@given(st.tuples(_NAMES, st.text()), st.tuples(_NAMES, st.text()))
def test_no_two_messages_have_one_mark(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (mark_of(*one) == mark_of(*other)) == (one == other)
