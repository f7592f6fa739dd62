"""A plain Python function as a tool: its schema for the model, its calling, and its answer as text."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from functools import partial
from typing import Any, TypeVar, cast, overload

from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from ..engine import daemon_thread
from ..engine.completion import ToolSpec

__all__ = ["FunctionTool", "final_response_tool", "tool"]

F = TypeVar("F", bound=Callable[..., Any])
_SETTINGS = "__playact_tool__"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_ARGUMENTS = re.compile(r"^(?:Args|Arguments|Parameters):[ \t]*\n((?:[ \t]+\S.*\n?|[ \t]*\n)+)", re.MULTILINE)
_ARGUMENT = re.compile(r"(\w+)[ \t]*(?:\([^)]*\))?:[ \t]*(.*)")
_KINDS = {
    inspect.Parameter.VAR_POSITIONAL: "any number of arguments",
    inspect.Parameter.VAR_KEYWORD: "any keyword",
    inspect.Parameter.POSITIONAL_ONLY: "an argument by its place only",
}


@dataclass(frozen=True, slots=True)
class _Settings:
    name: str | None = None
    timeout_s: float | None = None
    is_final: bool = False


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(*, name: str | None = None, timeout_s: float | None = None) -> Callable[[F], F]: ...
def tool(
    function: F | None = None, /, *, name: str | None = None, timeout_s: float | None = None
) -> F | Callable[[F], F]:
    """Says of a function what it is called as a tool, and how long it may take at the most; `@tool` alone is fine."""
    if timeout_s is not None and timeout_s <= 0:
        raise ValueError("a tool's timeout_s is more than 0")

    def settle(function: F) -> F:
        is_final = _settings(function).is_final
        setattr(function, _SETTINGS, _Settings(name, timeout_s, is_final))
        return function

    return settle if function is None else settle(function)


def final_response_tool(function: F) -> F:
    """Marks a tool whose answer, unless it is empty or an error, is the agent's reply: its model is not asked again.

    It is said as the tool gave it: a `response_schema` is for what a model writes, and is not held against it.
    """
    settings = _settings(function)
    setattr(function, _SETTINGS, _Settings(settings.name, settings.timeout_s, True))
    return function


class FunctionTool:
    """A function, a bound method or an object that can be called.

    Arguments are checked against its signature. An async function runs as it is, another in a worker thread, so that
    it may block; a thread whose answer nobody waits for any longer is left to itself, and ends with the process.
    What its docstring says under `Args:` goes to the arguments in the schema. An argument without a type takes any
    JSON.

    Raises ValueError for what no model could call: without a usable name, with `*args`, or with arguments of a type
    that no schema describes.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        settings = _settings(function)
        self.timeout_s = settings.timeout_s
        self.is_final = settings.is_final
        name = settings.name or _name(function)
        if not _NAME.fullmatch(name):
            raise ValueError(f'no model can call a tool "{name}"; give it another name by @tool(name="…")')
        called = _plain_function(function)
        _check_signature(name, called)
        self._is_async = inspect.iscoroutinefunction(called)
        try:
            # Pydantic takes a function for the type of its calls.
            self._checked: TypeAdapter[Any] = TypeAdapter(cast("Any", called))
            schema = self._checked.json_schema()
        except (PydanticUserError, PydanticSchemaGenerationError, NameError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"the tool {name} has an argument that no schema describes: {reason}") from error
        description, arguments = _documented(function)
        for argument, text in arguments.items():
            if argument in schema.get("properties", {}):
                schema["properties"][argument].setdefault("description", text)
        self.spec = ToolSpec(name, description, schema)

    async def call(self, arguments: str) -> str:
        """The answer as text, or what was wrong with the arguments. Raises what the function raises."""
        check = self._checked.validate_json  # which calls the function too
        try:
            if self._is_async:
                answer = check(arguments)
            else:
                answer = await daemon_thread.run_sync(check, arguments)
        except ValidationError as error:
            if not error.title.startswith("call["):  # the function's own
                raise
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            return f"Error: the arguments do not fit: {problems}"
        if inspect.isawaitable(answer):
            answer = await answer
        return answer if isinstance(answer, str) else _as_json(answer)


def _settings(function: object) -> _Settings:
    settings = getattr(function, _SETTINGS, None)
    return settings if isinstance(settings, _Settings) else _Settings()


def _name(function: Any) -> str:
    if isinstance(function, partial):
        return _name(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _plain_function(function: Any) -> Callable[..., Any]:
    """What Python calls in the end: of an object its method."""
    is_object = not inspect.isroutine(function) and not isinstance(function, type | partial)
    return cast("Callable[..., Any]", function.__call__ if is_object else function)


def _check_signature(name: str, function: Callable[..., Any]) -> None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise ValueError(f"the tool {name} does not tell its arguments; wrap it in a function that does") from error
    for parameter in parameters:
        if parameter.kind in _KINDS:
            raise ValueError(f"the tool {name} takes {_KINDS[parameter.kind]} ({parameter}), which no model can call")


def _documented(function: Any) -> tuple[str, dict[str, str]]:
    """A docstring without its list of arguments, and that list."""
    text = inspect.getdoc(function.func if isinstance(function, partial) else function) or ""
    found = _ARGUMENTS.search(text)
    if found is None:
        return text, {}
    arguments: dict[str, str] = {}
    lines = [line for line in found[1].splitlines() if line.strip()]
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    name = ""
    for line in lines:
        begun = _ARGUMENT.fullmatch(line[indent:].rstrip())
        if begun is not None:
            name, arguments[begun[1]] = begun[1], begun[2]
        elif name:
            arguments[name] = f"{arguments[name]} {line.strip()}".strip()
    rest = f"{text[: found.start()].rstrip()}\n\n{text[found.end() :].lstrip()}".strip()
    return rest, arguments


def _as_json(answer: object) -> str:
    return json.dumps(_keyed(answer), default=_plain, ensure_ascii=False)


def _keyed(value: object) -> object:
    """JSON's keys are texts; what is none becomes one."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _keyed(each) for key, each in value.items()}
    return [_keyed(each) for each in value] if isinstance(value, list | tuple) else value


def _plain(value: object) -> object:
    """A set in an order that is the same in every process."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return _keyed(asdict(value))
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
