"""The tools of one agent, wherever they come from: what its model is told of them, and their calling."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import anyio

from ..engine.completion import ToolCall, ToolSpec
from ..engine.errors import SetupError
from .function_tool import FunctionTool
from .mcp_server import MCPServer

__all__ = ["Tool", "Toolbox"]

_LONGEST_ANSWER = 100_000  # characters; more would fill a model's context, and the journal


class Tool(Protocol):
    """Something that a model can call. `timeout_s` is its own time limit, None for that of the toolbox.

    `is_final`: its answer is the agent's reply, unless that is empty or begins with "Error:".
    """

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def timeout_s(self) -> float | None: ...

    @property
    def is_final(self) -> bool: ...

    async def call(self, arguments: str) -> str: ...


class Toolbox:
    """Tools by their names. Whatever goes wrong in a call becomes the text that the model reads as the tool's answer.

    A call ends within its time limit, and its answer is cut where it is longer than 100,000 characters. `servers` are
    those of the tools given that must be asked what they offer.

    Raises ValueError for a function that no model could call, and for two tools of one name.
    """

    def __init__(self, tools: Iterable[Callable[..., Any] | MCPServer], *, timeout_s: float = 60.0) -> None:
        given = tuple(tools)
        self.servers = tuple(tool for tool in given if isinstance(tool, MCPServer))
        self._timeout_s = timeout_s
        self._tools: dict[str, Tool] = {}
        for function in given:
            if not isinstance(function, MCPServer):
                self._add(FunctionTool(function))
        self.specs = tuple(tool.spec for tool in self._tools.values())

    def and_also(self, tools: Sequence[Tool]) -> Toolbox:
        """A toolbox with more in it. Raises `SetupError` when two have one name."""
        more = Toolbox((), timeout_s=self._timeout_s)
        more.servers = self.servers
        try:
            for tool in (*self._tools.values(), *tools):
                more._add(tool)
        except ValueError as error:
            raise SetupError(str(error)) from error
        more.specs = tuple(tool.spec for tool in more._tools.values())
        return more

    def is_final(self, name: str) -> bool:
        """Whether the answer of this tool is a reply."""
        return name in self._tools and self._tools[name].is_final

    def arguments(self, call: ToolCall) -> Mapping[str, object]:
        """The call's arguments as the model wrote them; empty where they are not a JSON object."""
        try:
            arguments = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError):
            return {}
        return arguments if isinstance(arguments, dict) else {}

    async def call(self, call: ToolCall) -> str:
        """The tool's answer as text, or what was wrong."""
        tool = self._tools.get(call.name)
        if tool is None:
            return f"Error: there is no tool {call.name!r}; there is {', '.join(self._tools) or 'none'}."
        timeout_s = self._timeout_s if tool.timeout_s is None else tool.timeout_s
        answer = f"Error: {call.name} gave no answer within {timeout_s:g} s"
        try:
            with anyio.move_on_after(timeout_s):
                answer = await tool.call(call.arguments or "{}")
        except (Exception, SystemExit) as error:  # a function that exits must not take the run with it
            answer = f"Error: {type(error).__name__}: {error}"
        left_out = len(answer) - _LONGEST_ANSWER
        return answer if left_out <= 0 else f"{answer[:_LONGEST_ANSWER]}… ({left_out} more characters are left out)"

    def _add(self, tool: Tool) -> None:
        name = tool.spec.name
        if name in self._tools:
            raise ValueError(f"two tools are called {name}; rename one, by @tool(name=…) or the name of its MCP server")
        self._tools[name] = tool
