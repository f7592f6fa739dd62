"""Thoughts among words: each is found, and none is ever said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.engine.thinking import THINKING_PATTERN, Thinking


@pytest.mark.parametrize(
    ("text", "said", "thoughts"),
    [
        ("Hello.", "Hello.", ()),
        ("<think>Who is it?</think>Hello.", "Hello.", ("Who is it?",)),
        ("<think>\na\nb\n</think>\n\nHi <think>c</think>there", "\n\nHi there", ("a\nb", "c")),
        ("<think></think>Hello.", "Hello.", ()),
        ("<think>I was cut o", "", ("I was cut o",)),
        ("Hello. <think>I was cut o", "Hello. ", ("I was cut o",)),
        ("opened by the template</think>Hello.", "Hello.", ("opened by the template",)),
        ("a</think>b<think>c</think>d<think>e", "bd", ("a", "c", "e")),
        ("<think>a<think>b</think>c</think>d", "d", ("c", "a<think>b")),
        ("<think>", "", ()),
        ("</think>", "", ()),
    ],
)
def test_words_and_thoughts_part_ways(text: str, said: str, thoughts: tuple[str, ...]) -> None:
    assert Thinking.of(THINKING_PATTERN).split(text) == (said, thoughts)


pieces = st.lists(st.sampled_from(["<think>", "</think>", "a", " ", "\n", "<", "think>", "é"]), max_size=14).map(
    "".join
)


@given(pieces)
def test_no_tag_is_ever_said_and_no_thought_is_empty(text: str) -> None:
    said, thoughts = Thinking.of(THINKING_PATTERN).split(text)

    assert "<think>" not in said
    assert "</think>" not in said
    assert all(thought == thought.strip() != "" for thought in thoughts)


@given(st.text(alphabet="abc <>/", max_size=30))
def test_a_text_without_thoughts_stays_as_it_is(text: str) -> None:
    assert Thinking.of(THINKING_PATTERN).split(text) == (text, ())


@pytest.mark.parametrize(
    ("pattern", "text", "said", "thoughts"),
    [
        (r"\[\[(.*?)\]\]", "[[hm]]Hi", "Hi", ("hm",)),
        (r"\[\[(.*?)\]\]", "Hi [[hm", "Hi ", ("hm",)),
        (r"\*[^*]+\*", "*smiles* Hi", " Hi", ("*smiles*",)),
        (r"<a>(.*?)</a>|<b>(.*?)</b>", "<a>1</a><b>2</b>Hi", "Hi", ("1", "2")),
        (r"(?i)<think>(.*?)</think>", "<THINK>1</THINK>Hi", "Hi", ("1",)),
    ],
)
def test_a_pattern_of_ones_own_finds_other_thoughts(
    pattern: str, text: str, said: str, thoughts: tuple[str, ...]
) -> None:
    assert Thinking.of(pattern).split(text) == (said, thoughts)


@pytest.mark.parametrize(("pattern", "message"), [("(", "no regular expression"), ("x*", "where"), ("", "where")])
def test_what_is_no_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Thinking.of(pattern)
