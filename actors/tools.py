"""Plain Python functions as tools that a model can call."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import anyio.to_thread
from pydantic import TypeAdapter, ValidationError

from ..engine.completion import ToolCall, ToolSpec

__all__ = ["Toolbox"]


class Toolbox:
    """The tools of one agent: their schemas for the model, and their calling.

    Arguments are checked against the function's signature. An async function runs as it is, another in a worker
    thread, so that it may block. Whatever goes wrong becomes the text that the model reads as the tool's answer.
    """

    def __init__(self, functions: Sequence[Callable[..., Any]]) -> None:
        self._functions = {function.__name__: function for function in functions}
        self._checked: dict[str, TypeAdapter[Any]] = {
            name: TypeAdapter(cast("Any", function))  # pydantic takes a function for the type of its calls
            for name, function in self._functions.items()
        }
        self.specs = tuple(self._spec(name) for name in self._functions)

    def arguments(self, call: ToolCall) -> Mapping[str, object]:
        """The call's arguments as the model wrote them; empty where they are not a JSON object."""
        try:
            arguments = json.loads(call.arguments or "{}")
        except json.JSONDecodeError:
            return {}
        return arguments if isinstance(arguments, dict) else {}

    async def call(self, call: ToolCall) -> str:
        """The tool's answer as text, or what was wrong."""
        checked = self._checked.get(call.name)
        if checked is None:
            return f"Error: there is no tool {call.name!r}; there is {', '.join(self._checked) or 'none'}."
        try:
            answer = await self._run(call, checked)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            return f"Error: the arguments do not fit: {problems}"
        except Exception as error:
            return f"Error: {type(error).__name__}: {error}"
        return answer if isinstance(answer, str) else json.dumps(answer, default=_plain, ensure_ascii=False)

    async def _run(self, call: ToolCall, checked: TypeAdapter[Any]) -> object:
        """An adapter of a function checks the arguments and calls it."""
        arguments = call.arguments or "{}"
        if inspect.iscoroutinefunction(self._functions[call.name]):
            return await checked.validate_json(arguments)
        return await anyio.to_thread.run_sync(checked.validate_json, arguments)

    def _spec(self, name: str) -> ToolSpec:
        schema = self._checked[name].json_schema()
        return ToolSpec(name, inspect.getdoc(self._functions[name]) or "", schema)


def _plain(value: object) -> object:
    """A set in an order that is the same in every process."""
    return sorted(value, key=repr) if isinstance(value, set | frozenset) else str(value)
