"""A scenario file: the YAML that `playact run` plays, checked by the schema of the Python objects it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, ValidationInfo, model_validator

from ...engine.completion import Parameters
from ...engine.dialog import Context
from ...engine.errors import FileInvalid
from ...engine.program.plan import Cycle
from ..scenario import Scenario
from .combinations import combination, combinations
from .document import Document
from .seats import Seats

__all__ = ["Playbill"]

_MOST = 2**63 - 1  # a list has no more, nor a journal's numbers


class Playbill(Scenario):
    """A scenario and how often to play it.

    Where a list of contexts and generated people come together, the dialogs take each list in turn, so that every
    combination comes once before any comes twice.

    dialogs: how many to play.
    contexts: instead of `context`, several; the dialogs take them in turn.
    model: what agents without a model of their own use, "backend:model".
    model_parameters: how models sample where an agent does not say so itself.
    concurrency: how many dialogs are live at once.
    """

    dialogs: Annotated[int, Field(ge=1, le=_MOST)] = 1
    contexts: tuple[Context | str, ...] = ()
    model: str | None = None
    model_parameters: Parameters = Parameters()
    concurrency: Annotated[int, Field(ge=1, le=_MOST)] | None = None

    _seats: Seats = PrivateAttr(default_factory=Seats)
    _people: Mapping[int, Sequence[Any]] = PrivateAttr(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path) -> Playbill:
        """Reads a scenario file. Raises `FileInvalid` for all that is wrong in it, with the line where there is one.

        Files that it names, such as templates, are looked for beside it.
        """
        root = Document.read(path)
        if root is None or not isinstance(root.content, dict):
            line = None if root is None else root.line
            raise FileInvalid(
                str(path), line, "holds no scenario; it needs at least `cast`, a list of two agents or more"
            )
        try:
            return cls.model_validate(root.value, context={"folder": path.parent})
        except ValidationError as error:
            from .mistakes import explained

            raise explained(str(path), root, error) from error

    @model_validator(mode="wrap")
    @classmethod
    def _with_seats(cls, content: Any, make: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """What is generated is set aside: it is not there yet."""
        seats, rest = Seats.taken_from(content, info.context)
        made = make(rest)
        made._seats = seats
        return made

    @property
    def asks_its_model(self) -> bool:
        """Whether somebody in the cast has no model of their own."""
        return any(agent.model is None for agent in self.cast)

    @property
    def seats(self) -> Seats:
        """What is to be generated before the dialogs can be played."""
        return self._seats

    def filled(self, people: Mapping[int, Sequence[Any]], contexts: Sequence[Context] = ()) -> Playbill:
        """With personas, by the place in the cast, and contexts, in the stead of what is to be generated."""
        filled = self.model_copy(update={"contexts": tuple(contexts)} if contexts else {})
        filled._seats, filled._people = Seats(), dict(people)
        return filled

    def with_stand_ins(self, dialogs: int) -> Playbill:
        """The same, with nothing left to be generated: what rules do not say is left open. No model is asked."""
        people, contexts = self._seats.stand_ins(dialogs)
        return self.filled(people, contexts) if self._seats else self

    def scenarios(self, dialogs: int, **changes: Any) -> Cycle[Scenario]:
        """The scenario of each dialog, with `changes` (such as `max_turns`) in all of them."""
        if self._seats:
            raise RuntimeError("the cast is not generated yet; see Playbill.filled")
        shared = {name: getattr(self, name) for name in Scenario.model_fields} | changes
        contexts = self.contexts or (self.context,)
        agents = {
            place: [replace(self.cast[place], persona=each) for each in people]
            for place, people in self._people.items()
        }
        sizes = [len(contexts), *map(len, agents.values())]

        def scenario(number: int) -> Scenario:
            context, *chosen = combination(sizes, number)
            cast = list(self.cast)
            for place, each in zip(agents, chosen, strict=True):
                cast[place] = agents[place][each]
            return Scenario(**(shared | {"context": contexts[context], "cast": tuple(cast)}))

        return Cycle(
            [scenario(number) for number in range(min(combinations(sizes), max(dialogs, len(contexts))))], dialogs
        )
