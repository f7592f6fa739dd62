"""Whatever the order of messages, the model's own template gets them in a form that it takes, and nothing is lost."""

from __future__ import annotations

import pytest

from playact.backends.huggingface.chat import ChatFormat
from playact.engine import CompletionRequest, Message, ToolCall
from playact.engine.completion import ToolSpec
from playact.engine.errors import BackendRefused
from tests.backends.huggingface.tiny import CHATML, STRICT, tiny_tokenizer

SYSTEM, USER, ASSISTANT = Message("system", "Be kind."), Message("user", "Hi!"), Message("assistant", "Hello.")
WEATHER = ToolSpec("weather", "The weather of a town.", {"type": "object", "properties": {"town": {"type": "string"}}})
CALLED = (
    Message("user", "How is the weather in Rome?"),
    Message("assistant", "", tool_calls=(ToolCall("call_0_0", "weather", '{"town": "Rome"}'),)),
    Message("tool", "Sunny.", tool_call_id="call_0_0"),
)
WITH_TOOLS = (
    "{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>\n{% endif %}"
    "{% for message in messages %}{{ message.role }}: {{ message.content }}"
    "{% for call in message.tool_calls or [] %}<call {{ call.function.name }} {{ call.function.arguments | tojson }}>"
    "{% endfor %}\n{% endfor %}"
)
THINKING = CHATML + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"


def rendered(template: str, *messages: Message, **fields: object) -> str:
    request = CompletionRequest(messages=messages, **fields)  # type: ignore[arg-type]
    return ChatFormat("huggingface", tiny_tokenizer(template)).text(request)


def turns(text: str) -> list[str]:
    return [turn.split("\n", 1)[0] for turn in text.split("<|im_start|>")[1:]]


def test_a_template_that_takes_everything_gets_everything_as_it_is() -> None:
    text = rendered(CHATML, SYSTEM, ASSISTANT, USER)

    assert turns(text) == ["system", "assistant", "user", "assistant"]


def test_a_system_message_becomes_part_of_what_the_user_says_where_there_is_none() -> None:
    text = rendered(STRICT, SYSTEM, USER)

    assert turns(text) == ["user", "assistant"]
    assert "Be kind.\n\nHi!" in text


@pytest.mark.parametrize(
    "chat",
    [
        (ASSISTANT,),
        (SYSTEM, ASSISTANT),
        (SYSTEM, ASSISTANT, USER),
        (SYSTEM,),
        (USER, USER),
        (USER, ASSISTANT, ASSISTANT),
        (USER, SYSTEM, ASSISTANT, USER),
        CALLED,
        (),
    ],
)
def test_a_strict_template_gets_user_and_assistant_in_turn_with_every_word(chat: tuple[Message, ...]) -> None:
    text = rendered(STRICT, *chat)

    assert turns(text) == ["user", "assistant"] * (len(turns(text)) // 2)
    assert all(message.text in text for message in chat)


def test_a_system_message_that_the_template_drops_is_said_all_the_same() -> None:
    deaf = "{% for message in messages if message['role'] != 'system' %}{{ message['content'] }}\n{% endfor %}"

    assert "Be kind." in rendered(deaf, SYSTEM, USER)


def test_a_template_that_knows_tools_gets_them_as_values() -> None:
    text = rendered(WITH_TOOLS, *CALLED, tools=(WEATHER,))

    assert '<call weather {"town": "Rome"}>' in text
    assert '"description": "The weather of a town."' in text
    assert "tool: Sunny." in text


def test_a_template_without_tools_gets_them_as_text() -> None:
    text = rendered(CHATML, *CALLED, tools=(WEATHER,))

    assert "The weather of a town." in text
    assert '<tool_call>{"name": "weather", "arguments": {"town": "Rome"}}</tool_call>' in text
    assert "<tool_response>Sunny.</tool_response>" in text


@pytest.mark.parametrize(("think", "is_off"), [(None, False), (True, False), ("high", False), (False, True)])
def test_whether_to_think_is_the_templates_own_setting(think: bool | str | None, is_off: bool) -> None:
    assert rendered(THINKING, USER, think=think).endswith("</think>\n\n") is is_off


def test_a_template_that_takes_nothing_refuses_the_request() -> None:
    with pytest.raises(BackendRefused, match="does not take these messages: never"):
        rendered("{{ raise_exception('never') }}", USER)
