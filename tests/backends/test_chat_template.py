"""Every chat can be said to every model, whatever its template foresaw, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from playact.backends.chat_template import ChatTemplate
from playact.engine.completion import CompletionRequest, Message, ToolCall, ToolSpec
from playact.engine.errors import BackendRefused, SetupError

PLAIN = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
STRICT = (  # as Mistral's and Gemma's
    "{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system messages') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('user, then assistant') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
)
WITH_TOOLS = (
    "{% for t in tools or [] %}<{{ t.function.name }}>{% endfor %}"
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}"
    "{% for c in m.tool_calls or [] %}({{ c.function.name }} {{ c.function.arguments.city }}){% endfor %}{% endfor %}"
)
THINKING = (
    "{% for m in messages %}{{ m.content }}{% endfor %}"
    "{% if enable_thinking %}<think>\n{% else %}<think></think>{% endif %}"
)
CLOCK = ToolSpec("clock", "Tells the time.", {"type": "object"})
CALL = ToolCall("c1", "clock", '{"city": "Oslo"}')


class Tokenizer:
    """As much of a Hugging Face tokenizer as templates need; its tokens are characters."""

    def __init__(self, chat_template: str | None) -> None:
        self.chat_template = chat_template

    def apply_chat_template(
        self, conversation: list[dict[str, Any]], *, chat_template: str | None, tokenize: bool, **variables: Any
    ) -> str:
        def refuse(reason: str) -> None:
            raise jinja2.TemplateError(reason)

        template = jinja2.Environment(autoescape=False).from_string(chat_template or self.chat_template or "")  # noqa: S701
        return template.render(messages=conversation, raise_exception=refuse, **variables)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return [ord(letter) for letter in text]


def said(template: str, *messages: Message, tools: tuple[ToolSpec, ...] = ()) -> str:
    request = CompletionRequest(messages=messages, tools=tools)
    return ChatTemplate("test", Tokenizer(template)).prompt(request).text


def test_a_chat_that_the_template_takes_is_left_as_it_is() -> None:
    chat = (Message("system", "Be Ann."), Message("assistant", "Hi!"), Message("assistant", "Hello?"))

    assert said(PLAIN, *chat) == "[system]Be Ann.[assistant]Hi![assistant]Hello?[assistant]"


def test_what_a_strict_template_refuses_is_said_by_turns_with_the_system_in_the_first() -> None:
    chat = (
        Message("system", "Be Ann."),
        Message("assistant", "Hi!"),
        Message("user", "Morning."),
        Message("user", "Anyone?"),
        Message("system", "Be brief."),
    )

    assert said(STRICT, *chat) == (
        "[user]Be Ann.\n\nBe brief.\n\n(Begin.)[assistant]Hi![user]Morning.\n\nAnyone?[assistant]"
    )


def test_a_system_message_that_the_template_leaves_out_is_said_by_the_user() -> None:
    deaf = "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endfor %}"

    assert said(deaf, Message("system", "Be Ann."), Message("user", "Hi!")) == "[user]Be Ann.\n\nHi!"


@pytest.mark.parametrize("template", [PLAIN, STRICT])
@pytest.mark.parametrize(
    "chat",
    [(), (Message("system", "Be Ann."),), (Message("assistant", "Hi!"),)],
    ids=["nothing", "system only", "assistant only"],
)
def test_a_chat_without_a_user_can_be_said(template: str, chat: tuple[Message, ...]) -> None:
    text = said(template, *chat)

    assert all(message.text in text for message in chat)


def test_tools_are_told_and_calls_shown_as_the_template_does_it() -> None:
    chat = (Message("user", "Time?"), Message("assistant", "", (CALL,)), Message("tool", "12:30", tool_call_id="c1"))

    assert said(WITH_TOOLS, *chat, tools=(CLOCK,)) == "<clock>[user]Time?[assistant](clock Oslo)[tool]12:30"


def test_a_template_that_knows_no_tools_is_told_of_them_in_words() -> None:
    chat = (
        Message("system", "Be Ann."),
        Message("user", "Time?"),
        Message("assistant", "Wait.", (CALL,)),
        Message("tool", "12:30", tool_call_id="c1"),
    )

    text = said(PLAIN, *chat, tools=(CLOCK,))

    assert text.startswith("[system]Be Ann.\n\nYou may call")
    assert '"name": "clock"' in text
    assert '[assistant]Wait.\n<tool_call>\n{"name": "clock", "arguments": {"city": "Oslo"}}\n</tool_call>' in text
    assert "[user]<tool_response>\n12:30\n</tool_response>[assistant]" in text


@pytest.mark.parametrize(("think", "opens"), [(True, True), (False, False), (None, False), ("low", True)])
def test_it_says_whether_the_prompt_opens_a_thought(think: Any, opens: bool) -> None:
    template = ChatTemplate("test", Tokenizer(THINKING))

    prompt = template.prompt(CompletionRequest(messages=(Message("user", "Hm?"),), think=think))

    assert template.knows_thinking
    assert prompt.opens_thought is opens
    assert prompt.tokens == [ord(letter) for letter in prompt.text]


def test_settings_of_the_template_can_be_said() -> None:
    template = ChatTemplate("test", Tokenizer("{{ mood }}"))

    assert template.prompt(CompletionRequest(messages=()), {"mood": "merry"}).text == "merry"


def test_a_template_that_refuses_everything_is_an_error_with_its_words() -> None:
    with pytest.raises(BackendRefused, match="never on Mondays"):
        said("{{ raise_exception('never on Mondays') }}", Message("user", "Hi!"))


def test_a_model_without_a_template_is_no_chat_model() -> None:
    with pytest.raises(SetupError, match="no chat template"):
        ChatTemplate("test", Tokenizer(None))


def test_another_template_than_the_models_own_can_be_given() -> None:
    template = ChatTemplate("test", Tokenizer(None), PLAIN)

    assert template.prompt(CompletionRequest(messages=(Message("user", "Hi!"),))).text == "[user]Hi![assistant]"
