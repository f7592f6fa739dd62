"""What is wrong in a scenario file, in one line: where it is, and what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ...engine.errors import FileInvalid
from .document import Node
from .schema import keys_at

__all__ = ["explained"]

_UNKNOWN_KEY = {"extra_forbidden", "unexpected_keyword_argument"}
_SEATS = {"HumanSeat": ["human"], "ProxyAgent": ["proxy"]}  # as they are called in Python
_MOST_KEYS = 16  # of those that are listed when none is close

_IN_WORDS_OF_YAML = (
    (("tuple_type", "list_type"), "takes a list, as in [one, two]"),
    (
        ("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"),
        "takes keys with values, as in {{key: value}}",
    ),
    (("missing", "missing_argument", "missing_keyword_only_argument"), "the key `{key}` is missing"),
    (("too_short",), "needs at least {min_length}, and has {actual_length}"),
    (("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "takes a whole number"),
    (("float_type", "float_parsing"), "takes a number"),
    (("bool_type", "bool_parsing"), "takes true or false"),
    (("string_type",), "takes text"),
    (("finite_number",), "takes a number that is finite"),
    (("greater_than_equal",), "is at least {ge}"),
    (("greater_than",), "is more than {gt}"),
    (("less_than_equal",), "is at most {le}"),
    (("less_than",), "is less than {lt}"),
    (("literal_error", "enum"), "is one of {expected}"),
)

Location = Sequence[int | str]


def explained(path: str, root: Node, error: ValidationError) -> FileInvalid:
    """The problem that lies deepest in the file: of a choice between kinds, that is the one that was meant."""
    problems = error.errors(include_url=False)
    problem = max(problems, key=lambda each: (each["type"] in _UNKNOWN_KEY, len(_in_file(root, each["loc"]))))
    place, line, node = root.at(problem["loc"])
    if problem["type"] in _UNKNOWN_KEY:
        key = str(problem["loc"][-1])
        found = node.line_of(key)
        return FileInvalid(path, found or line, _unknown_key(key, problem["loc"][:-1]))
    message = _told(problem)
    if problem["type"] == "string_type" and node.text:
        message = f"{message}; put it in quotes, as in '{node.text}'"
    return FileInvalid(path, line, f"{place}: {message}" if place else message)


def _told(problem: ErrorDetails) -> str:
    """In words of YAML. Our own are as they shall be: they may begin with the name of a class."""
    kind, message = problem["type"], problem["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return message
    for kinds, told in _IN_WORDS_OF_YAML:
        if kind in kinds:
            return told.format(key=problem["loc"][-1] if problem["loc"] else "", **problem.get("ctx", {}))
    return message[:1].lower() + message[1:]


def _in_file(root: Node, location: Location) -> Location:
    """Its parts that are in the file, or that is missing there; not the names of kinds that were tried."""
    return [part for place, part in enumerate(location) if root.at(location[:place]) != root.at(location[: place + 1])]


def _unknown_key(key: str, location: Location) -> str:
    known = keys_at(location)
    if key in known:
        return f"the key `{key}` stands here with what it does not take, or beside keys that it is not taken with"
    if close := _SEATS.get(key) or get_close_matches(key, known, 1):
        return f"unknown key `{key}`; did you mean `{close[0]}`?"
    listed = ", ".join(known[:_MOST_KEYS]) + (", …" if len(known) > _MOST_KEYS else "")
    return f"unknown key `{key}`; known here: {listed}"
