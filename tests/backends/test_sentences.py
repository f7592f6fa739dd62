"""A reply that was cut off ends with its last whole sentence, whole and streamed alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.backends.sentences import WholeSentences, whole_sentences

texts = st.text(st.sampled_from("ab .!?…\"')\n3"), max_size=40)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("It is fine. I thi", "It is fine."),
        ("It costs 3.14 and", "It costs 3.14 and"),
        ('"Really?" she said, "no', '"Really?"'),
        ("No end at all", "No end at all"),
        ("Done.", "Done."),
        ("", ""),
    ],
)
def test_the_last_whole_sentence_is_the_end(text: str, whole: str) -> None:
    assert whole_sentences(text) == whole


@given(texts, st.lists(st.integers(min_value=1, max_value=7), min_size=1), st.booleans())
def test_a_stream_comes_to_the_same(text: str, sizes: list[int], is_cut: bool) -> None:
    sentences, given, rest, turn = WholeSentences(), "", text, 0

    while rest:
        size = sizes[turn % len(sizes)]
        given += sentences.add(rest[:size])
        rest, turn = rest[size:], turn + 1
    given += sentences.end(is_cut=is_cut)

    assert given == (whole_sentences(text) if is_cut else text)


def test_a_sentence_is_given_as_soon_as_it_is_sure_to_be_whole() -> None:
    sentences = WholeSentences()

    assert sentences.add("It is 3.") == ""
    assert sentences.add("14. Is") == "It is 3.14."
    assert sentences.end(is_cut=True) == ""
