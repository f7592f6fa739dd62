"""Moods and other attributes that drift while one talks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from ...engine.dialog import Dialog, Instruction
from .rule import CHECKED, Condition, Rule, holds

__all__ = ["Drift", "DriftOrchestrator", "DriftRule"]

_DIGITS = 3  # of a value as it is recorded and gone on from


class Drift(BaseModel):
    """How one attribute begins and drifts.

    start: its value before the dialog. low, high: it never leaves these.
    step: with each turn of its agent it goes up or down by as much as this at random; 0 lets only rules move it.
    pull: which share of the way back to `start` it goes with each turn, from 0 to 1.
    levels: what a value is called from there on, as in {0: calm, 4: irritated, 7: furious}; else its number is told.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    start: float = 5.0
    low: float = 0.0
    high: float = 10.0
    step: Annotated[float, Field(ge=0)] = 1.0
    pull: Annotated[float, Field(ge=0, le=1)] = 0.0
    levels: Mapping[float, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if not self.low <= self.start <= self.high:
            raise ValueError(f"start must lie between low and high, and {self.start:g} does not")
        return self

    def kept(self, value: float) -> float:
        return round(min(self.high, max(self.low, value)), _DIGITS)

    def told(self, value: float) -> str:
        reached = [level for level in self.levels if level <= value]
        return self.levels[max(reached)] if reached else f"{value:g} on a scale from {self.low:g} to {self.high:g}"


class DriftRule(BaseModel):
    """What is heard moves an attribute: `add` is added where `heard` holds for the other's last utterance.

    heard: a regular expression that is searched in it, whatever the case, or a function of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    heard: Condition
    attribute: str
    add: float


@dataclass(frozen=True, config=CHECKED)
class DriftOrchestrator(Rule):
    """Has named attributes of its agent drift, and tells the agent before each turn how it is with them now.

    Its first turn finds them as they start, moved only by rules. Each turn's values are recorded as an event, `drift`.

    attributes: a number to start with, or a `Drift`, by name. rules: see `DriftRule`.
    """

    attributes: Mapping[str, Drift | Annotated[float, Field(allow_inf_nan=False)]]
    rules: Sequence[DriftRule] = ()

    def __post_init__(self) -> None:
        if not self.attributes:
            raise ValueError("attributes must name one at least")
        drifts = self._drifts  # raises for a number outside of the usual limits
        for rule in self.rules:
            if rule.attribute not in drifts:
                known = ", ".join(self.attributes)
                raise ValueError(f"a rule moves the attribute {rule.attribute!r}; known here: {known}")

    def instruct(self, dialog: Dialog, utterance: str) -> Instruction:
        values = self._now(utterance)
        told = [f"{name.replace('_', ' ')}: {drift.told(values[name])}" for name, drift in self._drifts.items()]
        return Instruction(text=self.render("drift", attributes=told), events=self.note("drift", values))

    def values(self, dialog: Dialog) -> list[dict[str, float]]:
        """The values of a finished dialog, turn by turn of the agent, out of its events."""
        own = (event for event in dialog.events or () if event.action == "drift")
        return [dict(event.content) for event in own if set(event.content) == set(self.attributes)]

    def _now(self, utterance: str) -> dict[str, float]:
        notes = [note for note in self.notes if note.action == "drift"]
        before = notes[-1].content if notes else {}
        values = {}
        for name, drift in self._drifts.items():
            value = before.get(name, drift.start)
            if notes:
                value += drift.pull * (drift.start - value) + self.random.uniform(-drift.step, drift.step)
            if utterance:
                value += sum(rule.add for rule in self.rules if rule.attribute == name and holds(rule.heard, utterance))
            values[name] = drift.kept(value)
        return values

    @property
    def _drifts(self) -> dict[str, Drift]:
        given = self.attributes.items()
        return {name: drift if isinstance(drift, Drift) else Drift(start=drift) for name, drift in given}
