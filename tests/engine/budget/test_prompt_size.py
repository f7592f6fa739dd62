"""The bound of a prompt's tokens, which every cap on tokens or money leans on."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from playact.engine.budget.prompt_size import most_tokens
from playact.engine.completion import CompletionRequest, Message, ToolCall, ToolSpec


def request(*messages: Message, tools: tuple[ToolSpec, ...] = ()) -> CompletionRequest:
    return CompletionRequest(messages=messages, tools=tools)


@given(st.lists(st.text(max_size=80), min_size=1, max_size=5))
def test_there_is_a_token_for_every_byte_and_room_around_each_message(texts: list[str]) -> None:
    bound = most_tokens(request(*(Message("user", text) for text in texts)))

    bytes_sent = sum(len(text.encode("utf-8", "replace")) for text in texts)
    assert bound >= bytes_sent + 16 * len(texts)


def test_a_letter_that_tokenizers_take_apart_counts_as_its_parts() -> None:
    ligature = "\ufdfa"  # 3 bytes, which compatibility normalization makes 33

    assert most_tokens(request(Message("user", ligature * 100))) >= 3300


def test_half_a_surrogate_pair_is_counted_too() -> None:
    assert most_tokens(request(Message("user", "\ud800"))) >= 1


def test_tools_count_as_they_are_written() -> None:
    tool = ToolSpec("find", "Grüße " * 50, {"type": "object", "properties": {"q": {"type": "string"}}})
    plain, with_tool = request(Message("user", "x")), request(Message("user", "x"), tools=(tool,))

    assert most_tokens(with_tool) - most_tokens(plain) >= len(
        json.dumps([tool.name, tool.description, tool.parameters])
    )


def test_the_calls_of_tools_count_with_their_ids_and_the_escapes_around_them() -> None:
    call = ToolCall("call_" + "x" * 40, "find", '{"q": "a \\"b\\""}')
    plain = most_tokens(request(Message("assistant", "")))

    with_call = most_tokens(request(Message("assistant", "", tool_calls=(call,))))

    assert with_call - plain >= len(call.id) + len(call.name) + len(json.dumps(call.arguments))
