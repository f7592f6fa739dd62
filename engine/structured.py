"""Replies in a form: what a model is told of it, and whether its reply fits, with small slips put right."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .closed_schema import closed
from .completion import Capabilities, CompletionRequest, Message
from .json_text import values_in
from .patterns import finder
from .plain_schema import fits_at_once

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Checked", "ReplySchema", "correction"]

_PROBLEMS, _LONGEST_PROBLEM = 4, 240
_QUOTED = 4000  # characters of a reply that is told to have been wrong
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Checked:
    """What a reply came to: `value` and its JSON as `text`, or the `problem`, in words that a model understands.

    `is_repaired`: the reply was not JSON alone, but could be read without asking again.
    """

    value: Any = None
    text: str = ""
    problem: str = ""
    is_repaired: bool = False


class ReplySchema:
    """The form that replies must have: a JSON schema (draft 2020-12), or a pydantic model.

    Raises `ValueError` for a schema that is none, and for one that refers to another document: nothing is fetched.
    """

    def __init__(self, form: Mapping[str, Any] | type[BaseModel]) -> None:
        try:
            self._check = _by_schema(form) if isinstance(form, Mapping) else _by_model(form)
            schema = form if isinstance(form, Mapping) else _schema_of(form)
            self.json_schema: Mapping[str, Any] = closed(schema)
            self._written = json.dumps(self.json_schema, ensure_ascii=False, separators=(",", ":"))
        except RecursionError:
            raise ValueError("the schema is nested too deeply") from None

    @classmethod
    def of(cls, form: Mapping[str, Any] | type[BaseModel]) -> ReplySchema:
        """As the constructor; those used lately are kept, since making one takes milliseconds."""
        if not isinstance(form, Mapping):
            return _of_model(form)
        try:
            return _of_text(json.dumps(dict(form)))
        except TypeError as error:
            raise ValueError(f"a JSON schema holds JSON only: {error}") from error
        except RecursionError:
            raise ValueError("the schema is nested too deeply") from None

    def asked(self, request: CompletionRequest, capabilities: Capabilities) -> CompletionRequest:
        """The request with the form in it: for the backend where it knows of schemas, in words where it does not."""
        if capabilities.response_schema:
            return replace(request, response_schema=self.json_schema)
        return replace(request, messages=self._told(request.messages))

    def check(self, text: str, *, is_cut_off: bool = False) -> Checked:
        """Whether a reply fits. Its problems are told, at most four.

        Read without asking again are JSON in a code fence or among other words, trailing commas, single quotes,
        comments, brackets that were not closed; with `is_cut_off`, which is at the limit of tokens, only the first two.
        """
        first_problem = ""
        for value, is_whole in values_in(text, is_cut_off):
            try:
                fitting = self._check(value)
                written = _as_json(fitting[1])
                written.encode()
            except UnicodeEncodeError:
                first_problem = first_problem or "a text in the answer has half of a character in it"
            except (ValueError, ArithmeticError, RecursionError) as error:  # 1e309 is no number to reckon with
                first_problem = first_problem or str(error)
            else:
                return Checked(fitting[0], written, is_repaired=not is_whole)
        if is_cut_off:
            return Checked(problem="the answer was too long and was cut off; answer more briefly")
        return Checked(problem=first_problem or "the answer is not JSON")

    def fits(self, value: Any) -> bool:
        """Whether a value fits that has been read already."""
        try:
            self._check(value)
        except (ValueError, ArithmeticError, RecursionError):
            return False
        return True

    def _told(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        rule = f"Answer with JSON only, without any other words. It must fit this JSON schema: {self._written}"
        if messages and messages[0].role == "system":
            return (Message("system", f"{messages[0].text}\n{rule}"), *messages[1:])
        return (Message("system", rule), *messages)

    def __repr__(self) -> str:
        return f"<ReplySchema {self._written[:60]}>"


def correction(text: str, problem: str) -> tuple[Message, Message]:
    """What asking again adds to a chat: the reply, and what is wrong with it."""
    text = text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
    asking = f"Your answer was not accepted: {problem}. Answer again, with JSON only, in the form asked for."
    return Message("assistant", text or "(nothing)"), Message("user", asking)  # many services refuse an empty text


def _by_schema(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import extend
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"this is no JSON schema: {error.json_path}: {error.message}") from error
    registry: Registry[Any] = Registry()  # of nothing: the usual one fetches what a schema refers to
    resolver = registry.resolver_with_root(DRAFT202012.create_resource(schema))
    for reference in _texts_at(schema, "$ref", "$dynamicRef"):
        try:
            meant = resolver.lookup(reference).contents
        except (Unresolvable, AttributeError, TypeError, ValueError) as error:  # where it leads through no schema
            raise ValueError(f"the schema refers to {reference!r}, which is not in it") from error
        if not isinstance(meant, Mapping | bool):
            raise ValueError(f"the schema refers to {reference!r}, which is no schema")  # noqa: TRY004  # of its content
    for pattern in _texts_at(schema, "pattern"):
        finder(pattern)
    bounded: Any = extend  # which has no types
    validator = bounded(Draft202012Validator, {"pattern": _pattern})(schema, registry=registry)
    fits = fits_at_once(schema)

    def check(value: Any) -> tuple[Any, Any]:
        if fits(value):
            return value, value
        errors = sorted(validator.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
        if errors:
            raise ValueError(_listed((error.absolute_path, error.message) for error in errors))
        return value, value

    return check


def _pattern(_: Any, pattern: str, text: Any, __: Any) -> Iterator[Exception]:
    from jsonschema.exceptions import ValidationError

    if isinstance(text, str) and not finder(pattern)(text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


def _by_model(model: type[BaseModel]) -> Any:
    from pydantic import ValidationError

    def check(value: Any) -> tuple[Any, Any]:
        try:
            made = model.model_validate_json(json.dumps(value, allow_nan=False))
        except ValidationError as error:
            raise ValueError(_listed((each["loc"], each["msg"]) for each in error.errors(include_url=False))) from error
        return made, made.model_dump(mode="json", by_alias=True, round_trip=True)

    return check


def _schema_of(model: type[BaseModel]) -> Mapping[str, Any]:
    from pydantic.errors import PydanticInvalidForJsonSchema

    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        raise ValueError(f"{model.__name__} has no JSON schema: {error}") from error


def _listed(problems: Any) -> str:
    """`age`: Input should be a valid integer; ..."""
    told = []
    for place, message in list(problems)[:_PROBLEMS]:
        where = ".".join(map(str, place))
        short = message if len(message) <= _LONGEST_PROBLEM else f"{message[:_LONGEST_PROBLEM]}..."
        told.append(f"`{where}`: {short}" if where else short)
    return "; ".join(told)


def _texts_at(schema: object, *keywords: str) -> Iterator[str]:
    """What a schema and those within it say at these keywords."""
    if isinstance(schema, Mapping):
        for name, value in schema.items():
            if name in keywords and isinstance(value, str):
                yield value
            elif name not in ("const", "enum", "default", "examples"):  # in these it is data
                yield from _texts_at(value, *keywords)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _texts_at(value, *keywords)


@lru_cache(maxsize=256)
def _of_model(model: type[BaseModel]) -> ReplySchema:
    return ReplySchema(model)


@lru_cache(maxsize=256)
def _of_text(schema: str) -> ReplySchema:
    return ReplySchema(json.loads(schema))
