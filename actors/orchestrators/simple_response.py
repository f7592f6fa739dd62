"""An orchestrator that offers its agent responses that are written already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import Field, SkipValidation
from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog, Instruction
from ...engine.embedding import Embedder
from .rule import CHECKED, Rule, Texts, several

__all__ = ["SimpleResponseOrchestrator"]


@dataclass(frozen=True, config=CHECKED)
class SimpleResponseOrchestrator(Rule):
    """Suggests those `top_k` of the responses that mean most nearly what its agent is about to say.

    What that is, its model is asked, see `agent_response_lookahead`. With a `graph` and a turn of the agent behind it,
    the responses are matched with that turn instead, and the ones suggested are of the actions that follow theirs.
    Each time a `request_suggestions` event says what was matched.

    responses: a list, or a response by the action that it is. graph: which action, or actions, may follow an action.
    embedder: by its name, as "static" or "openai:text-embedding-3-small", or an `Embedder`; "static" needs the extra
        `embeddings`, and knows English best.
    """

    elsewhere: ClassVar[Mapping[str, str]] = {"sbert_model": "embedder=, as in embedder='static'"}

    responses: Sequence[str] | Mapping[str, str]
    graph: Mapping[str, Texts] | None = None
    embedder: str | SkipValidation[Embedder] = "static"
    top_k: Annotated[int, Field(ge=1)] = 5

    def __post_init__(self) -> None:
        if not self.responses:
            raise ValueError("responses must hold one at least")
        if self.graph is None:
            return
        if not isinstance(self.responses, Mapping):
            raise ValueError("a graph needs responses by their actions")  # noqa: TRY004  # pydantic tells of these
        named = {*self.graph, *(after for action in self.graph for after in self._after(action))}
        if unknown := sorted(named - self.responses.keys()):
            raise ValueError(f"the graph names {unknown[0]!r}, for which there is no response")

    async def instruct(self, dialog: Dialog, utterance: str) -> Instruction | None:
        own = [turn.text for turn in dialog.turns if turn.speaker == self.target_agent]
        follows = self.graph is not None and bool(own)
        matched = own[-1] if follows else await self.agent_response_lookahead()
        if not matched:
            return None
        kind = "Previous response" if follows else "Lookahead response"
        event = self.note("request_suggestions", f"{kind}: {matched}")
        lines = self._lines(await self.nearest(matched, self._texts, count=self.top_k, embedder=self.embedder), follows)
        if not lines:
            return Instruction(text="", events=event)
        return Instruction(text=self.render("simple_response", responses=lines), events=event)

    @property
    def _texts(self) -> list[str]:
        return list(self.responses.values() if isinstance(self.responses, Mapping) else self.responses)

    def _lines(self, places: Sequence[int], follows: bool) -> list[str]:
        if not isinstance(self.responses, Mapping):
            return [self.responses[place] for place in places]
        actions = list(self.responses)
        matched = [actions[place] for place in places]
        if follows:
            matched = list(dict.fromkeys(after for action in matched for after in self._after(action)))
        return [f"({action}) {self.responses[action]}" for action in matched]

    def _after(self, action: str) -> Sequence[str]:
        return several((self.graph or {}).get(action))
