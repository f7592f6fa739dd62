"""An orchestrator's desk in one dialog: chance, models, the world outside, and its own notes, so that all repeats."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Any

import anyio

from ...engine.answer import answered
from ...engine.completion import Backend, Completion, CompletionRequest, Message, Parameters, Usage
from ...engine.dialog import Event
from ...engine.embedding import Embedder, Embeddings
from ...engine.errors import PlayactError, ReplyEmpty
from ...engine.messages import Consulted, Fact, Instructed, Noted, Thought, Uttered
from ...engine.minutes import row_of
from ...engine.performance import Performance
from ...engine.program.past import key_of
from ...engine.seeds import derive, generator
from ...engine.structured import ReplySchema
from ...engine.thinking import THINKING_PATTERN, Thinking

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ..agent import Agent

__all__ = ["Desk", "Lookahead", "NotRecorded"]

Lookahead = Callable[[], Awaitable[Completion]]
_EMPTY_REPLIES = 3


class NotRecorded(PlayactError):
    """A turn that is lived through again needs an answer that nobody was asked for when it was played."""


class Desk:
    """What an orchestrator reaches the world through, one turn after another.

    `facts` are what has come of the turn, to be published with it. Whatever is asked becomes `Consulted`; a turn that
    is lived through again takes those, and asks nobody.
    """

    __slots__ = (
        "_known",
        "_lookahead",
        "_one_at_a_time",
        "_performance",
        "_random",
        "_speaker",
        "_turn",
        "agent",
        "facts",
        "name",
    )

    def __init__(self, performance: Performance, agent: str, name: str, speaker: Agent) -> None:
        self.agent = agent
        self.name = name
        self.facts: list[Fact] = []
        self._performance = performance
        self._speaker = speaker
        self._one_at_a_time = anyio.Lock()  # the calls of a dialog are numbered
        self.begin()

    def begin(self, lookahead: Lookahead | None = None, known: Iterable[Consulted] | None = None) -> None:
        """Another turn. `known`: what was answered when it was played; then nobody is asked."""
        self.facts = []
        self._turn = len(self._performance.dialog)
        self._random: Random | None = None
        self._lookahead = lookahead
        self._known = None if known is None else deque(known)

    def begin_again(self, turn: int, known: Iterable[Consulted]) -> None:
        """A turn of the past, to be lived through."""
        self.begin(known=known)
        self._turn = turn

    @property
    def target(self) -> Agent:
        """The agent that is advised, as the dialog names it."""
        return self._speaker if self._speaker.name == self.agent else replace(self._speaker, name=self.agent)

    @property
    def random(self) -> Random:
        if self._random is None:
            self._random = generator(self._performance.seed, self.agent, self.name, "orchestrator", self._turn)
        return self._random

    @property
    def notes(self) -> Sequence[Event]:
        own = (fact for fact in self._so_far() if type(fact) is Noted and fact.by == self.name)
        return [row for fact in own if (row := row_of(fact, 0)) is not None]

    @property
    def given(self) -> int:
        return sum(type(fact) is Instructed and fact.label == self.name for fact in self._so_far())

    def render(self, template: str, values: Mapping[str, object]) -> str:
        return self._speaker.prompts.over(self._performance.prompts).render(template, **values)

    async def ask(self, question: str | Sequence[Message], model: str | Backend | None, parameters: Parameters) -> str:
        request = _request(question, parameters)
        async with self._one_at_a_time:
            key = f"ask {key_of(request)}"
            if (known := self._recorded(key)) is not None:
                return known
            performance = self._performance
            backend = await performance.backend(model or self._speaker.model)
            usage = Usage()
            for _ in range(_EMPTY_REPLIES):
                completion = await performance.complete_anew(backend, self._asked(request))
                usage += completion.usage
                if text := self._words(completion):
                    self.facts.append(Consulted(self.agent, self.name, key, text, usage))
                    return text
            raise ReplyEmpty(self.name, _EMPTY_REPLIES)

    async def ask_for(
        self,
        form: Mapping[str, Any] | type[BaseModel],
        question: str | Sequence[Message],
        model: str | Backend | None,
        parameters: Parameters,
    ) -> Any:
        schema = ReplySchema.of(form)
        request = _request(question, parameters)
        async with self._one_at_a_time:
            key = f"ask for {key_of(request)}"
            if (known := self._recorded(key)) is not None:
                return schema.check(known).value
            backend = await self._performance.backend(model or self._speaker.model)
            asker = _Asker(self._performance)
            answer = await answered(asker, backend, self._asked(request), schema, agent=self._own_name)
            self.facts += (*answer.facts, Consulted(self.agent, self.name, key, answer.text, answer.usage))
            return answer.value

    async def once(self, key: str, do: Callable[[], Awaitable[str]]) -> str:
        async with self._one_at_a_time:
            if (known := self._recorded(key)) is not None:
                return known
            (text,) = await self._performance.each_once([(f"{self._own_name} {key}", do)])
            self.facts.append(Consulted(self.agent, self.name, key, text))
            return text

    async def nearest(self, text: str, texts: Sequence[str], count: int, embedder: str | Embedder) -> list[int]:
        async def places() -> str:
            name = embedder if isinstance(embedder, str) else id(embedder)
            opened = partial(Embeddings.opened, embedder, self._performance.scope.bus.clock)
            embeddings = await self._performance.resources.get(("embedder", name), opened)
            return json.dumps(await embeddings.nearest(text, texts, count))

        asked = blake2b(repr((text, tuple(texts), count)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        found: list[int] = json.loads(await self.once(f"nearest {asked}", places))
        return found

    async def lookahead(self) -> str:
        async with self._one_at_a_time:
            if (known := self._recorded("lookahead")) is not None:
                return known
            if self._lookahead is None:
                raise PlayactError(f"{self.name} can look ahead only before {self.agent} speaks")
            completion = await self._lookahead()
            self.facts.append(Consulted(self.agent, self.name, "lookahead", completion.text, completion.usage))
            return completion.text

    def _so_far(self) -> Iterator[Noted | Instructed]:
        """What came of earlier turns for the agent; when one is lived through, later ones are not looked at."""
        turns = 0
        for record in self._performance.scope.log:
            fact = record.fact
            if type(fact) is Uttered:
                turns += 1
            elif turns >= self._turn and self._known is not None:
                return
            elif isinstance(fact, Noted | Instructed) and fact.agent == self.agent:
                yield fact

    @property
    def _own_name(self) -> str:
        return f"{self.agent}/{self.name}"

    def _asked(self, request: CompletionRequest) -> CompletionRequest:
        performance = self._performance
        sequence = performance.calls
        return replace(
            request,
            parameters=performance.parameters(request.parameters),
            seed=derive(performance.seed, self._own_name, sequence),
            dialog=performance.id,
            sequence=sequence,
            age=performance.number,
        )

    def _words(self, completion: Completion) -> str:
        text, thoughts = Thinking.of(THINKING_PATTERN).split(completion.text)
        told = dict.fromkeys((completion.thinking.strip(), *thoughts))
        self.facts += (Thought(self._own_name, thought) for thought in told if thought)
        return text.strip()

    def _recorded(self, key: str) -> str | None:
        """What was answered when this turn was played; None when it is being played now."""
        if self._known is None:
            return None
        if self._known and self._known[0].key == key:
            return self._known.popleft().text
        raise NotRecorded(f"{self._own_name} was not asked {key} in turn {self._turn}")


class _Asker:
    """The dialog as the one who asks."""

    def __init__(self, performance: Performance) -> None:
        self.seed = performance.seed
        self.complete = performance.complete_anew
        self._performance = performance

    @property
    def calls(self) -> int:
        return self._performance.calls


def _request(question: str | Sequence[Message], parameters: Parameters) -> CompletionRequest:
    messages = (Message("user", question),) if isinstance(question, str) else tuple(question)
    return CompletionRequest(messages=messages, parameters=parameters)
