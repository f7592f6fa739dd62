"""What was computed is found again by its tokens, once for all that begin alike, within its memory."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from playact.backends.huggingface.prefixes import Prefixes

TEXT = st.lists(st.integers(0, 2), min_size=1, max_size=12)


@dataclass(frozen=True)
class Run:
    """In the place of tensors: the tokens themselves, a byte each."""

    tokens: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return len(self.tokens)

    def split(self, tokens: int, /) -> tuple[Run, Run]:
        return Run(self.tokens[:tokens]), Run(self.tokens[tokens:])


def found(prefixes: Prefixes[Run], tokens: list[int], salt: str | None = None) -> list[int]:
    return [token for run, count in prefixes.longest(tokens, salt) for token in run.tokens[:count]]


def keep(prefixes: Prefixes[Run], tokens: list[int], salt: str | None = None) -> None:
    prefixes.insert(tokens, lambda start, stop: Run(tuple(tokens[start:stop])), salt)


def shared(one: list[int], other: list[int]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@settings(deadline=None)
@given(st.lists(TEXT, max_size=12), TEXT)
def test_the_longest_beginning_that_was_ever_kept_is_found(texts: list[list[int]], asked: list[int]) -> None:
    prefixes: Prefixes[Run] = Prefixes(10_000)

    for text in texts:
        keep(prefixes, text)

    longest = max((shared(text, asked) for text in texts), default=0)
    assert found(prefixes, asked) == asked[:longest]


@settings(deadline=None)
@given(st.lists(TEXT, max_size=12))
def test_what_texts_share_is_kept_once(texts: list[list[int]]) -> None:
    prefixes: Prefixes[Run] = Prefixes(10_000)

    for text in texts:
        keep(prefixes, text)

    distinct = {tuple(text[:length]) for text in texts for length in range(1, len(text) + 1)}
    assert prefixes.bytes == len(distinct)


@settings(deadline=None)
@given(st.lists(TEXT, max_size=30), st.integers(0, 20))
def test_memory_stays_within_its_limit_and_what_is_found_is_right(texts: list[list[int]], limit: int) -> None:
    prefixes: Prefixes[Run] = Prefixes(limit)

    for text in texts:
        keep(prefixes, text)
        again = found(prefixes, text)

        assert prefixes.bytes <= limit
        assert again == text[: len(again)]


def test_what_was_least_lately_of_use_goes_first() -> None:
    prefixes: Prefixes[Run] = Prefixes(6)
    keep(prefixes, [1, 1, 1])
    keep(prefixes, [2, 2, 2])
    found(prefixes, [1, 1, 1])

    keep(prefixes, [3, 3, 3])

    assert found(prefixes, [1, 1, 1]) == [1, 1, 1]
    assert found(prefixes, [2, 2, 2]) == []


def test_nothing_is_shared_between_salts() -> None:
    prefixes: Prefixes[Run] = Prefixes(100)
    keep(prefixes, [1, 2, 3], "steered")

    plain = found(prefixes, [1, 2, 3])

    assert plain == []
    assert found(prefixes, [1, 2, 3], "steered") == [1, 2, 3]
