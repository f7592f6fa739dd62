"""No reply holds the run up: what a pattern that repeats phrases tries on a text grows with it, and does not explode.

`re` counts nothing, so a matcher of few lines goes its way, over the tree that `re` itself makes of a pattern.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from re import _constants as op  # type: ignore[attr-defined]  # as private as the tree, of which typeshed knows little
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from playact.actors import flaws
from playact.actors.flaws import Manners, Watch, meta_talk, role_swap
from playact.engine import Turn

Then = Callable[[int], None]
TOO_MANY = 200_000


def patterns() -> Iterator[re.Pattern[str]]:
    """All that the flaws are looked for with."""
    for module in pkgutil.iter_modules(flaws.__path__, f"{flaws.__name__}."):
        names = vars(importlib.import_module(module.name))
        yield from (value for value in names.values() if isinstance(value, re.Pattern))
    yield from (sign.pattern for sign in (*meta_talk._ALL, *meta_talk._IN_BRACKETS))


PATTERNS = list(dict.fromkeys(patterns()))


def repeats(tree: Any) -> Iterator[Any]:
    """What may stand any number of times in a pattern."""
    for kind, value in tree:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            if value[1] is op.MAXREPEAT:
                yield value[2]
            yield from repeats(value[2])
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from repeats(branch)
        elif kind is op.SUBPATTERN:
            yield from repeats(value[3])
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            yield from repeats(value[1])


def is_sign(tree: Any) -> bool:
    return len(tree) == 1 and tree[0][0] in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY)


REPEATING = [pattern for pattern in PATTERNS if not all(map(is_sign, repeats(parser.parse(pattern.pattern))))]


class Counted:
    """Tries all there is to try on a text from its beginning, as if nothing ever fitted in the end, and counts it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0

    def sequence(self, items: Any, at: int, then: Then) -> None:
        if not items:
            then(at)
            return
        (kind, value), rest = items[0], items[1:]
        follow: Then = then if not rest else lambda place: self.sequence(rest, place, then)
        self.steps += 1
        if self.steps > TOO_MANY:
            raise OverflowError
        if kind in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY):
            if at < len(self.text) and fits(kind, value, self.text[at]):
                follow(at + 1)
        elif kind is op.BRANCH:
            for branch in value[1]:
                self.sequence(list(branch), at, follow)
        elif kind is op.SUBPATTERN:
            self.sequence(list(value[3]), at, follow)
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            self.repeat(value, at, follow, 0)
        else:
            pytest.fail(f"a repeated pattern has {kind}, of which this test knows nothing")

    def repeat(self, value: Any, at: int, then: Then, times: int) -> None:
        least, most, body = value
        if most is op.MAXREPEAT or times < most:
            self.sequence(
                list(body), at, lambda place: self.repeat(value, place, then, times + 1) if place > at else None
            )
        if times >= least:
            then(at)


def fits(kind: Any, value: Any, sign: str) -> bool:
    if kind is op.ANY:
        return sign != "\n"
    if kind is op.IN:
        return re.fullmatch(in_class(value), sign) is not None
    return (chr(value) == sign) is (kind is op.LITERAL)


def in_class(items: Any) -> str:
    def text(kind: Any, value: Any) -> str:
        if kind is op.CATEGORY:
            return {op.CATEGORY_WORD: r"\w", op.CATEGORY_NOT_WORD: r"\W"}[value]
        if kind is op.NEGATE:
            return "^"
        return re.escape(chr(value)) if kind is op.LITERAL else f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"

    return f"[{''.join(text(kind, value) for kind, value in items)}]"


def steps(pattern: re.Pattern[str], text: str) -> int:
    counted = Counted(text)
    counted.sequence(list(parser.parse(pattern.pattern)), 0, lambda _: None)
    return counted.steps


def phrases(pattern: re.Pattern[str]) -> list[str]:
    return sorted(set(re.findall(r"[a-z']+(?: [a-z']+)*", re.sub(r"\\\w", " x", pattern.pattern))))


def test_few_patterns_repeat_more_than_a_sign() -> None:
    assert PATTERNS
    assert 0 < len(REPEATING) < len(PATTERNS) / 5


@pytest.mark.parametrize("begin", ["", "bye "])
@pytest.mark.parametrize("pattern", REPEATING, ids=lambda pattern: pattern.pattern[:20])
def test_twice_as_many_phrases_are_not_many_times_the_work(pattern: re.Pattern[str], begin: str) -> None:
    for one in phrases(pattern):
        for phrase in (f"{one} ", f"{one} again ", f"{one} too "):
            few, many = (steps(pattern, begin + phrase * times) for times in (6, 12))

            assert many < 9 * few, phrase


def test_a_goodbye_of_a_thousand_phrases_is_looked_at_in_no_time() -> None:
    """It took longer than anybody waits: 4 s for 22 of them, twice that for each one more."""
    watch = Watch("Alice", ("Bob",), None, Manners())
    talk = [Turn(speaker=name, text="Thank you again " * 1000) for name in ("Alice", "Bob")]

    flaws = watch.flaws_in(
        "Bye " + "and thanks again " * 1000 + "qq qq qq", [Turn(speaker="Alice", text="Bye!"), *talk]
    )

    assert "goodbye_loop" not in [flaw.kind for flaw in flaws]


@pytest.mark.parametrize("claim", ["I'm an AI i am ", "not I'm Ben i am ", "I'm Ben? ", "my name Hello Ana. "])
def test_many_names_in_a_reply_are_each_looked_at_in_their_neighbourhood(
    claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each claim the whole reply was read; a reply of twice the length took four times as long."""
    read: list[int] = []

    class Measured:
        def __init__(self, pattern: re.Pattern[str]) -> None:
            self.pattern = pattern

        def search(self, text: str, start: int = 0, end: int = sys.maxsize) -> re.Match[str] | None:
            read.append(min(end, len(text)) - start)
            return self.pattern.search(text, start, end)

    for name in ("_SUPPOSED", "_SIGNED", "_SENTENCE_END"):
        monkeypatch.setattr(role_swap, name, Measured(getattr(role_swap, name)))

    flaws = Watch("Ana", ("Ben",), None, Manners()).flaws_in("Ben " + claim * 500, [])

    assert "role_swap" not in [flaw.kind for flaw in flaws]
    assert max(read, default=0) <= 200


def test_the_count_sees_a_phrase_that_can_be_read_in_two_ways() -> None:
    pattern = re.compile(r"(?:(?:thank you|thank you again|again) )*bye")

    few, many = (steps(pattern, "thank you again " * times) for times in (6, 12))

    assert many > 30 * few
