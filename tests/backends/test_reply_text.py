"""A reply comes in pieces of any size, and is taken apart the same."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.backends.reply_text import ReplyText
from playact.engine.completion import ToolCall
from playact.engine.errors import ReplyInvalid

CALL = '<tool_call>\n{"name": "clock", "arguments": {"city": "Oslo"}}\n</tool_call>'
SEVERAL = '[TOOL_CALLS][{"name": "clock", "arguments": {"city": "Oslo"}}, {"name": "stop", "arguments": {}}]'


def read(*pieces: str, in_thought: bool = False, has_tools: bool = True, stop: tuple[str, ...] = ()) -> ReplyText:
    reply = ReplyText("test", in_thought=in_thought, has_tools=has_tools, stop=stop)
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


@pytest.mark.parametrize(
    ("reply", "thinking", "text"),
    [
        ("Hello.", "", "Hello."),
        ("<think>\nA greeting.\n</think>\n\nHello.", "A greeting.", "Hello."),
        (" <think></think>Hello.", "", "Hello."),
        ("<think>Hm.</think><think> Well.</think>Hello.", "Hm. Well.", "Hello."),
        ("<think>Hm, let me", "Hm, let me", ""),
        ("I <think> so.", "", "I <think> so."),
        ("<thin ice", "", "<thin ice"),
        ("<thi", "", "<thi"),
        (" \n", "", " \n"),
    ],
)
def test_a_thought_stands_at_the_beginning(reply: str, thinking: str, text: str) -> None:
    for read_reply in (read(reply), read(*reply)):
        assert (read_reply.thinking, read_reply.text) == (thinking, text)


def test_a_thought_that_the_prompt_has_begun_ends_at_its_tag() -> None:
    reply = read("Hm.</think>Yes.", in_thought=True)

    assert (reply.thinking, reply.text) == ("Hm.", "Yes.")


def test_it_is_thinking_until_the_thought_is_closed() -> None:
    reply = ReplyText("test", in_thought=True)

    assert reply.is_thinking
    reply.feed("Hm.</think>")
    assert not reply.is_thinking


def test_the_first_stop_string_ends_the_words_but_not_the_thought() -> None:
    reply = read("<think>One\nTwo</think>", "Three", "\nFour END", stop=("END", "\n"))

    assert (reply.thinking, reply.text, reply.is_stopped) == ("One\nTwo", "Three", True)


def test_a_reply_that_is_json_but_no_call_ends_at_a_stop_string_too() -> None:
    reply = read('{"a": 1}', " END more", stop=("END",))

    assert (reply.text, reply.is_stopped) == ('{"a": 1} ', True)


@pytest.mark.parametrize(
    "written",
    [
        CALL,
        '<tool_call>{"name": "clock", "arguments": {"city": "Oslo"}}\n',
        '<tool_call>[{"name": "clock", "arguments": {"city": "Oslo"}}]</tool_call>',
        '{"name": "clock", "parameters": {"city": "Oslo"}}',
        ' [{"name": "clock", "arguments": {"city": "Oslo"}}]',
        '[TOOL_CALLS][{"name": "clock", "arguments": {"city": "Oslo"}}]',
        '{"type": "function", "function": {"name": "clock", "arguments": "{\\"city\\": \\"Oslo\\"}"}}',
    ],
)
def test_the_usual_forms_of_a_call_are_known(written: str) -> None:
    for reply in (read(written), read(*written)):
        (call,) = reply.tool_calls

        assert (call.id, call.name, json.loads(call.arguments)) == ("call-1", "clock", {"city": "Oslo"})
        assert reply.text == ""


def test_several_calls_at_once_have_names_of_their_own() -> None:
    assert [(call.id, call.name) for call in read(SEVERAL).tool_calls] == [("call-1", "clock"), ("call-2", "stop")]


def test_a_call_that_is_cut_off_is_none() -> None:
    assert read(f"Wait. {CALL[:30]}").tool_calls == ()


def test_without_tools_a_call_is_but_words() -> None:
    assert read(CALL, has_tools=False).text == CALL


@pytest.mark.parametrize("reply", ['{"name": "clock"}', '["no call"]', "{}", "[", "{broken", '"clock"'])
def test_what_only_looks_like_a_call_is_text(reply: str) -> None:
    assert (read(reply).text, read(reply).tool_calls) == (reply, ())


@pytest.mark.parametrize("written", ["{", "[]", '"clock"', '{"arguments": {}}', "[" * 100_000])
def test_a_call_that_cannot_be_read_is_an_invalid_reply(written: str) -> None:
    for reply in (f"<tool_call>{written}</tool_call>", f"[TOOL_CALLS]{written}"):
        with pytest.raises(ReplyInvalid, match="cannot be read"):
            read(reply)


def test_a_call_without_arguments_has_none() -> None:
    assert read('<tool_call>{"name": "clock"}</tool_call>').tool_calls == (ToolCall("call-1", "clock", "{}"),)


PARTS = st.sampled_from(
    [
        *("<think>", "</think>", CALL, SEVERAL, "<tool", "_call>", "[TOOL", "<", "{", "[", " \n", "Hm.", "Yes, "),
        *("é👩‍👩‍👧", "</", "END", "EN"),
    ]
)


@given(st.lists(PARTS, max_size=8), st.lists(st.integers(0, 200), max_size=12), st.booleans(), st.booleans())
def test_however_it_is_cut_it_comes_to_the_same(
    parts: list[str], cuts: list[int], in_thought: bool, has_tools: bool
) -> None:
    text = "".join(parts)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]

    try:
        whole = read(text, in_thought=in_thought, has_tools=has_tools, stop=("END",))
    except ReplyInvalid:
        with pytest.raises(ReplyInvalid):
            read(*pieces, in_thought=in_thought, has_tools=has_tools, stop=("END",))
        return
    cut = read(*pieces, in_thought=in_thought, has_tools=has_tools, stop=("END",))

    for name in ("text", "thinking", "tool_calls", "is_stopped"):
        assert getattr(cut, name) == getattr(whole, name)
    assert "END" not in whole.text


@given(st.lists(PARTS, max_size=8), st.booleans())
def test_the_pieces_given_are_the_whole_that_is_kept(parts: list[str], has_stop: bool) -> None:
    reply = ReplyText("test", stop=("END",) if has_stop else ())

    given_parts = [reply.feed(part) for part in parts] + [reply.feed("", is_last=True)]

    assert "".join(part.text for part in given_parts) == reply.text
    assert "".join(part.thinking for part in given_parts) == reply.thinking
