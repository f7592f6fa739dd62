"""OpenAI's chat completions: a request becomes a body, and the body of the reply becomes a `Completion`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import orjson

from ..engine.closed_schema import is_closed
from ..engine.completion import (
    Completion,
    CompletionRequest,
    Delta,
    Message,
    Parameters,
    Think,
    ToolCall,
    ToolSpec,
)
from ..engine.errors import BackendRefused, ReplyInvalid
from .chat_reply import Json, finish_of, logprobs_of, usage_of
from .chat_stream import StreamedReply, failure_within
from .chat_transport import NotStreamed, Transport
from .http_answer import Answer, failure_of, presentable
from .json_fields import text_of

__all__ = ["ChatWire"]

# Models before GPT-5.1 know "minimal" in the place of "none" and say so; `extra={"reasoning_effort": ...}` goes first.
_EFFORT: Mapping[Think, str] = {False: "none", True: "medium"}


class ChatWire:
    """Asks one service for completions, over a transport that it owns.

    `vendor` is for OpenAI itself, whose newer models know `max_tokens` under another name and refuse what others take
    as `chat_template_kwargs`. `has_one_model` is for an address that names the model. None of `secrets` appears in an
    error.
    """

    def __init__(
        self,
        backend: str,
        transport: Transport,
        *,
        model: str,
        defaults: Parameters,
        vendor: bool,
        has_one_model: bool = False,
        secrets: Sequence[str] = (),
    ) -> None:
        self._backend = backend
        self._transport = transport
        self._model = model
        self._vendor = vendor
        self._has_one_model = has_one_model
        self._secrets = secrets
        self._defaults = self._sampling(defaults)

    async def complete(self, request: CompletionRequest) -> Completion:
        return self._read(await self._transport.post(self._written(self._body(request))))

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta, None]:
        """As `complete`, in deltas. A service that has no streams answers in one."""
        body = {"stream_options": {"include_usage": True}, **self._body(request), "stream": True}
        reply = StreamedReply()
        try:
            async with aclosing(self._transport.events(self._written(body))) as events:
                async for event in events:
                    if isinstance(event, dict) and event.get("error"):
                        raise failure_within(self._backend, event, self._secrets)
                    delta = reply.take(event)
                    if delta is not None:
                        yield delta
            completion = reply.completion()
        except NotStreamed as whole:
            completion = self._read(whole.answer)
            yield Delta(completion.text, completion.thinking)
        except ValueError as error:  # a JSONDecodeError is one
            raise self._invalid(f"the reply is no stream of a chat completion: {error}") from error
        yield Delta(completion=completion)

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _written(self, body: dict[str, object]) -> bytes:
        try:
            return orjson.dumps(body, default=dict)  # a Mapping need not be a dict
        except orjson.JSONEncodeError as error:
            raise BackendRefused(self._backend, f"the request cannot be written as JSON: {error}") from error

    def _read(self, answer: Answer) -> Completion:
        if not 200 <= answer.status < 300:
            raise failure_of(self._backend, answer, self._secrets)
        try:
            return _completion(orjson.loads(answer.body))
        except ValueError as error:  # a JSONDecodeError is one
            said = answer.body[:4096].decode(errors="replace")
            raise self._invalid(f"the reply is no chat completion ({error}): {said}") from error

    def _invalid(self, reason: str) -> ReplyInvalid:
        return ReplyInvalid(self._backend, presentable(reason, self._secrets))

    def _body(self, request: CompletionRequest) -> dict[str, object]:
        body: dict[str, object] = {
            "model": self._model if not request.model else self._other_model(request.model),
            "messages": [_message(message) for message in request.messages],
            **self._defaults,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.response_schema is not None:
            is_strict = not self._vendor or is_closed(request.response_schema)  # else OpenAI refuses the request
            named = {"name": "reply", "strict": is_strict, "schema": request.response_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        if request.think is not None:
            self._ask_to_think(body, request.think)
        body.update(self._sampling(request.parameters))
        return body

    def _other_model(self, model: str) -> str:
        if self._has_one_model and model != self._model:
            raise BackendRefused(self._backend, f"this address has no other model, such as {model}")
        return model

    def _ask_to_think(self, body: dict[str, object], think: Think) -> None:
        """OpenAI's own models take an effort; of others the template is told, and an effort where there is one.

        Of the levels vLLM hears `reasoning_effort`, llama.cpp the template's argument; a template that knows an
        argument not at all leaves it alone.
        """
        if self._vendor:
            body["reasoning_effort"] = _EFFORT.get(think, think)
        elif isinstance(think, bool):
            body["chat_template_kwargs"] = {"enable_thinking": think}
        else:
            body["reasoning_effort"] = think
            body["chat_template_kwargs"] = {"enable_thinking": True, "reasoning_effort": think}

    def _sampling(self, parameters: Parameters) -> dict[str, object]:
        given: dict[str, object] = {}
        if parameters.temperature is not None:
            given["temperature"] = parameters.temperature
        if parameters.top_p is not None:
            given["top_p"] = parameters.top_p
        if parameters.max_tokens is not None:
            given["max_completion_tokens" if self._vendor else "max_tokens"] = parameters.max_tokens
        if parameters.stop:
            given["stop"] = parameters.stop
        if parameters.frequency_penalty is not None:
            given["frequency_penalty"] = parameters.frequency_penalty
        if parameters.presence_penalty is not None:
            given["presence_penalty"] = parameters.presence_penalty
        given.update(parameters.extra)
        return given


def _message(message: Message) -> dict[str, object]:
    wire: dict[str, object] = {"role": message.role}
    if message.text or not message.tool_calls:
        wire["content"] = message.text
    if message.tool_calls:
        wire["tool_calls"] = [_written_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _written_call(call: ToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tool(tool: ToolSpec) -> dict[str, object]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _completion(reply: Json) -> Completion:
    """Raises `ValueError` when a piece is missing or of the wrong type."""
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        text, refusal = text_of(message, "content"), text_of(message, "refusal")
        finish, logprobs = finish_of(choice.get("finish_reason")), choice.get("logprobs")
        return Completion(
            text=text or refusal,
            thinking=text_of(message, "reasoning_content") or text_of(message, "reasoning"),
            tool_calls=tuple(_read_call(call) for call in message.get("tool_calls") or ()),
            usage=usage_of(reply.get("usage")),
            finish="refused" if refusal else finish,
            model=text_of(reply, "model"),
            logprobs=logprobs_of(logprobs) if logprobs else (),
        )
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _read_call(call: Json) -> ToolCall:
    function = call["function"]
    return ToolCall(text_of(call, "id"), text_of(function, "name"), text_of(function, "arguments"))
