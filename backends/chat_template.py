"""A chat as the one text that a model reads: its tokenizer's own template, also for chats the template did not foresee.

Templates are the vendors' programs. Some refuse a chat that does not begin with the user, some a system message, some
know of no tools; what is refused is said again in a form that they take, and nothing of it is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..engine.completion import CompletionRequest, Message, Think, ToolCall, ToolSpec
from ..engine.errors import BackendRefused, SetupError
from .http_answer import presentable

__all__ = ["ChatTemplate", "Prompt"]

Form = Callable[[Sequence[Message]], Sequence[Message]]

_CUE = "(Begin.)"  # stands where a template insists that a user speaks first
_PROBE = ToolSpec("probe_of_playact", "", {"type": "object", "properties": {}})
_TOOLS = """\
You may call these functions; each line describes one in JSON:
<tools>
{tools}
</tools>
To call one, write its name and arguments in JSON between tags:
<tool_call>
{{"name": "...", "arguments": {{...}}}}
</tool_call>"""


class Prompt(NamedTuple):
    """What a model reads, as text and as tokens; `opens_thought` when it ends in a thought that has been begun."""

    text: str
    tokens: list[int]
    opens_thought: bool


class ChatTemplate:
    """The template of a Hugging Face tokenizer, or `template`, another one for it.

    Raises `SetupError` when there is none: then the model was not made for chat.
    """

    def __init__(self, backend: str, tokenizer: Any, template: str | None = None) -> None:
        self._backend = backend
        self._tokenizer = tokenizer
        self._template = template
        if template is None and not getattr(tokenizer, "chat_template", None):
            raise SetupError(
                f"{backend} has no chat template, so it is no chat model; use its instruct or chat variant"
            )
        self.knows_thinking = "think" in str(template or tokenizer.chat_template)
        self.knows_tools = True
        try:
            self.knows_tools = _PROBE.name in self._rendered((Message("user", "?"),), (_PROBE,), {})
        except BackendRefused:
            self.knows_tools = False

    def prompt(self, request: CompletionRequest, settings: Mapping[str, object] | None = None) -> Prompt:
        """The prompt of a request; `settings` are variables of the template. Raises `BackendRefused`.

        Takes 1 to 10 ms of processor time for a long chat.
        """
        variables = _thinking(request.think) | dict(settings or {})
        text = self._rendered(request.messages, request.tools, variables)
        tokens = self._tokenizer.encode(text, add_special_tokens=False)
        return Prompt(text, tokens, text.rfind("<think>") > text.rfind("</think>"))

    def whole(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> str:
        """A chat that is over, as a model of this template learns from it. Raises `BackendRefused`."""
        return self._rendered(messages, tools, {"add_generation_prompt": False}, _WHOLE_FORMS)

    def _rendered(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        variables: Mapping[str, object],
        forms: Sequence[Form] | None = None,
    ) -> str:
        if not self.knows_tools and (tools or any(message.tool_calls for message in messages)):
            messages, tools = _tools_in_words(messages, tools), ()
        system = [message.text.strip() for message in messages if message.role == "system"]
        refusal: Exception | None = None
        for form in forms or _FORMS:
            try:
                text = self._apply(form(messages), tools, variables)
            except Exception as error:  # a template is any program, and raises what it likes
                refusal = refusal or error
            else:
                if all(words in text for words in system):
                    return text
                refusal = refusal or ValueError("it leaves the system message out")
        raise BackendRefused(
            self._backend, presentable(f"the chat template refuses these messages: {refusal}")
        ) from refusal

    def _apply(self, messages: Sequence[Message], tools: Sequence[ToolSpec], variables: Mapping[str, object]) -> str:
        names = {call.id: call.name for message in messages for call in message.tool_calls}
        text = self._tokenizer.apply_chat_template(
            [_entry(message, names) for message in messages],
            tools=[_tool(tool) for tool in tools] or None,
            chat_template=self._template,
            tokenize=False,
            **{"add_generation_prompt": True, **variables},
        )
        assert isinstance(text, str)
        return text


def _thinking(think: Think | None) -> dict[str, object]:
    """The names that templates of models that can think go by; others do not look at them."""
    if think is None:
        return {}
    if isinstance(think, bool):
        return {"enable_thinking": think}
    return {"enable_thinking": True, "reasoning_effort": think}


def _entry(message: Message, names: Mapping[str, str]) -> dict[str, object]:
    entry: dict[str, object] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        entry["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _arguments(call)}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        entry |= {"tool_call_id": message.tool_call_id, "name": names.get(message.tool_call_id, "")}
    return entry


def _tool(tool: ToolSpec) -> dict[str, object]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _arguments(call: ToolCall) -> object:
    """As a value, which is what templates expect, unless the model wrote something that is none."""
    try:
        return json.loads(call.arguments)
    except ValueError:
        return call.arguments


def _tools_in_words(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[Message]:
    """For templates that know of no tools: the form that most models which know any were taught."""
    said = []
    for message in messages:
        if message.role == "tool":
            said.append(Message("user", f"<tool_response>\n{message.text}\n</tool_response>"))
        elif message.tool_calls:
            calls = (json.dumps({"name": each.name, "arguments": _arguments(each)}) for each in message.tool_calls)
            tags = (f"<tool_call>\n{call}\n</tool_call>" for call in calls)
            said.append(Message("assistant", "\n".join(filter(None, (message.text, *tags)))))
        else:
            said.append(message)
    if not tools:
        return said
    offer = _TOOLS.format(tools="\n".join(json.dumps(_tool(tool)) for tool in tools))
    if said and said[0].role == "system":
        return [replace(said[0], text=f"{said[0].text}\n\n{offer}"), *said[1:]]
    return [Message("system", offer), *said]


def _as_is(messages: Sequence[Message]) -> Sequence[Message]:
    return messages


def _in_turns(messages: Sequence[Message], is_whole: bool = False) -> list[Message]:
    """One system message at most, at the beginning; then user and assistant by turns, the user first, and last too
    unless the chat is over."""
    system = "\n\n".join(message.text for message in messages if message.role == "system" and message.text)
    turns: list[Message] = []
    for message in messages:
        if message.role == "system":
            continue
        if not turns and message.role == "assistant":
            turns.append(Message("user", _CUE))
        if turns and turns[-1].role == message.role in ("user", "assistant"):
            both = (turns[-1].text, message.text)
            turns[-1] = replace(
                turns[-1], text="\n\n".join(filter(None, both)), tool_calls=turns[-1].tool_calls + message.tool_calls
            )
        else:
            turns.append(message)
    if not is_whole and (not turns or turns[-1].role == "assistant"):
        turns.append(Message("user", _CUE if not turns else "(Go on.)"))
    return [Message("system", system), *turns] if system else turns


def _in_turns_without_system(messages: Sequence[Message], is_whole: bool = False) -> list[Message]:
    """The system's words stand at the beginning of what the user says first."""
    turns = _in_turns(messages, is_whole)
    if len(turns) < 2 or turns[0].role != "system":
        return turns
    system, first, *others = turns
    return [replace(first, text=f"{system.text}\n\n{first.text}"), *others]


_FORMS: tuple[Form, ...] = (_as_is, _in_turns, _in_turns_without_system)
_WHOLE_FORMS: tuple[Form, ...] = (
    _as_is,
    partial(_in_turns, is_whole=True),
    partial(_in_turns_without_system, is_whole=True),
)
