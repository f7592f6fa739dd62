"""An agent: who speaks, how, with which model. A specification that never changes; thousands of dialogs share one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, replace
from json import dumps, loads
from typing import TYPE_CHECKING, Annotated, Any, Literal, overload

from pydantic import BeforeValidator, ConfigDict, Field, SkipValidation, model_validator
from pydantic.dataclasses import dataclass

from ..engine.attributes import AttributeModel
from ..engine.completion import Backend, Capabilities, Message, Parameters, Think
from ..engine.dialog import Context, Dialog, Event
from ..engine.errors import DialogFailed
from ..engine.simulation import Simulation
from ..engine.thinking import THINKING_PATTERN
from . import agent_fields as forms
from .flaws import Manners
from .orchestrators import Orchestrator
from .personas.named import WrittenPersona, persona_from
from .prompts import PACKAGED, RESPONSE_DETAILS, Prompts, prompts_of
from .speech.channel import OwnChannels

if TYPE_CHECKING:
    from .conversation import Conversation

__all__ = ["Agent"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
class Agent:
    """Who speaks. `agent | orchestrator` is a new agent that takes the orchestrator's advice too.

    persona: who the agent is, a `Persona` or any other class of attributes; its name is the agent's, too.
    name: what the others call it instead; its prompt then tells both names.
    context: where its dialogs take place, unless they say so.
    first_utterance: its opening words, or several to choose from, when it speaks first; no model is asked.
    dialogue_details, response_details: what the prompt says of the conversation and of each reply.
    example_dialogs: shown in the prompt.
    tools: functions, sync or async, that its model may call, and `MCPServer`s; see `Toolbox`. Those that it asks for
        in one reply run at the same time.
    tool_timeout_s: how long one call may take, where the tool does not say itself.
    max_tool_rounds: in how many replies of one turn its model may ask for tools; then it is asked without any.
    response_schema: the form of its replies, a JSON schema or a pydantic model. A turn's text is then the JSON of the
        value; small slips are put right, and a reply that does not fit is asked for again. Patterns in it take no
        longer than the text is long, but for those with look-around.
    corrections: how often in a turn it is told what does not fit, and asked again.
    think: asks the model to reason first, where the backend can; "low", "medium" or "high" says how much.
    thinking_pattern: a regular expression for thoughts that stand among the words; None takes all for words.
    channels: what its turns may be beside speech, such as "action" and "thought"; None for what the scenario says.
    can_finish: whether it may end the dialog (by the marker that the prompt tells it).
    orchestrators: they advise it before it speaks, in this order.
    manners: what becomes of replies that give away a model, such as echoes; one word, as in "retry", is for all kinds.
        None is as the scenario says; see `Manners`.
    system_prompt: used as it is, instead of the prompt made of all this.
    prompt_style: whether that prompt is "short", for models that lose the thread, or "full"; None leaves it to the
        backend, which knows its model.
    prompts: templates of its own, instead of those of the scenario, the simulation or playact: a folder of files such
        as `persona_agent.j2`, or texts or files by name. See `Prompts`.
    preprocess, postprocess: applied to every text it hears, and once to every text it says.
    model: "backend:model" or a Backend; None for the simulation's own.
    model_parameters: how its model samples; what is left out is as the simulation says.
    """

    prompt_template = "persona_agent"  # of every agent of a class; it has a short form too

    persona: Annotated[AttributeModel | None, BeforeValidator(persona_from), WrittenPersona] = None
    name: str | None = None
    context: Context | str | None = None
    first_utterance: forms.Utterances = ()
    dialogue_details: str = ""
    response_details: str = RESPONSE_DETAILS
    example_dialogs: forms.Examples = ()
    tools: forms.Tools = ()
    _: KW_ONLY
    tool_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    max_tool_rounds: Annotated[int, Field(ge=1)] = 8
    response_schema: forms.ReplyForm = None
    corrections: Annotated[int, Field(ge=0)] = 2
    think: Think = False
    thinking_pattern: forms.ThoughtPattern = THINKING_PATTERN
    channels: OwnChannels = None
    can_finish: bool = True
    manners: Annotated[Manners | None, BeforeValidator(Manners.of)] = None
    orchestrators: forms.Orchestrators = ()
    system_prompt: str | None = None
    prompt_style: Literal["short", "full"] | None = None
    prompts: Annotated[SkipValidation[Prompts], BeforeValidator(prompts_of)] = PACKAGED
    preprocess: Callable[[str], str] | None = None
    postprocess: Callable[[str], str] | None = None
    model: str | SkipValidation[Backend] | None = None
    model_parameters: Parameters = Parameters()

    @model_validator(mode="before")
    @classmethod
    def _by_our_names(cls, said: Any) -> Any:
        return forms.by_our_names(said, tuple(cls.__dataclass_fields__))

    if not TYPE_CHECKING:  # a checker knows what there is

        def __getattr__(self, name: str) -> Any:
            """Asked for what there is not. Raises AttributeError, which says what to say instead."""
            raise AttributeError(forms.not_here(name), name=name, obj=self)

    def __or__(self, orchestrator: Orchestrator | Iterable[Orchestrator]) -> Agent:
        """A new agent with more orchestrators, asked in the order of attaching."""
        return replace(self, orchestrators=(*self.orchestrators, *forms.orchestrators(orchestrator)))

    @property
    def openings(self) -> tuple[str, ...]:
        """The first utterances to choose from; none when a model is to find its own."""
        return forms.several(self.first_utterance or None)

    @property
    def own_name(self) -> str:
        """Its name, "" when neither it nor its persona has one."""
        name = self.name if self.name is not None else getattr(self.persona, "name", None)
        return "" if name is None else str(name)

    def get_name(self, default: str = "") -> str:
        """Its name, or `default` when it has none."""
        return self.own_name or default

    def prompt(self, *, partner: str = "User", context: Context | str | None = None) -> str:
        """Its instructions for a conversation with `partner`, as a model that is not small is given them."""
        from .exchange import Exchange

        return Exchange.of(self, partner, context=context).part.prompt_for(Capabilities())

    @overload
    def json(self, string: Literal[False] = False, indent: int = 2) -> dict[str, Any]: ...
    @overload
    def json(self, string: Literal[True], indent: int = 2) -> str: ...
    def json(self, string: bool = False, indent: int = 2) -> dict[str, Any] | str:
        """Who it is, for a record of a dataset, without what is code; a journal's recipe holds all of it."""
        content = {
            "name": self.own_name or None,
            "model": getattr(self.model, "name", self.model),
            "first_utterances": list(self.openings),
            "persona": self.persona.json() if self.persona else None,
            "orchestrators": [orchestrator.json() for orchestrator in self.orchestrators],
        }
        text = dumps(content, ensure_ascii=False, indent=indent, default=repr)
        return text if string else loads(text)

    def conversation(
        self,
        *,
        context: Context | str | None = None,
        seed: int | None = None,
        model: str | Backend | None = None,
        simulation: Simulation | None = None,
        partner: str = "User",
    ) -> Conversation:
        """A talk with whoever writes the program: `async with agent.conversation() as chat: await chat("Hi")`."""
        from .conversation import Conversation

        return Conversation(self, context=context, seed=seed, model=model, simulation=simulation, partner=partner)

    @overload
    async def __call__(
        self,
        utterance: str | Sequence[Message | Mapping[str, Any]] = "",
        return_events: Literal[False] = False,
        *,
        context: Context | str | None = None,
        seed: int | None = None,
        model: str | Backend | None = None,
        simulation: Simulation | None = None,
        partner: str = "User",
    ) -> str | None: ...
    @overload
    async def __call__(
        self,
        utterance: str | Sequence[Message | Mapping[str, Any]],
        return_events: Literal[True],
        *,
        context: Context | str | None = None,
        seed: int | None = None,
        model: str | Backend | None = None,
        simulation: Simulation | None = None,
        partner: str = "User",
    ) -> list[Event] | None: ...
    async def __call__(
        self,
        utterance: str | Sequence[Message | Mapping[str, Any]] = "",
        return_events: bool = False,
        *,
        context: Context | str | None = None,
        seed: int | None = None,
        model: str | Backend | None = None,
        simulation: Simulation | None = None,
        partner: str = "User",
    ) -> str | list[Event] | None:
        """What it answers to one utterance, or to the last of several messages; None when it finishes without words.

        With `return_events` all that happened in its turn.

        Nothing is remembered: each call is a conversation of its own, see `Conversation`. Messages are `Message`s or
        dicts in the form of chat completions; the agent's own instructions go before them. Where nothing is said, it
        speaks first. Raises `DialogFailed`, `SetupError`, and ValueError for what is no message.
        """
        from .conversation import Conversation

        said, history = (utterance, ()) if isinstance(utterance, str) else ("", utterance)
        talk = Conversation(
            self, context=context, seed=seed, model=model, simulation=simulation, partner=partner, history=history
        )
        async with talk as chat:
            return await (chat(said, return_events=True) if return_events else chat(said))

    async def dialog_with(
        self,
        *partners: Agent,
        context: Context | str | None = None,
        scenario: str | dict[str, Any] | None = None,
        max_turns: int = 100,
        seed: int | None = None,
        notes: str | None = None,
        example_dialogs: Sequence[Dialog] | None = None,
        id: int | str | None = None,
        parent_id: int | str | None = None,
        model: str | Backend | None = None,
        simulation: Simulation | None = None,
    ) -> Dialog:
        """Talks with one agent or more, speaking first, until the dialog ends or has `max_turns` turns.

        example_dialogs: shown to all of them, instead of their own. id, parent_id: of the dialog that is returned; in a
            journal it has the id that the run gives it.

        Uses `simulation` where one is given, else one of its own with `model`. Raises `DialogFailed`, with what was
        said until then, when the dialog cannot be finished, and `SetupError` when the model cannot be used.
        """
        from .scenario import Scenario

        cast = (self, *partners)
        if example_dialogs is not None:
            cast = tuple(replace(agent, example_dialogs=example_dialogs) for agent in cast)
        recipe = Scenario(cast=cast, context=context, scenario=scenario, max_turns=max_turns, seed=seed, notes=notes)
        if simulation is not None:
            dialog = await simulation.play(recipe)
        else:
            async with Simulation(model=model, seed=seed, concurrency=1) as own:
                dialog = await own.play(recipe)
        dialog.id = dialog.id if id is None else id
        dialog.parentId = dialog.parentId if parent_id is None else parent_id
        if dialog.ending is not None and dialog.ending.failed:
            raise DialogFailed(dialog, dialog.ending.error or dialog.ending.reason)
        return dialog

    talk_with = dialog_with
