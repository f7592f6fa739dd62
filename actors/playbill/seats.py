"""The seats of a cast, and the contexts, that a scenario file leaves to generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ..problem import inside
from .generated import GeneratedContexts, GeneratedPersonas

__all__ = ["Seats"]

_KEY = "generate"


@dataclass(frozen=True, slots=True)
class Seats:
    """personas: by the place in the cast. contexts: None where they are there already. False when nothing is open."""

    personas: Mapping[int, GeneratedPersonas] = field(default_factory=dict)
    contexts: GeneratedContexts | None = None

    def __bool__(self) -> bool:
        return bool(self.personas) or self.contexts is not None

    @classmethod
    def taken_from(cls, content: Any, context: Any = None) -> tuple[Seats, Any]:
        """The seats, and the rest of a scenario file's content. Raises pydantic's `ValidationError`, with the place."""
        if not isinstance(content, Mapping):
            return cls(), content
        rest, personas, contexts = dict(content), dict[int, GeneratedPersonas](), None
        if isinstance(cast := rest.get("cast"), list):
            rest["cast"] = list(cast)
            for place, agent in enumerate(cast):
                if isinstance(agent, Mapping) and _is_generated(agent.get("persona")):
                    asked = agent["persona"][_KEY]
                    personas[place] = _checked(GeneratedPersonas, asked, ("cast", place, "persona", _KEY), context)
                    rest["cast"][place] = {name: value for name, value in agent.items() if name != "persona"}
        if _is_generated(rest.get("contexts")):
            contexts = _checked(GeneratedContexts, rest.pop("contexts")[_KEY], ("contexts", _KEY), context)
        return cls(personas, contexts), rest

    def stand_ins(self, dialogs: int) -> tuple[dict[int, Sequence[Any]], Sequence[Any]]:
        """Personas by place, and contexts, drawn without asking a model."""
        people = {place: each.stand_ins(each.count(dialogs)) for place, each in self.personas.items()}
        contexts = () if self.contexts is None else self.contexts.stand_ins(self.contexts.count(dialogs))
        return dict(people), contexts


def _is_generated(value: Any) -> bool:
    return isinstance(value, Mapping) and list(value) == [_KEY]


def _checked(kind: Any, value: Any, place: tuple[int | str, ...], context: Any) -> Any:
    """The problems of what is inside are told with their place in the whole."""
    try:
        return kind.model_validate({} if value is None else value, context=context)
    except ValidationError as error:
        raise inside(error, *place) from error
