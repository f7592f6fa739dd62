"""A scenario file: the YAML that `playact run` plays, checked by the schema of the Python objects it stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ...engine.completion import Parameters
from ...engine.dialog import Context
from ...engine.errors import FileInvalid
from ...engine.program.plan import Cycle
from ..scenario import Scenario
from .document import Document

__all__ = ["Playbill"]


class Playbill(Scenario):
    """A scenario and how often to play it.

    dialogs: how many to play.
    contexts: instead of `context`, several; the dialogs take them in turn.
    model: what agents without a model of their own use, "backend:model".
    model_parameters: how models sample where an agent does not say so itself.
    concurrency: how many dialogs are live at once.
    """

    dialogs: Annotated[int, Field(ge=1)] = 1
    contexts: tuple[Context | str, ...] = ()
    model: str | None = None
    model_parameters: Parameters = Parameters()
    concurrency: Annotated[int, Field(ge=1)] | None = None

    @classmethod
    def from_file(cls, path: Path) -> Playbill:
        """Reads a scenario file. Raises `FileInvalid` for all that is wrong in it, with the line where there is one.

        Files that it names, such as templates, are looked for beside it.
        """
        root = Document.read(path)
        if root is None or not isinstance(root.content, dict):
            raise FileInvalid(
                str(path), None, "holds no scenario; it needs at least `cast`, a list of two agents or more"
            )
        try:
            return cls.model_validate(root.value, context={"folder": path.parent})
        except ValidationError as error:
            from .mistakes import explained

            raise explained(str(path), root, error) from error

    def scenarios(self, dialogs: int, **changes: Any) -> Cycle[Scenario]:
        """The scenario of each dialog, with `changes` (such as `max_turns`) in all of them."""
        shared = {name: getattr(self, name) for name in Scenario.model_fields} | changes
        contexts = self.contexts or (self.context,)
        return Cycle([Scenario(**(shared | {"context": context})) for context in contexts], dialogs)
