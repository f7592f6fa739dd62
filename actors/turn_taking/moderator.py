"""A model gives the floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SkipValidation
from pydantic.dataclasses import dataclass

from ...engine.completion import Backend, Completion, CompletionRequest, Message, Parameters, Usage
from ...engine.dialog import Dialog
from ...engine.errors import ReplyInvalid, ReplyUnfit
from ...engine.messages import Fact, SpeakerChosen, Uttered
from ...engine.seeds import derive
from ...engine.structured import ReplySchema
from ..prompts import Prompts
from .addressed_by_name import Otherwise
from .round_robin import after_last
from .turn_policy import CHECKED, Choice, Particular, TurnPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ...engine.performance import Performance

__all__ = ["Moderator"]

_OVER = "(nobody)"


@dataclass(frozen=True, config=CHECKED)
class Moderator:
    """Asks a model for a name of the cast, other than the last speaker's. Each choice is a call of the dialog's own.

    instructions: by what it is to choose, such as "Whoever disagrees most speaks next."
    model: "backend:model" or a Backend; None for the simulation's own. model_parameters: how it samples.
    may_end: whether it may say that nobody is to speak any more.
    shows: how many of the last turns it reads. What not all hear, it does not read.
    corrections: how often it is asked again when its answer is no name.
    otherwise: who decides then; a policy, or None for who comes next in the cast.

    A choice is a fact of the dialog: where there is a journal it is kept, and a resumed dialog goes on with it.
    """

    instructions: str = ""
    model: Annotated[str | Backend | None, SkipValidation] = None
    model_parameters: Parameters = Parameters()
    may_end: bool = False
    shows: Annotated[int, Field(ge=1)] = 12
    corrections: Annotated[int, Field(ge=0)] = 1
    otherwise: Otherwise = None
    name: str = "moderator"

    def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> Choice | Awaitable[Choice]:
        """As where its model gave no name: a model can only be asked in a dialog that is played."""
        if self.otherwise is None:
            return after_last(cast, dialog)
        policy: TurnPolicy = self.otherwise
        return policy.next_speaker(cast, dialog)

    def playing(self, performance: Performance) -> TurnPolicy:
        return _Chair(self, performance)

    def check(self, cast: Sequence[str]) -> None:
        if isinstance(self.otherwise, Particular):
            self.otherwise.check(cast)


class _Chair:
    """A moderator in one dialog."""

    def __init__(self, moderator: Moderator, performance: Performance) -> None:
        self._moderator = moderator
        self._performance = performance

    async def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> Choice:
        """Raises `BackendError` when the model cannot be had."""
        chosen = self._chosen_already()
        if chosen is None:
            *thoughts, chosen = await self._choose(cast, dialog)
            await self._performance.scope.publish(*thoughts, chosen)
        return cast.index(chosen.agent) if chosen.agent else None

    def _chosen_already(self) -> SpeakerChosen | None:
        """The choice for a turn that has not been taken since."""
        for record in reversed(self._performance.scope.log):
            if isinstance(record.fact, SpeakerChosen):
                return record.fact
            if isinstance(record.fact, Uttered):
                return None
        return None

    async def _choose(self, cast: Sequence[str], dialog: Dialog) -> tuple[*tuple[Fact, ...], SpeakerChosen]:
        """The choice, after the facts that led to it."""
        from ...engine.answer import answered  # here: it is needed by few

        moderator, performance = self._moderator, self._performance
        last = dialog.turns[-1].speaker if dialog.turns else None
        names = [name for name in cast if name != last]
        choices = [*names, _OVER] if moderator.may_end and dialog.turns else names
        if len(choices) == 1:
            return (SpeakerChosen(choices[0], moderator.name),)
        backend = await performance.backend(moderator.model)
        asker = _Asker(performance)
        attempts = 0
        while True:
            try:
                request = self._request(cast, dialog, choices, attempts)
                answer = await answered(
                    asker, backend, request, _schema(choices), agent=moderator.name, corrections=moderator.corrections
                )
            except ReplyUnfit:
                place = moderator.next_speaker(cast, dialog)
                place = place if place is None or isinstance(place, int) else await place
                return (SpeakerChosen("" if place is None else cast[place], moderator.name, asker.usage),)
            except ReplyInvalid as error:
                attempts += 1
                if not performance.may_take_turn_again(error, attempts):
                    raise
            else:
                agent = answer.value["speaker"]
                chosen = SpeakerChosen("" if agent == _OVER else agent, moderator.name, asker.usage)
                return (*answer.facts, chosen)

    def _request(self, cast: Sequence[str], dialog: Dialog, choices: Sequence[str], attempts: int) -> CompletionRequest:
        moderator, performance = self._moderator, self._performance
        sequence, prompts = performance.calls, Prompts.of_run(performance.prompts)
        said = "\n".join(str(turn) for turn in dialog.turns[-moderator.shows :] if turn.text)
        return CompletionRequest(
            messages=(
                Message("system", prompts.render("moderator_system", cast=cast, instructions=moderator.instructions)),
                Message("user", prompts.render("moderator", said=said, choices=choices)),
            ),
            parameters=performance.parameters(moderator.model_parameters),
            seed=derive(performance.seed, moderator.name, sequence),
            dialog=performance.id,
            sequence=sequence,
            attempt=attempts,
            age=performance.number,
        )


class _Asker:
    """The dialog as the one who asks; what the answers cost is summed, also of those that were no names."""

    def __init__(self, performance: Performance) -> None:
        self.seed = performance.seed
        self.usage = Usage()
        self._performance = performance

    @property
    def calls(self) -> int:
        return self._performance.calls

    async def complete(self, backend: Backend, request: CompletionRequest) -> Completion:
        completion = await self._performance.complete(backend, request)
        self.usage += completion.usage
        return completion


def _schema(choices: Sequence[str]) -> ReplySchema:
    speaker = {"type": "string", "enum": list(choices)}
    schema: dict[str, Any] = {"type": "object", "properties": {"speaker": speaker}, "required": ["speaker"]}
    return ReplySchema.of(schema)
