"""A reply comes in pieces of any size, and is taken apart the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.backends.reply_text import ReplyText
from playact.engine.completion import ToolCall
from playact.engine.errors import ReplyInvalid

CALL = '<tool_call>\n{"name": "clock", "arguments": {"city": "Oslo"}}\n</tool_call>'


def read(*pieces: str, in_thought: bool = False, has_tools: bool = True) -> ReplyText:
    reply = ReplyText("test", in_thought=in_thought, has_tools=has_tools)
    for place, piece in enumerate(pieces):
        reply.feed(piece, is_last=place == len(pieces) - 1)
    return reply


def test_thoughts_words_and_calls_are_told_apart() -> None:
    reply = read(f"<think>\n Hm. \n</think>\n\nLet me see.\n{CALL}\n{CALL}")

    assert reply.thinking == "Hm."
    assert reply.text == "Let me see.\n"
    assert reply.tool_calls == (
        ToolCall("call-1", "clock", '{"city": "Oslo"}'),
        ToolCall("call-2", "clock", '{"city": "Oslo"}'),
    )


def test_a_thought_that_the_prompt_has_begun_ends_at_its_tag() -> None:
    reply = read("Hm.</think>Yes.", in_thought=True)

    assert (reply.thinking, reply.text) == ("Hm.", "Yes.")


def test_what_is_cut_off_while_thinking_was_thought() -> None:
    reply = read("<think>Hm, let me")

    assert (reply.thinking, reply.text) == ("Hm, let me", "")


def test_a_call_that_is_cut_off_is_none() -> None:
    assert read(f"Wait. {CALL[:30]}").tool_calls == ()


def test_without_tools_a_call_is_but_words() -> None:
    assert read(CALL, has_tools=False).text == CALL


@pytest.mark.parametrize("written", ["{", "[]", '"clock"', '{"arguments": {}}'])
def test_a_call_that_cannot_be_read_is_an_invalid_reply(written: str) -> None:
    with pytest.raises(ReplyInvalid, match="cannot be read"):
        read(f"<tool_call>{written}</tool_call>")


def test_a_call_without_arguments_has_none() -> None:
    assert read('<tool_call>{"name": "clock"}</tool_call>').tool_calls == (ToolCall("call-1", "clock", "{}"),)


PARTS = st.sampled_from(["<think>", "</think>", CALL, "<tool", "_call>", "<", " \n", "Hm.", "Yes, ", "é👩‍👩‍👧", "</"])


@given(st.lists(PARTS, max_size=8), st.lists(st.integers(0, 200), max_size=12), st.booleans())
def test_however_it_is_cut_it_comes_to_the_same(parts: list[str], cuts: list[int], in_thought: bool) -> None:
    text = "".join(parts)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]

    try:
        whole = read(text, in_thought=in_thought)
    except ReplyInvalid:
        with pytest.raises(ReplyInvalid):
            read(*pieces, in_thought=in_thought)
        return
    cut = read(*pieces, in_thought=in_thought)

    assert (cut.text, cut.thinking, cut.tool_calls) == (whole.text, whole.thinking, whole.tool_calls)


@given(st.lists(PARTS, max_size=8))
def test_the_pieces_given_are_the_whole_that_is_kept(parts: list[str]) -> None:
    reply = ReplyText("test", in_thought=False, has_tools=False)

    given_parts = [reply.feed(part) for part in parts] + [reply.feed("", is_last=True)]

    assert "".join(part.text for part in given_parts) == reply.text
    assert "".join(part.thinking for part in given_parts) == reply.thinking
