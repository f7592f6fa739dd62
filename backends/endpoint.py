"""Where a system under test is asked, and how: what of a dialog it is sent, and where in its answer the words are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from string import Template
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

from ..engine.completion import CompletionRequest
from ..engine.errors import SetupError

__all__ = ["Endpoint"]

_BODY: Mapping[str, Any] = {"session_id": "{session}", "message": "{text}"}
_WHERE = 'say where its words are, as in reply="choices.0.message.content", or api="openai" for chat completions'
_HOLE = re.compile(r"\{(text|session)\}")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})")
_IN_ADDRESS = re.compile(rf"(?<=[=/?]){_VARIABLE.pattern}(?=[&;#/?]|$)")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """As `ProxyAgent` has it, whose fields these are; its text is the name of the backend after "proxy:".

    Raises `SetupError` for an address that is none.
    """

    url: str
    api: Literal["json", "openai"] = "json"
    model: str = "default"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=lambda: dict(_BODY))
    reply: str = "reply"
    timeout_s: float = 120.0
    in_flight: int | None = None

    def __post_init__(self) -> None:
        try:
            address = urlsplit(self.url)
            is_good = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
        except ValueError:
            is_good = False
        if not is_good:
            raise SetupError(f"{self.url!r} is no address to ask; one begins with http:// or https://")

    @classmethod
    def parse(cls, text: str) -> Self:
        """A URL alone, or the fields as JSON. Raises `SetupError`."""
        if not text.startswith("{"):
            return cls(url=text)
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise SetupError(f"this says no endpoint: {error}") from error

    @property
    def place(self) -> str:
        """Without what may be secret."""
        address = urlsplit(self.url)
        return f"{address.netloc.rpartition('@')[2]}{address.path}"

    @property
    def address(self) -> str:
        parts = urlsplit(self.url)
        return parts._replace(path=parts.path or "/").geturl()

    def filled_headers(self) -> dict[str, str]:
        """With our environment's values in them. Raises `SetupError` for what is not set there."""
        return {name.lower(): self._valued(text) for name, text in self.headers.items()}

    def filled(self) -> tuple[Self, tuple[str, ...]]:
        """With our environment's values where the address or the body says `$NAME` alone, and these values."""
        values: list[str] = []

        def valued(text: str) -> str:
            values.append(self._valued(text))
            return values[-1]

        url = _IN_ADDRESS.sub(lambda found: quote(valued(found[0]), safe=""), self.url)
        body = {name: _with_variables(each, valued) for name, each in self.body.items()}
        return replace(self, url=url, body=body), tuple(values)

    def _valued(self, text: str) -> str:
        try:
            return Template(text).substitute(os.environ)
        except KeyError as error:
            raise SetupError(f"{self.place} needs the environment variable {error.args[0]}") from error
        except ValueError as error:
            raise SetupError(f"{self.place}: {error}; $$ stands for a dollar sign") from error

    def body_of(self, request: CompletionRequest) -> dict[str, Any]:
        """What is sent: the words that a user would see, and nothing that agents are told."""
        seen = [message for message in request.messages if message.role in ("user", "assistant") and message.text]
        text = seen[-1].text if seen and seen[-1].role == "user" else ""
        values = {"text": text, "session": request.dialog}
        messages = [{"role": message.role, "content": message.text} for message in seen]
        filled: dict[str, Any] = _filled(dict(self.body), values, messages)
        return filled

    def words_of(self, content: Any) -> str:
        """Raises LookupError where there are none."""
        for step in self.reply.split(".") if self.reply else ():
            try:
                content = content[int(step)] if isinstance(content, list) else content[step]
            except (KeyError, IndexError, TypeError, ValueError):
                raise LookupError(f"its answer has nothing at {self.reply!r}; {_WHERE}") from None
        if not isinstance(content, str):
            raise LookupError(f"its answer has no text at {self.reply!r}; {_WHERE}")  # noqa: TRY004  # of its content
        return content


def _with_variables(template: Any, valued: Callable[[str], str]) -> Any:
    if isinstance(template, Mapping):
        return {name: _with_variables(each, valued) for name, each in template.items()}
    if isinstance(template, list | tuple):
        return [_with_variables(each, valued) for each in template]
    return valued(template) if isinstance(template, str) and _VARIABLE.fullmatch(template) else template


def _filled(template: Any, values: Mapping[str, str], messages: list[dict[str, str]]) -> Any:
    """In one pass, so that nobody's words are taken for a hole."""
    if isinstance(template, Mapping):
        return {name: _filled(each, values, messages) for name, each in template.items()}
    if isinstance(template, list | tuple):
        return [_filled(each, values, messages) for each in template]
    if template == "{messages}":
        return messages
    return _HOLE.sub(lambda hole: values[hole[1]], template) if isinstance(template, str) else template
