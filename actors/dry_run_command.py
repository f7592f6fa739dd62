"""`playact run --dry-run`: what a run will take, supposed from its scenarios or predicted from a pilot that is played.

Without a pilot no model is called. A pilot is played and paid for like any run, within the budget; where there is a
journal it is the beginning of the run, which goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from ..engine.budget import PICODOLLARS, Budget, Prices
from ..engine.budget.forecast import Forecast, forecast
from ..engine.budget.outline import Figures, Outline, Voice, assumptions
from ..engine.budget.prediction import Estimate
from ..engine.clock import Clock
from ..engine.completion import Backend, Capabilities, Parameters, Usage
from ..engine.dialog import Event, Turn
from ..engine.errors import SetupError
from ..engine.journal.disk import Disk
from ..engine.journal.entry import REPLY, Entry
from ..engine.journal.file import JournalFile
from ..engine.models import backend_named
from ..engine.program.archive import Kept, kept_in
from ..engine.program.resumption import name_of
from ..engine.settings import Settings, overlaid
from ..engine.simulation import Simulation
from ..engine.wording import counted, dollars
from .agent import Agent
from .playbill import Playbill
from .progress import duration
from .prompts import is_short_for, system_prompt
from .scenario import Scenario

__all__ = ["DryRun", "dry_run"]

_FAILED, _BUDGET_SPENT = 1, 3
_PAGE_BYTES, _ROW_BYTES, _DIALOG_ROW_BYTES = 4096, 42, 130  # of a journal; beside the words of a row


def dry_run(
    playbill: Playbill,
    *,
    dialogs: int | None = None,
    model: str | Backend | None = None,
    model_parameters: Parameters | None = None,
    concurrency: int | None = None,
    seed: int | None = None,
    max_turns: int | None = None,
    pilot: int = 0,
    prices: Prices | str | Path | None = None,
    budget: Budget | None = None,
    journal: Path | None = None,
    memo: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    as_json: bool = False,
) -> int:
    """Prints a forecast, as a table or as one line of JSON. What is None is left to the scenario file and the settings.

    pilot: how many of the run's dialogs to play first, 0 for none. journal, memo, settings: as for `Simulation`;
    without a journal the pilot is thrown away.

    The exit code is 1 when dialogs of the pilot failed, 3 when the budget ended it. Raises `SetupError`.
    """
    if pilot and playbill.seats:
        raise SetupError("a pilot is the beginning of the run, whose cast is not generated yet; leave --pilot out")
    settings = settings or Settings.current()
    plan = DryRun(
        playbill=playbill.with_stand_ins(dialogs or playbill.dialogs),
        dialogs=dialogs or playbill.dialogs,
        model=model or playbill.model,
        model_parameters=overlaid(model_parameters or Parameters(), playbill.model_parameters),
        concurrency=concurrency or playbill.concurrency or settings.concurrency,
        seed=seed if seed is not None else playbill.seed,
        max_turns=max_turns,
        prices=prices if isinstance(prices, Prices) else Prices.load(prices),
        budget=budget,
        settings=settings,
    )
    if not pilot:
        told = plan.supposed()
    elif journal is not None:
        told = anyio.run(plan.predicted, pilot, journal, memo)
    else:
        with TemporaryDirectory(prefix="playact-pilot-") as folder:
            told = anyio.run(plan.predicted, pilot, Path(folder, "pilot.db"), memo)
    if as_json:
        print(json.dumps(told.to_dict(journal), ensure_ascii=False), flush=True)
    else:
        print("\n".join(told.lines(journal)), flush=True)
    return told.exit_code


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """A run that is to be foretold; the parameters are those of `dry_run`."""

    playbill: Playbill
    dialogs: int
    model: str | Backend | None
    concurrency: int
    prices: Prices
    seed: int | None = None
    max_turns: int | None = None
    budget: Budget | None = None
    clock: Clock | None = None
    disk: Disk | None = None
    model_parameters: Parameters = Parameters()
    settings: Settings = field(default_factory=Settings.current)

    @property
    def scenarios(self) -> Sequence[Scenario]:
        changes = {} if self.max_turns is None else {"max_turns": self.max_turns}
        return self.playbill.scenarios(self.dialogs, **changes)

    def supposed(self) -> Foretold:
        """From the scenarios alone; no model is opened or called."""
        model = self.model or self.settings.model
        backend = backend_named(model) if isinstance(model, str) else model
        return self._foretold(backend, (), self.seed)

    async def predicted(self, pilot: int, journal: Path, memo: Mapping[str, Any] | None = None) -> Foretold:
        """From so many dialogs of the run, which are played into a new journal as its beginning."""
        sizes: dict[str, int] = {}
        async with Simulation(
            model=self.model,
            model_parameters=self.model_parameters,
            concurrency=self.concurrency,
            seed=self.seed,
            journal=journal,
            budget=self.budget,
            prices=self.prices,
            memo=memo,
            clock=self.clock,
            disk=self.disk,
            settings=self.settings,
        ) as simulation:
            backend = await simulation.models.open(simulation.model)
            async for dialog in simulation.run(self.scenarios, first=min(pilot, self.dialogs)):
                sizes[str(dialog.id)] = len(dialog.to_line().encode("utf-8", "replace")) + 1
            now, purse = simulation.statistics(), simulation.purse
            assert purse is not None
            assert simulation.journal is not None
            is_priced, spent = now.usd is not None, simulation.journal.tally.spent
        with closing(JournalFile.read(journal)) as file:
            kept = list(kept_in(file))
            figures = [_figures(each, sizes.get(each.row.id, 0), is_priced=is_priced) for each in kept]
        told = self._foretold(backend, figures, simulation.seed)
        told.pilot = _Pilot(
            asked_for=min(pilot, self.dialogs),
            played=len(figures),
            failed=sum(each.row.reason == "failed" for each in kept),
            calls=spent.calls,
            tokens=spent.tokens,
            usd=spent.picodollars / PICODOLLARS if is_priced else None,
            seconds=now.seconds,
            spent="" if purse.end is None else str(purse.end),
        )
        return told

    def _foretold(self, backend: Backend, figures: Sequence[Figures], seed: int | None) -> Foretold:
        scenarios = self.scenarios
        different = list({id(scenario): scenario for scenario in scenarios}.values())
        outlines = [self._outline(scenario, backend) for scenario in different]
        return Foretold(
            forecast=forecast(
                self.dialogs,
                figures,
                outlines,
                concurrency=self.concurrency,
                in_flight=min(
                    (each for each in (self.settings.in_flight, backend.capabilities.in_flight) if each is not None),
                    default=None,
                ),
            ),
            outlines=outlines,
            plan=self,
            model=name_of(backend),
            seed=seed,
            unpriced=sorted({m for m in self._models(different, backend) if self.prices.of(m) is None}),
        )

    def _outline(self, scenario: Scenario, backend: Backend) -> Outline:
        header = scenario.dialog(
            timestamp="2000-01-01T00:00:00Z", model={"name": backend.name}, seed=2**31, id="0" * 36
        )
        empty = len(header.to_line().encode("utf-8", "replace"))
        name = scenario.names[0]
        header.turns = [Turn(speaker=name, text="")]
        header.events = [Event(agent=name, action="utter", content="", timestamp=10**9)]
        voices = tuple(self._voice(scenario, place, agent, backend) for place, agent in enumerate(scenario.cast))
        return Outline(
            voices=voices,
            max_turns=scenario.max_turns,
            header_bytes=empty + 60,  # its ending and its usage
            turn_bytes=len(header.to_line().encode("utf-8", "replace")) - empty,
        )

    def _voice(self, scenario: Scenario, place: int, agent: Agent, backend: Backend) -> Voice:
        name = scenario.names[place]
        others = [other for other in scenario.names if other != name]
        is_short = is_short_for(agent, _capabilities_of(agent, backend))
        prompts = agent.prompts.over(scenario.prompts)
        prompt = system_prompt(
            agent, name, others, scenario.context or agent.context, is_short=is_short, prompts=prompts
        )
        price = self.prices.of(_model_of(agent, backend))
        limits = (None if price is None else price.max_output_tokens, _capabilities_of(agent, backend).max_tokens)
        of_run = overlaid(self.model_parameters, self.settings.model_parameters)
        asked = overlaid(agent.model_parameters, of_run).max_tokens
        longest = asked or min((each for each in limits if each is not None), default=None)
        return Voice(
            prompt_bytes=len(prompt.encode("utf-8", "replace")),
            longest_reply=longest,
            price=price,
            has_opening=place == 0 and bool(agent.first_utterance),
        )

    def _models(self, scenarios: Sequence[Scenario], backend: Backend) -> set[str]:
        return {_model_of(agent, backend) for scenario in scenarios for agent in scenario.cast}


@dataclass(frozen=True, kw_only=True)
class _Pilot:
    """What was played, and what it cost; `spent` says how the budget ended it, if it did."""

    asked_for: int
    played: int
    failed: int
    calls: int
    tokens: int
    usd: float | None
    seconds: float
    spent: str


@dataclass(kw_only=True)
class Foretold:
    """A forecast, what it rests on, and what it cost to make."""

    forecast: Forecast
    outlines: Sequence[Outline]
    plan: DryRun
    model: str
    seed: int | None
    unpriced: Sequence[str]
    pilot: _Pilot | None = None

    @property
    def exit_code(self) -> int:
        pilot = self.pilot
        if pilot is None:
            return 0
        return _FAILED if pilot.failed else _BUDGET_SPENT if pilot.spent else 0

    def to_dict(self, journal: Path | None) -> dict[str, Any]:
        """Each estimate is [low, point, high], or null when it cannot be told."""
        pilot, reached, budget = self.pilot, self._reached(), self.plan.budget
        whole = self.forecast.to_dict()
        within = None if budget is None else self.forecast.within(budget).to_dict()
        return {
            **whole,
            "within_budget": within and {name: within[name] for name in ("calls", "tokens", "usd", "seconds")},
            "pilot": None if pilot is None else {**vars(pilot)},
            "reaches": None if reached is None else {"cap": reached[0], "after_dialogs": reached[1]},
            "unpriced": list(self.unpriced),
            "assumptions": list(self._assumptions()),
            "prices_as_of": self.plan.prices.as_of,
            "model": self.model,
            "seed": self.seed,
            "journal": None if journal is None else str(journal),
        }

    def lines(self, journal: Path | None) -> list[str]:
        """For a person."""
        now = self.forecast
        lines = [f"{'forecast of ' + counted(_count(now.dialogs), 'dialog'):<28}{'about':>14}{'from':>14}{'to':>14}"]
        rows: tuple[tuple[str, Estimate | None, Callable[[float], str]], ...] = (
            ("turns", now.turns, _count),
            ("calls", now.calls, _count),
            ("tokens of prompts", now.prompt_tokens, _count),
            ("tokens of replies", now.completion_tokens, _count),
            ("US dollars", now.usd, dollars),
            (f"time, {self.plan.concurrency} at once", now.seconds, duration),
            ("dataset", now.dataset_bytes, _bytes),
            ("journal", now.journal_bytes, _bytes),
        )
        for name, estimate, form in rows:
            cells = (
                ("unknown", "", "") if estimate is None else map(form, (estimate.point, estimate.low, estimate.high))
            )
            lines.append(f"  {name:<26}" + "".join(f"{cell:>14}" for cell in cells).rstrip())
        lines.append(f"model {self.model}" + ("" if self.seed is None else f", seed {self.seed}"))
        if (reached := self._reached()) is not None:
            lines.append(
                f"the budget of {reached[0]} does for about {counted(reached[1], 'dialog')}, then the run ends; "
                "the fewer are live at once, the more of them are finished by then"
            )
        elif self.plan.budget is not None:
            lines += [_against(*each) for each in self.forecast.against(self.plan.budget)]
        lines += self._of_the_pilot(journal)
        lines += [f"- {said}" for said in self._assumptions()]
        return lines

    def _of_the_pilot(self, journal: Path | None) -> list[str]:
        pilot = self.pilot
        if pilot is None:
            return ["an estimate from assumptions: nothing was played; --pilot K plays K dialogs and measures"]
        cost = "an unknown cost" if pilot.usd is None else f"{dollars(pilot.usd)} US dollars at the most"
        lines = [
            f"the pilot: {counted(pilot.played, 'dialog')} in {duration(pilot.seconds)}, "
            f"{counted(pilot.calls, 'call')}, {counted(_count(pilot.tokens), 'token')}, {cost}; "
            "it is part of the forecast"
        ]
        if pilot.failed:
            lines.append(f"{counted(pilot.failed, 'dialog')} of the pilot failed")
        if pilot.spent:
            lines.append(f"the pilot ended after {pilot.played} of {counted(pilot.asked_for, 'dialog')}: {pilot.spent}")
        lines.append(
            "the pilot was not kept; --journal PATH keeps it as the run's beginning"
            if journal is None
            else f"go on with: playact resume {journal}"
        )
        return lines

    def _assumptions(self) -> Sequence[str]:
        said: list[str] = []
        if self.unpriced:
            said.append(f"no price is known of {', '.join(self.unpriced)}; give it in a file: --prices FILE")
        elif self.forecast.usd is not None and self.forecast.usd.high > 0:
            own = self.plan.prices.source
            said.append(f"prices as of {self.plan.prices.as_of}" + (f", and {own}" if own else ""))
        played = self.forecast.pilot
        if played < 2:
            said += assumptions(self.outlines)
        if played == 1:
            said.append("one dialog says nothing of how dialogs differ: the intervals are the widest there can be")
        if played > 1:
            said.append("the other dialogs are like the pilot's; intervals hold in 19 of 20 cases (Student's t)")
        if played:
            at_once = counted(self.plan.concurrency, "live dialog")
            said.append(f"the model answers as fast with {at_once} as it did for the pilot")
        if 0 < played < len(self.outlines):
            said.append(f"the pilot has met {played} of {counted(len(self.outlines), 'context')}")
        return said

    def _reached(self) -> tuple[str, int] | None:
        return None if self.plan.budget is None else self.forecast.reaches(self.plan.budget)


def _figures(kept: Kept, dataset_bytes: int, *, is_priced: bool) -> Figures:
    """What a dialog took."""
    usage, calls, picodollars = Usage(), 0, 0
    for entry in kept.entries:
        if entry.kind == REPLY:
            content = entry.content()
            usage += Usage(*content["usage"])
            picodollars += content.get("cost") or 0
            calls += 1
    return Figures(
        turns=sum(entry.kind == "Uttered" for entry in kept.entries),
        calls=calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        picodollars=picodollars if is_priced else None,
        seconds=kept.entries[-1].time - kept.entries[0].time,
        dataset_bytes=dataset_bytes,
        journal_bytes=_DIALOG_ROW_BYTES + sum(map(_row_bytes, kept.entries)),
    )


def _row_bytes(entry: Entry) -> float:
    """What an entry takes in a journal's file, which is made of pages: as many rows as fit whole are in each.

    Measured: within a tenth. The file of a pilot tells less, since it grows by whole pages.
    """
    size = len(entry.body) + _ROW_BYTES
    return _PAGE_BYTES / (_PAGE_BYTES // size) if size < _PAGE_BYTES else -(-size // _PAGE_BYTES) * _PAGE_BYTES


def _model_of(agent: Agent, backend: Backend) -> str:
    return backend.name if agent.model is None else name_of(agent.model)


def _capabilities_of(agent: Agent, backend: Backend) -> Capabilities:
    """Those of another model than the run's are not asked for: it would have to be made."""
    if agent.model is None:
        return backend.capabilities
    return Capabilities() if isinstance(agent.model, str) else agent.model.capabilities


def _count(number: float) -> str:
    return f"{round(number):,}"


def _against(cap: str, limit: float, estimate: Estimate | None) -> str:
    """A word on a cap that is not likely to be reached."""
    if estimate is None:
        return f"whether the budget of {cap} is reached cannot be told"
    form = dollars if "dollar" in cap else _count
    verdict = "it may be reached" if estimate.high > limit else "it suffices"
    return f"of the budget of {cap}, about {form(estimate.point)}, at the most {form(estimate.high)}: {verdict}"


def _bytes(number: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
