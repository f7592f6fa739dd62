"""A person at the terminal, in the place of a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import anyio

from ..engine.completion import Capabilities, Completion, CompletionRequest, Message
from ..engine.description import Description
from ..engine.errors import SetupError
from ..engine.said import END_MARKER
from .terminal import Terminal

__all__ = ["HumanBackend"]

_LEAVE = "/quit"


class HumanBackend:
    """Shows what the others have said since the person spoke last, and answers with the line that is typed then.

    "/quit", and the end of the input (Ctrl-D), end the person's part. One line is asked for at a time, and waiting for
    it holds nothing else up. A person who changes over to another dialog, or another seat, is told what was said in it.
    """

    def __init__(self, terminal: Terminal | None = None) -> None:
        self.name = "human"
        self.capabilities = Capabilities(in_flight=1, max_tokens=1)
        self._terminal = terminal or Terminal()
        self._turn = anyio.Lock()
        self._seat: tuple[str, str] | None = None

    @classmethod
    def from_name(cls, name: str) -> Self:
        """There is one person only. Raises `SetupError` for a name after the colon."""
        if name:
            raise SetupError(f'there is one person at the terminal, "human"; {name!r} is nobody else')
        return cls()

    @classmethod
    def describe(cls) -> Description:
        return Description()

    async def open(self) -> None:
        """Nothing is shown yet."""

    async def complete(self, request: CompletionRequest) -> Completion:
        async with self._turn:
            self._tell(request)
            while True:
                self._terminal.show("> ", end="")
                line = await self._terminal.line()
                if line is None:
                    self._terminal.show("")
                if line is None or line.strip() == _LEAVE:
                    return Completion(text=END_MARKER, model=self.name)
                if line.strip():
                    return Completion(text=line.strip(), model=self.name)

    async def aclose(self) -> None:
        """What was typed and not asked for is left."""

    def _tell(self, request: CompletionRequest) -> None:
        seat = (request.dialog, request.messages[0].text)
        if seat != self._seat:
            self._seat = seat
            self._terminal.show(f"--- {request.messages[0].text}")
            news: Iterable[Message] = request.messages[1:]
        else:
            news = _since_own(request.messages)
        for message in news:
            if message.text:
                self._terminal.show({"assistant": "> ", "system": "(hint) "}.get(message.role, "") + message.text)

    def __repr__(self) -> str:
        return "<HumanBackend>"


def _since_own(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    own = [place for place, message in enumerate(messages) if message.role == "assistant"]
    return messages[own[-1] + 1 :] if own else messages[1:]
