"""A conversation with an agent: whoever writes the program is its partner, and says one thing after another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import anyio

from ..engine.actor import ActorRef
from ..engine.completion import Backend, Capabilities, Message, Usage
from ..engine.dialog import Context, Dialog, Ending, Event
from ..engine.errors import DialogFailed, PlayactError, SetupError, SimulationClosed
from ..engine.messages import Uttered
from ..engine.minutes import rows_so_far
from ..engine.performance import Performance
from ..engine.said import heard
from ..engine.simulation import Simulation
from .agent import Agent
from .chat_messages import as_dict, message_of
from .exchange import LEAVING, LEFT, Cue, Exchange

__all__ = ["Conversation"]

R = TypeVar("R")
_CANCELLED = Ending(reason="cancelled")


class Conversation:
    """A dialog of an agent with its caller; use it as an async context manager, and call it with what is said.

    It is played as every dialog is, by `simulation` where one is given, as one of its live dialogs, else by one of its
    own with `model`: tools, orchestrators, budget, retries and the journal are as there. All work is done in the task
    that calls; leaving the block ends the dialog, and nothing is left behind. A call that is cancelled gives up the
    turn, of which no trace is left but what the partner said; the next one goes on. Calls made at once take turns.

    seed: decides the dialog's choices. history: what was said before, as messages; see `Agent.__call__`.

    Entering raises `SetupError` when the model cannot be used, ValueError for what is no message.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        context: Context | str | None = None,
        seed: int | None = None,
        model: str | Backend | None = None,
        simulation: Simulation | None = None,
        partner: str = "User",
        history: Iterable[Message | Mapping[str, Any]] = (),
    ) -> None:
        chat = tuple(as_dict(message_of(each)) for each in history)
        self._exchange = Exchange.of(agent, partner, context=context, seed=seed, history=chat)
        self._given = simulation
        self._model = model
        self._instructions: list[tuple[str, bool]] = []
        self._one_at_a_time = anyio.Lock()
        self._open = AsyncExitStack()
        self._simulation: Simulation | None = None
        self._performance: Performance | None = None
        self._agent: ActorRef
        self._capabilities = Capabilities()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            simulation = self._given
            if simulation is None:
                own = Simulation(model=self._model, seed=self._exchange.seed, concurrency=1)
                simulation = await stack.enter_async_context(own)
            if not simulation.is_open:
                raise SimulationClosed
            await simulation.admission.admit()
            stack.callback(simulation.admission.retire)
            self._simulation = simulation
            stack.push_async_exit(self._left)
            await self._current()
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, at)

    @overload
    async def __call__(self, utterance: str = "", return_events: Literal[False] = False) -> str | None: ...
    @overload
    async def __call__(self, utterance: str = "", *, return_events: Literal[True]) -> list[Event] | None: ...
    async def __call__(self, utterance: str = "", return_events: bool = False) -> str | list[Event] | None:
        """What the agent answers; None once it has finished. Where nothing is said to it, it speaks on its own.

        With `return_events` all that happened in its turn, its last one too. Raises `DialogFailed`, with what was said
        until then, when no answer can be had; after that only `reset` helps.
        """
        async with self._one_at_a_time:
            performance = await self._current()
            if self._is_over(performance):
                return None
            log, before = performance.scope.log, len(performance.scope.log)
            await self._done(performance, partial(self._say, performance, utterance))
        name = self._exchange.names[0]
        own = [record for record in log[before:] if getattr(record.fact, "agent", None) == name]
        if return_events:
            return rows_so_far(own)
        said = [heard(fact.all_parts, self.partner) for fact in (r.fact for r in own) if isinstance(fact, Uttered)]
        return said[-1] if said else None

    def instruct(self, text: str, persist: bool = False) -> None:
        """Tells the agent something before it answers next: for that answer, or for all that follow."""
        self._instructions.append((text, persist))

    async def response_lookahead(self, utterance: str | None = None) -> str:
        """What the agent would answer. It remembers nothing of it, its orchestrators are not asked, no tool is called.

        Raises as a call does, and `PlayactError` when the dialog is over.
        """
        async with self._one_at_a_time:
            performance = await self._current()
            if self._is_over(performance):
                raise PlayactError("the agent has finished, so there is nothing to look ahead to; call reset() first")
            return await self._done(performance, partial(self._foresee, performance, utterance or ""))

    def reset(
        self,
        seed: int | None = None,
        context: Context | str | None = None,
        example_dialogs: Sequence[Dialog] | None = None,
    ) -> None:
        """Begins anew with the next call: another dialog, in which the agent remembers nothing of this one.

        What is None stays as it was. The dialog until now ends as cancelled, unless it was over.
        """
        if (performance := self._performance) is not None and performance.dialog.ending is None:
            performance.cancel()
            performance.end(Ending(reason="cancelled", detail="reset"))
        old = self._exchange
        agent, partner = old.cast
        self._exchange = Exchange(
            cast=(agent if example_dialogs is None else replace(agent, example_dialogs=example_dialogs), partner),
            context=old.context if context is None else context,
            seed=old.seed if seed is None else seed,
        )
        self._instructions.clear()
        self._performance = None

    def memory_dump(self) -> list[dict[str, Any]]:
        """The agent's chat so far, its instructions first, in the form of chat completions."""
        simulation, performance, part = self._played_by, self._performance, self._exchange.part
        prompt = part.prompt_for(self._capabilities, simulation.prompts)
        facts = () if performance is None else (record.fact for record in performance.scope.log)
        return [as_dict(message) for message in part.memory(prompt, facts).remembered]

    @property
    def dialog(self) -> Dialog:
        """What was said until now, and how it came about; a copy, which is the caller's own."""
        if self._performance is None:
            return self._exchange.dialog()
        dialog = self._performance.dialog.model_copy(deep=True)
        if dialog.ending is None:
            dialog.events = rows_so_far(self._performance.scope.log)
        return dialog

    @property
    def partner(self) -> str:
        """What the agent knows its caller by."""
        return self._exchange.names[1]

    @property
    def _played_by(self) -> Simulation:
        if self._simulation is None:
            raise PlayactError("a conversation is entered first: async with agent.conversation() as chat: ...")
        return self._simulation

    async def _current(self) -> Performance:
        """The dialog that goes on, a new one if there is none."""
        simulation = self._played_by
        if not simulation.is_open:
            raise SimulationClosed
        if self._performance is None:
            performance = simulation.take_up(self._exchange)
            try:
                await self._done(performance, partial(self._begin, performance))
            except BaseException:
                _end(performance)
                raise
            self._performance = performance
        return self._performance

    async def _begin(self, performance: Performance) -> None:
        exchange = self._exchange
        self._capabilities = (await performance.backend(exchange.cast[0].model)).capabilities
        await performance.begin()
        self._agent = await exchange.begin(performance)

    async def _say(self, performance: Performance, utterance: str) -> None:
        exchange, cue = self._exchange, Cue("say", utterance, tuple(self._instructions))
        ending = await exchange.speak(performance, self._agent, await exchange.cued(performance, lambda: cue))
        del self._instructions[: len(cue.instructions)]  # some may have been given meanwhile
        if ending is not None:
            performance.end(await exchange.ended(performance, ending))

    async def _foresee(self, performance: Performance, utterance: str) -> str:
        exchange, cue = self._exchange, Cue("lookahead", utterance, tuple(self._instructions))
        foreseen = await exchange.foresee(performance, self._agent, await exchange.cued(performance, lambda: cue))
        if (manner := exchange.part.manner) is None:
            return foreseen.text
        uttered = manner.uttered(foreseen.text, Usage())
        return "" if uttered is None else heard(uttered.all_parts, self.partner)

    async def _leave(self, performance: Performance) -> None:
        await self._exchange.cued(performance, lambda: LEAVING)
        performance.end(await self._exchange.ended(performance, LEFT))

    async def _done(self, performance: Performance, work: Callable[[], Awaitable[R]]) -> R:
        """Raises `DialogFailed` when the dialog ends over it; what is the user's to put right as it is."""
        failure: Exception | None = None
        with anyio.CancelScope() as cancel_scope:
            performance.scope.task = cancel_scope
            try:
                if not performance.is_called_off:
                    return await work()
            except Exception as error:
                failure = error
            finally:
                performance.scope.task = None
        _end(performance, failure)
        if isinstance(failure, SetupError):
            raise failure
        raise _failed(performance) from failure

    def _is_over(self, performance: Performance) -> bool:
        """Whether the agent has finished. Raises `DialogFailed` when the dialog ended otherwise."""
        ending = performance.dialog.ending
        if ending is not None and ending.reason != "finished":
            raise _failed(performance)
        return ending is not None

    async def _left(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        simulation, performance = self._played_by, self._performance
        if not simulation.is_open:
            return  # which has ended the dialog too
        if performance is not None and performance.dialog.ending is None:
            try:
                if kind is None:
                    await self._done(performance, partial(self._leave, performance))
            finally:
                _end(performance)
        if kind is None:
            await simulation.settled()


def _end(performance: Performance, failure: Exception | None = None) -> None:
    """Cut short, unless it is over."""
    if performance.dialog.ending is None:
        performance.end(_CANCELLED, failure)


def _failed(performance: Performance) -> DialogFailed:
    ending = performance.dialog.ending
    assert ending is not None
    return DialogFailed(performance.dialog, ending.error or " ".join(filter(None, (ending.reason, ending.detail))))
