"""What is wrong inside of something, told with its place in the whole, so that a file's line can be found."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

__all__ = ["inside", "problem"]

Place = int | str


def problem(message: str, *place: Place) -> ValidationError:
    """Of one's own words. A validator may raise it: what holds the value puts its own place before this one."""
    return _error([_detail("value_error", message, {}, place, None)])


def inside(error: ValidationError, *place: Place) -> ValidationError:
    """The same problems, each at a place within this one."""
    return _error(
        [
            _detail(each["type"], each["msg"], each.get("ctx", {}), (*place, *each["loc"]), each["input"])
            for each in error.errors(include_url=False)
        ]
    )


def _detail(kind: str, told: str, said: dict[str, object], place: tuple[Place, ...], value: object) -> InitErrorDetails:
    # The type stays what it is, for that tells what to say to a person; a message in braces would be a form to fill in.
    type_ = PydanticCustomError(kind, "{told}", {**said, "told": told})
    return InitErrorDetails(type=type_, loc=place, input=value)


def _error(details: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data("scenario", details)
