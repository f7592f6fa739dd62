"""The actor that plays an agent in one dialog: it listens, takes advice, asks its model, and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from sys import intern

from ..engine.actor import Actor, ActorRef, handles
from ..engine.completion import Backend, Capabilities, Completion, CompletionRequest, ToolCall, Usage
from ..engine.dialog import Context
from ..engine.errors import ReplyEmpty, ReplyInvalid, ReplyUnfit
from ..engine.messages import (
    Consulted,
    EndMarked,
    Fact,
    Instructed,
    ReplyRejected,
    ReplyRepaired,
    Request,
    Thought,
    ToolCalled,
    ToolReturned,
    ToolsWithheld,
    Uttered,
)
from ..engine.performance import Performance
from ..engine.quick import quick
from ..engine.seeds import derive, generator
from ..engine.structured import Checked, ReplySchema
from ..engine.thinking import Thinking
from .agent import Agent
from .endings import without_marker
from .flaws import Watch
from .mcp_tools import with_servers
from .memory import Memory
from .orchestrators import Advise, Orchestrator
from .prompts import PACKAGED, Prompts, is_short_for, system_prompt
from .seats import HumanSeat
from .speech import Manner
from .tools import Toolbox

__all__ = ["AgentActor", "LookAhead", "Part", "TakeTurn"]

_EMPTY_REPLIES = 3


@dataclass(frozen=True, kw_only=True)
class Part:
    """An agent's part in a scenario, the same in every dialog played from it: what it needs is made once."""

    agent: Agent
    name: str
    others: tuple[str, ...]
    context: Context | str | None
    toolbox: Toolbox | None
    prompts: Prompts
    advisers: tuple[tuple[str, Orchestrator], ...]
    manner: Manner | None = None
    watch: Watch | None = None

    def prompt_for(self, capabilities: Capabilities, of_run: Mapping[str, str] = PACKAGED) -> str:
        """The agent's instructions, in the style that it asks for or that suits the model.

        `of_run` is what the run has instead of the packaged templates. Raises `PromptInvalid`.
        """
        key = (is_short_for(self.agent, capabilities), Prompts.of_run(of_run))
        if (prompt := self._told.get(key)) is None:
            is_short, prompts = key[0], self.prompts.over(key[1])
            prompt = system_prompt(self.agent, self.name, self.others, self.context, is_short=is_short, prompts=prompts)
            if self.manner is not None and self.agent.system_prompt is None:
                prompt = " ".join(part for part in (prompt, self.manner.told(prompts)) if part)
            prompt = self._told[key] = intern(prompt)  # many scenarios, one string
        return prompt

    def memory(self, prompt: str = "", facts: Iterable[Fact] = ()) -> Memory:
        """What the agent remembers of a dialog."""
        is_human = isinstance(self.agent, HumanSeat)
        memory = Memory(
            prompt,
            self.name,
            names_speakers=len(self.others) > 1 or is_human,
            hears=self.agent.preprocess,
            is_cued=not is_human,
        )
        for fact in facts:
            memory.take(fact)
        return memory

    @cached_property
    def _told(self) -> dict[tuple[bool, Prompts], str]:
        return {}

    @cached_property
    def schema(self) -> ReplySchema | None:
        form = self.agent.response_schema
        if form is not None:
            return ReplySchema.of(form)
        return None if self.manner is None else self.manner.schema

    @cached_property
    def thinking(self) -> Thinking | None:
        pattern = self.agent.thinking_pattern
        return None if pattern is None else Thinking.of(pattern)


@quick
@dataclass(frozen=True, slots=True)
class TakeTurn(Request[tuple[Fact, ...]]):
    """Asks an agent to speak. The answer is the turn as its speaker leaves it: facts still to be published.

    advice: what it is told beside what its orchestrators say.
    """

    advice: tuple[Instructed, ...] = ()


@dataclass(frozen=True, slots=True)
class LookAhead(Request[Completion]):
    """Asks an agent what it would say, had it just heard `heard`, where that is not None, and had this advice.

    No orchestrator is asked and no tool is offered. Nothing of it is published, or stays in the agent's memory.
    """

    heard: Uttered | None
    advice: tuple[Instructed, ...] = ()


@dataclass(slots=True)
class _Draft:
    """What a turn has come to so far; it counts for nothing until the stage publishes it."""

    attempts: int
    facts: list[Fact] = field(default_factory=list)
    usage: Usage = Usage()


class AgentActor(Actor):
    """Plays an agent. Its memory is a fold over the dialog's facts: a turn given up half-way leaves no trace in it."""

    __slots__ = (
        "_advisers",
        "_agent",
        "_backend",
        "_memory",
        "_name",
        "_parameters",
        "_part",
        "_performance",
        "_toolbox",
    )

    def __init__(self, part: Part, advisers: Sequence[ActorRef], performance: Performance) -> None:
        self._part = part
        self._agent = part.agent
        self._name = part.name
        self._toolbox = part.toolbox
        self._advisers = advisers
        self._performance = performance
        self._parameters = performance.parameters(part.agent.model_parameters)
        self._backend: Backend | None = None
        self._memory = part.memory()

    def fold(self, fact: Fact) -> None:
        self._memory.take(fact)

    @handles(TakeTurn)
    async def take_turn(self, request: TakeTurn) -> tuple[Fact, ...]:
        """Raises `BackendError` when the model cannot be had, `ReplyEmpty` when it keeps saying nothing, `ReplyUnfit`
        when what it says never has the form that was asked for.
        """
        attempts = 0
        advice = await self._advice() if self._advisers else ()
        if request.advice:
            advice = (*request.advice, *advice)
        while True:
            draft = _Draft(attempts, [*advice])
            try:
                return self._turn(draft, *await self._well_said(draft))
            except (ReplyEmpty, ReplyInvalid) as error:
                attempts += 1
                if not self._performance.may_take_turn_again(error, attempts):
                    raise

    @handles(LookAhead)
    async def look_ahead(self, request: LookAhead) -> Completion:
        """Raises `BackendError` when the model cannot be had."""
        return await self._lookahead(request.heard, request.advice)

    async def _advice(self) -> Sequence[Fact]:
        """Asked for once a turn, however often the turn is tried: an orchestrator may count its turns."""
        advice: list[Fact] = []
        for adviser in self._advisers:
            given = await self.ask(adviser, Advise(self._memory.last_heard, self._lookahead))
            advice += given
        if any(type(fact) is Consulted for fact in advice):
            self._performance.settle()
        return advice

    async def _lookahead(self, heard: Uttered | None = None, advice: Sequence[Fact] = ()) -> Completion:
        """What it would say now, without this turn's advice: no tool is offered, and nothing of it is remembered."""
        if self._memory.is_blank and heard is None and self._agent.first_utterance:
            return Completion(text=self._opening())
        backend = self._backend or await self._opened()
        draft = _Draft(0, list(advice))
        request = self._request(draft, backend.capabilities, offers_tools=False)
        if heard is not None:
            prompt = self._part.prompt_for(backend.capabilities, self._performance.prompts)
            memory = self._part.memory(prompt, (*(record.fact for record in self._performance.scope.log), heard))
            request = replace(request, messages=memory.messages(draft.facts))
        seed = derive(self._performance.seed, self._name, "lookahead", request.sequence)
        completion = await self._performance.complete_anew(backend, replace(request, seed=seed))
        text, _ = self._words(self._said(completion, draft))
        return replace(completion, text=text)

    def _turn(self, draft: _Draft, text: str, has_finished: bool) -> tuple[Fact, ...]:
        """Raises `ReplyEmpty` where nothing is left to say."""
        manner = self._part.manner
        if manner is not None and (uttered := manner.uttered(text, draft.usage, draft.facts)) is not None:
            draft.facts.append(uttered)
        elif manner is None and text:
            draft.facts.append(Uttered(self._name, text, draft.usage))
        elif not has_finished:
            raise ReplyEmpty(self._name, 1)  # after its own postprocessing
        if has_finished:
            draft.facts.append(EndMarked(self._name))
        return tuple(draft.facts)

    def _opening(self) -> str:
        openings = self._agent.openings
        if len(openings) == 1:
            return openings[0]
        return generator(self._performance.seed, self._name, "first utterance").choice(openings)

    async def _well_said(self, draft: _Draft) -> tuple[str, bool]:
        """What the others are to hear; its flaws are noted, and it is asked for again where they are to be retried."""
        if self._memory.is_blank and self._agent.first_utterance:
            return self._processed(self._opening()), False
        watch, retries = self._part.watch, 0
        while True:
            text, has_finished = await self._reply(draft)
            text = self._processed(text)
            is_told_by_tool = bool(draft.facts) and type(draft.facts[-1]) is ToolReturned
            if watch is None or is_told_by_tool or self._part.schema is not None:
                return text, has_finished
            # As the agent hears it: an echo of what it did not hear is none, and would tell of it.
            flaws = watch.flaws_in(text, self._performance.as_heard(self._name).turns)
            if not flaws:
                return text, has_finished
            is_retried = watch.retries(flaws, retries)
            draft.facts += watch.notes(flaws, text, is_retried=is_retried)
            if not is_retried:
                return text, has_finished
            retries += 1

    def _processed(self, text: str) -> str:
        return text if self._agent.postprocess is None else self._agent.postprocess(text)

    async def _reply(self, draft: _Draft) -> tuple[str, bool]:
        """The model's words, and whether it means to end the dialog; the tools that it asks for answer meanwhile."""
        performance, agent = self._performance, self._agent
        backend = self._backend
        if backend is None:
            backend = self._backend = await self._opened()
        tool_rounds = empty_replies = unfit_replies = 0
        while empty_replies < _EMPTY_REPLIES:
            request = self._request(draft, backend.capabilities, offers_tools=tool_rounds < agent.max_tool_rounds)
            completion = await performance.complete(backend, request)
            draft.usage = draft.usage + completion.usage if draft.usage.total_tokens else completion.usage
            said = self._said(completion, draft)
            if completion.tool_calls and self._toolbox is not None and tool_rounds < agent.max_tool_rounds:
                tool_rounds += 1
                if reply := await self._use(self._toolbox, completion.tool_calls, draft):
                    return reply, False
                if tool_rounds == agent.max_tool_rounds:
                    draft.facts.append(ToolsWithheld(self._name, tool_rounds))
                continue
            text, has_finished = self._words(said)
            if text and self._part.schema is not None:
                checked = self._checked(self._part.schema, text, completion, draft)
                if checked.problem:
                    unfit_replies += 1
                    if unfit_replies > agent.corrections:
                        raise ReplyUnfit(backend.name, checked.problem, self._name, unfit_replies)
                    continue
                text = checked.text
            if text or has_finished or self._has_whispered(draft):
                return text, has_finished and agent.can_finish
            empty_replies += 1
        raise ReplyEmpty(self._name, empty_replies)

    def _has_whispered(self, draft: _Draft) -> bool:
        manner = self._part.manner
        return manner is not None and manner.has_whispered(draft.facts)

    async def _use(self, toolbox: Toolbox, calls: Sequence[ToolCall], draft: _Draft) -> str:
        """Calls tools, several at the same time; the words of one whose answer is the reply, "" where there is none."""
        asked = [(f"{call.name} {call.id} {call.arguments}", partial(toolbox.call, call)) for call in calls]
        reply = ""
        for call, output in zip(calls, await self._performance.each_once(asked), strict=True):
            draft.facts += (
                ToolCalled(self._name, call.name, toolbox.arguments(call), call.id),
                ToolReturned(self._name, call.name, output, call.id),
            )
            if not reply and toolbox.is_final(call.name) and not output.startswith("Error:"):
                reply = output.strip()
        return reply

    def _said(self, completion: Completion, draft: _Draft) -> str:
        """The reply without what the model only thought, of which each thought is noted once."""
        thinking = self._part.thinking
        text, thoughts = (completion.text, ()) if thinking is None else thinking.split(completion.text)
        if completion.thinking or thoughts:
            native = completion.thinking.strip()
            draft.facts += (Thought(self._name, thought) for thought in dict.fromkeys((native, *thoughts)) if thought)
        return text

    def _checked(self, schema: ReplySchema, text: str, completion: Completion, draft: _Draft) -> Checked:
        """Whether the reply has the form asked for; what is told of that goes into the draft, where memory finds it."""
        checked = schema.check(text, is_cut_off=completion.finish == "length")
        if checked.problem:
            draft.facts.append(ReplyRejected(self._name, text, checked.problem))
        elif checked.is_repaired:
            draft.facts.append(ReplyRepaired(self._name, text))
        return checked

    def _words(self, text: str) -> tuple[str, bool]:
        """What is said aloud: without the speaker's own name before it, and the end marker."""
        text = text.strip()
        if text.startswith(f"{self._name}:"):
            text = text[len(self._name) + 1 :].lstrip()
        return without_marker(text)

    async def _opened(self) -> Backend:
        """The model. Raises `SetupError`; one that cannot think is not asked to, which is told once a run."""
        performance, agent = self._performance, self._agent
        backend = await performance.backend(agent.model)
        if agent.think and not backend.capabilities.thinking:
            performance.warn_once("think.ignored", agent=self._name, backend=backend.name)
        part, prompts = self._part, performance.prompts
        self._memory.instruct(part.prompt_for(backend.capabilities, prompts), part.prompts.over(prompts))
        if self._toolbox is not None and self._toolbox.servers and not performance.is_replay:
            self._toolbox = await with_servers(self._toolbox, performance.resources)
        return backend

    def _request(self, draft: _Draft, capabilities: Capabilities, *, offers_tools: bool) -> CompletionRequest:
        performance, agent = self._performance, self._agent
        sequence = performance.calls
        request = CompletionRequest(
            messages=self._memory.messages(draft.facts),
            parameters=self._parameters,
            seed=derive(performance.seed, self._name, sequence),
            tools=self._toolbox.specs if self._toolbox is not None and offers_tools else (),
            think=(agent.think or None) if capabilities.thinking else None,
            dialog=performance.id,
            sequence=sequence,
            attempt=draft.attempts,
            age=performance.number,
        )
        schema = self._part.schema
        return request if schema is None else schema.asked(request, capabilities)
