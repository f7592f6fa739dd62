"""A scenario file: the YAML that `playact run` plays, checked by the schema of the Python objects it stands for."""

from __future__ import annotations

import difflib
import inspect
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from ..engine.completion import Parameters
from ..engine.dialog import Context
from ..engine.errors import FileInvalid
from ..engine.program.plan import Cycle
from .agent import Agent
from .orchestrators import orchestrators_by_name
from .personas import Persona
from .scenario import Scenario

__all__ = ["Playbill"]

_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}


class Playbill(Scenario):
    """A scenario and how often to play it.

    dialogs: how many to play.
    contexts: instead of `context`, several; the dialogs take them in turn.
    model: what agents without a model of their own use, "backend:model".
    model_parameters: how models sample where an agent does not say so itself.
    concurrency: how many dialogs are live at once.
    """

    dialogs: Annotated[int, Field(ge=1)] = 1
    contexts: tuple[Context | str, ...] = ()
    model: str | None = None
    model_parameters: Parameters = Parameters()
    concurrency: Annotated[int, Field(ge=1)] | None = None

    @classmethod
    def from_file(cls, path: Path) -> Playbill:
        """Reads a scenario file. Raises `FileInvalid` for all that is wrong in it, with the line where there is one."""
        try:
            text = path.read_text(encoding="utf-8")
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            content = yaml.safe_load(text)
        except OSError as error:
            raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise FileInvalid(str(path), None, "is not UTF-8 text") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            raise FileInvalid(str(path), line, f"is not YAML: {error.problem}") from error
        except yaml.YAMLError as error:
            raise FileInvalid(str(path), None, f"is not YAML: {error}") from error
        if not isinstance(content, dict) or root is None:
            raise FileInvalid(
                str(path), None, "holds no scenario; it needs at least `cast`, a list of two agents or more"
            )
        try:
            _refuse_double_keys(str(path), root)
            return cls.model_validate(content)
        except RecursionError as error:
            raise FileInvalid(str(path), None, "refers to itself without end, by an anchor inside itself") from error
        except ValidationError as error:
            raise _explained(str(path), root, error) from error

    def scenarios(self, dialogs: int, **changes: Any) -> Cycle[Scenario]:
        """The scenario of each dialog, with `changes` (such as `max_turns`) in all of them."""
        shared = {name: getattr(self, name) for name in Scenario.model_fields} | changes
        contexts = self.contexts or (self.context,)
        return Cycle([Scenario(**(shared | {"context": context})) for context in contexts], dialogs)


def _explained(path: str, root: yaml.Node, error: ValidationError) -> FileInvalid:
    """The problem that lies deepest in the file: of a choice between kinds, that is the one that was meant."""
    problems = error.errors(include_url=False)
    problem = max(problems, key=lambda problem: (problem["type"] in _UNKNOWN_KEY, len(problem["loc"])))
    where, line = _place(root, problem["loc"])
    if problem["type"] in _UNKNOWN_KEY:
        return FileInvalid(path, line, _unknown_key(problem["loc"]))
    message = problem["msg"].removeprefix("Value error, ")
    return FileInvalid(path, line, f"{where}: {message[:1].lower()}{message[1:]}" if where else message)


def _unknown_key(location: tuple[int | str, ...]) -> str:
    key = str(location[-1])
    known = _known_keys(location[:-1])
    close = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
    return f"unknown key `{key}`; {hint}"


def _known_keys(parent: tuple[int | str, ...]) -> list[str]:
    for part in reversed(parent):
        match part:
            case "persona":
                return list(Persona.model_fields)
            case "context" | "contexts":
                return list(Context.model_fields)
            case "model_parameters":
                return [field.name for field in fields(Parameters)]
            case "orchestrators":
                return sorted(
                    {name for kind in orchestrators_by_name().values() for name in inspect.signature(kind).parameters}
                )
            case "cast":
                return [name for name in Agent.__dataclass_fields__ if name != "_"]
    return list(Playbill.model_fields)


def _place(root: yaml.Node, location: tuple[int | str, ...]) -> tuple[str, int]:
    """The path in the file, in words, and the line; parts of the location that are not in the file are left out."""
    node, line, path = root, root.start_mark.line, ""
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line, path = node.start_mark.line, f"{path}[{part}]"
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    node, line, path = value, key.start_mark.line, f"{path}.{part}"
                    break
    return path.removeprefix("."), line + 1


def _refuse_double_keys(path: str, node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.value != "<<":
                    raise FileInvalid(path, key.start_mark.line + 1, f"the key `{key.value}` stands here a second time")
                seen.add(key.value)
            _refuse_double_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_double_keys(path, value)
