"""A reply is taken apart the same, in whatever pieces it comes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playact.backends.huggingface.reading import Reader, tool_calls_in

CALL = '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>'
BITS = st.sampled_from(
    ["<think>", "</think>", "<thi", "END", "EN", "<tool_call>", "word ", "\n", "é🚀", CALL, "{", " "]
)


def read(pieces: list[str], stop: tuple[str, ...] = (), *, calls_tools: bool = False) -> Reader:
    reader = Reader(stop, calls_tools=calls_tools)
    for piece in pieces:
        before = reader.text, reader.thinking
        reader.feed(piece)
        assert reader.text.startswith(before[0])
        assert reader.thinking.startswith(before[1])
    reader.finish("call_0")
    return reader


@settings(deadline=None)
@given(st.lists(BITS, max_size=12), st.booleans())
def test_pieces_make_no_difference_and_what_was_given_out_stays(bits: list[str], calls_tools: bool) -> None:
    reply = "".join(bits)

    whole = read([reply], ("END",), calls_tools=calls_tools)
    letters = read(list(reply), ("END",), calls_tools=calls_tools)

    for name in ("text", "thinking", "tool_calls", "is_stopped"):
        assert getattr(whole, name) == getattr(letters, name)
    assert "END" not in whole.text or whole.tool_calls == ()


@pytest.mark.parametrize(
    ("reply", "thinking", "text"),
    [
        ("Hello.", "", "Hello."),
        ("<think>\nA greeting.\n</think>\n\nHello.", "A greeting.", "Hello."),
        (" <think></think>Hello.", "", "Hello."),
        ("<think>It never ends", "It never ends", ""),
        ("I <think> so.", "", "I <think> so."),
        ("<thin ice", "", "<thin ice"),
        ("<thi", "", "<thi"),
    ],
)
def test_thinking_at_the_beginning_is_told_from_words(reply: str, thinking: str, text: str) -> None:
    reader = read([reply])

    assert (reader.thinking, reader.text) == (thinking, text)


def test_the_first_stop_string_ends_the_words_but_not_the_thinking() -> None:
    reader = read(["<think>One\nTwo</think>", "Three", "\nFour END"], ("END", "\n"))

    assert (reader.thinking, reader.text, reader.is_stopped) == ("One\nTwo", "Three", True)


@pytest.mark.parametrize(
    "reply",
    [
        CALL,
        '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n',
        '<tool_call>[{"name": "add", "arguments": {"a": 1}}]</tool_call>',
        '{"name": "add", "parameters": {"a": 1}}',
        '[TOOL_CALLS][{"name": "add", "arguments": {"a": 1}}]',
        '{"type": "function", "function": {"name": "add", "arguments": "{\\"a\\": 1}"}}',
    ],
)
def test_the_usual_forms_of_a_call_are_known(reply: str) -> None:
    reader = read(list(reply), calls_tools=True)

    assert [(call.id, call.name, json.loads(call.arguments)) for call in reader.tool_calls] == [
        ("call_0_0", "add", {"a": 1})
    ]
    assert reader.text == ""


def test_several_calls_have_ids_of_their_own() -> None:
    calls = tool_calls_in(CALL + "\n" + CALL, "call_3")

    assert [call.id for call in calls] == ["call_3_0", "call_3_1"]


@pytest.mark.parametrize("reply", ["<tool_call>{broken", '{"name": "add"}', '["no call"]', "{}"])
def test_what_only_looks_like_a_call_is_text(reply: str) -> None:
    reader = read([reply], calls_tools=True)

    assert reader.tool_calls == ()
    assert reader.text == reply


def test_nothing_is_taken_for_a_call_when_there_are_no_tools() -> None:
    assert read([CALL]).text == CALL
