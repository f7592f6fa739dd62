"""No cap is exceeded by a picodollar: a million dialogs of decisions, and whole runs against the provider's own bill.

The provider keeps a ledger of what it charges for, also of calls that failed or were given up. What it charged must
never be more than a cap, whatever was reserved and settled on our side.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import Simulation, VirtualClock, virtual_time
from playact.engine.budget import NOTHING, PICODOLLARS, Account, Amount, Budget, Caps, Price, Prices, Purse
from playact.engine.budget.prompt_size import most_tokens
from playact.engine.budget.till import Hold
from playact.engine.completion import Completion, CompletionRequest, Parameters, Usage
from playact.engine.errors import BackendOverloaded, BackendRefused, BackendUnavailable, BudgetSpent, ReplyInvalid
from playact.engine.failures import FailurePolicy
from playact.engine.journal.disk import Step
from playact.engine.seeds import derive, generator

T = TypeVar("T")
SOAK = "PLAYACT_SOAK" in os.environ


def some_caps(random: Random, scale: Amount) -> Caps:
    """Caps on some of money, tokens and calls, that may be met early, late or not at all."""
    size = 10 ** random.uniform(-3, 0.3)
    return Caps(
        usd=Decimal(int(scale.picodollars * size)) / PICODOLLARS if random.random() < 0.7 else None,
        tokens=int(scale.tokens * size) if random.random() < 0.5 else None,
        calls=int(scale.calls * size) if random.random() < 0.3 else None,
    )


def over(caps: Caps, charged: Amount) -> list[int]:
    limits = (caps.calls, caps.tokens, caps.picodollars)
    return [value - limit for limit, value in zip(limits, charged, strict=True) if limit is not None and value > limit]


def knows_of(purse: Purse, charged: Amount) -> bool:
    """Whether we count as spent what was charged, or more, of all that a cap of the run is on."""
    budget = purse.budget
    limits = (budget.calls, budget.tokens, budget.picodollars)
    return all(
        limit is None or told >= billed
        for limit, told, billed in zip(limits, purse.account.spent, charged, strict=True)
    )


# --- The decisions alone: a purse, its callers in any order, a provider's ledger. ---


@dataclass(slots=True)
class _Dialog:
    account: Account | None
    calls: int
    charged: Amount = NOTHING


def play_decisions(seed: int, dialogs: int) -> tuple[list[int], Purse, Amount]:
    """What was charged over caps, the purse, and the provider's bill, of one run with random everything."""
    random = Random(seed)
    price = Price(random.randrange(10**7), random.randrange(10**8), random.randrange(10**7))
    tokens = random.randrange(2, 4000)
    scale = Amount(dialogs, dialogs * tokens, dialogs * tokens * (price.input + price.output))
    caps, each = some_caps(random, scale), None
    if random.random() < 0.3:
        each = some_caps(random, Amount(3, 3 * tokens, 3 * tokens * (price.input + price.output)))
    purse = Purse(Budget(**caps.to_dict(), per_dialog=each), Prices({}), seconds=lambda: 0.0)
    concurrency = int(10 ** random.uniform(0, 3))
    failing, dropping = random.random() * 0.5, random.random() * 0.3
    under_way: list[tuple[_Dialog, Usage, Amount]] = []
    overspent: list[int] = []
    charged, to_begin, begun = NOTHING, dialogs, None
    while to_begin or under_way or begun is not None:
        if begun is None and to_begin and len(under_way) < concurrency:
            to_begin -= 1
            begun = _Dialog(purse.account_for_dialog(NOTHING), int(random.random() * 3) + 1)
        if begun is not None:
            most = Usage(int(random.random() * tokens), int(random.random() * tokens))
            amount = Amount(1, most.total_tokens, price.most(most))
            try:
                if purse.may_go(amount, begun.account):
                    under_way.append((begun, most, amount))
                    begun = None
            except BudgetSpent as spent:
                to_begin, begun = (0 if spent.is_of_run else to_begin), None
        if under_way and (begun is not None or len(under_way) >= concurrency or not to_begin):
            place = int(random.random() * len(under_way))
            under_way[place], under_way[-1] = under_way[-1], under_way[place]
            dialog, most, amount = under_way.pop()
            # What the provider charges, and what we come to know of it.
            used = Usage(int(random.random() * (most.prompt_tokens + 1)), int(random.random() * most.completion_tokens))
            bill, luck = Amount(1, used.total_tokens, price.cost(used)), random.random()
            if luck < failing / 2:  # it refused: nothing is charged
                bill = told = NOTHING
            elif luck < failing or random.random() < dropping:  # cut off or given up: we know of nothing
                told = amount
            else:
                told = bill
            purse.settle(amount, told, dialog.account)
            charged += bill
            dialog.charged += bill
            dialog.calls -= 1
            if each is not None:
                overspent += over(each, dialog.charged)
            if dialog.calls and begun is None and purse.is_spent is None:
                begun = dialog
    return overspent + over(caps, charged), purse, charged


@pytest.mark.timeout(300)
def test_no_decision_lets_a_cap_be_exceeded_over_1000_seeds_of_1000_dialogs() -> None:
    met = 0
    for seed in range(1000):
        overspent, purse, charged = play_decisions(seed, 1000)

        assert overspent == [], f"seed {seed}"
        assert purse.account.reserved == NOTHING, f"seed {seed}"
        assert knows_of(purse, charged), f"seed {seed}"
        met += purse.is_spent is not None
    assert 200 < met < 950, "caps that are never met, or always, prove nothing"


# --- Whole runs on virtual time. ---


@dataclass
class Provider:
    """A service that takes its time, fails, drops calls, forgets to tell usage, and keeps a ledger of its charges."""

    seed: int
    price: Price
    longest: int
    trouble: float
    charged: Amount = NOTHING
    by_dialog: dict[str, Amount] = field(default_factory=dict)
    in_flight: int = 0
    most_in_flight: int = 0

    async def reply(self, request: CompletionRequest) -> Completion:
        luck = generator(self.seed, request.dialog, request.sequence, request.attempt)
        usage = Usage(luck.randint(1, most_tokens(request)), luck.randint(0, self.longest), luck.randint(0, 50))
        kind = luck.random() / self.trouble if self.trouble else 1.0
        if kind < 0.2:
            raise BackendOverloaded("priced", "429", luck.choice([None, 0.5]))
        if kind < 0.3:
            raise BackendUnavailable("priced", "503", may_have_cost=False)
        if kind < 0.33:
            raise BackendRefused("priced", "400")
        self._charge(request.dialog, usage)
        self.in_flight += 1
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        try:
            await anyio.sleep(luck.expovariate(1.0))
        finally:
            self.in_flight -= 1
        if kind < 0.6:
            raise BackendUnavailable("priced", "the connection was cut")
        if kind < 0.7:
            raise ReplyInvalid("priced", "not JSON")
        if kind < 0.8:
            return Completion(text="I have forgotten what it cost.")
        return Completion(text=f"Line {request.sequence}." if usage.completion_tokens else "", usage=usage)

    def _charge(self, dialog: str, usage: Usage) -> None:
        bill = Amount(1, usage.total_tokens, self.price.cost(usage))
        self.charged += bill
        self.by_dialog[dialog] = self.by_dialog.get(dialog, NOTHING) + bill


async def play_run(seed: int, dialogs: int, concurrency: int | None) -> tuple[bool, int]:
    """Whether a cap of the run was met, and the most calls that were in flight. Fails when anything is overspent."""
    random = Random(derive(seed, "run"))
    price = Price(random.randrange(10**7), random.randrange(10**8), random.randrange(10**7))
    provider = Provider(seed, price, random.randint(1, 300), random.choice([0.0, 0.1, 0.5]))
    each = provider.longest + 1000
    scale = Amount(4 * dialogs, 4 * dialogs * each, 4 * dialogs * each * (price.input + price.output))
    caps, dialog_caps = some_caps(random, scale), None
    if random.random() < 0.3:
        dialog_caps = some_caps(random, Amount(6, 6 * each, 6 * each * (price.input + price.output)))
    cast = tuple(
        Agent(Persona(name=name), model_parameters=Parameters(max_tokens=provider.longest)) for name in ("Ada", "Bob")
    )
    in_flight = random.choice([None, None, 7])
    async with Simulation(
        model=ScriptedBackend(provider.reply, name="priced", in_flight=None if concurrency else in_flight),
        seed=seed,
        concurrency=concurrency or int(10 ** random.uniform(0, 2)),
        budget=Budget(**caps.to_dict(), per_dialog=dialog_caps),
        prices=Prices({"priced": price}),
        failures=FailurePolicy(stop_share=None),
        clock=VirtualClock(),
    ) as simulation:
        purse = simulation.purse
        assert purse is not None
        stop_after = random.choice([None, None, random.randrange(dialogs)])
        taken = 0
        async with simulation.run([Scenario(cast=cast, max_turns=6)] * dialogs) as run:
            async for _ in run:
                taken += 1
                if random.random() < 0.1:
                    simulation.cancel(random.choice([*provider.by_dialog, "nobody"]))
                if taken == stop_after:
                    break
    assert over(caps, provider.charged) == []
    for charged in provider.by_dialog.values() if dialog_caps is not None else ():
        assert over(dialog_caps or caps, charged) == []
    assert purse.account.reserved == NOTHING
    assert knows_of(purse, provider.charged)
    return purse.is_spent is not None, provider.most_in_flight


def virtually(seed: int, dialogs: int, concurrency: int | None = None) -> tuple[bool, int]:
    backend, options = virtual_time("asyncio")
    return anyio.run(play_run, seed, dialogs, concurrency, backend=backend, backend_options=dict(options))


@pytest.mark.timeout(0 if SOAK else 300)
def test_no_run_overspends_whatever_fails_or_is_given_up() -> None:
    seeds, dialogs = (1000, 1000) if SOAK else (100, 100)

    met = 0
    for seed in range(seeds):
        try:
            is_met, _ = virtually(seed, dialogs)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        met += is_met

    assert seeds * 0.2 < met < seeds * 0.95


@pytest.mark.timeout(300)
def test_no_run_overspends_with_1000_calls_in_flight() -> None:
    most = 0
    for seed in range(1010, 1015):
        _, in_flight = virtually(seed, 1000, 1000)
        most = max(most, in_flight)

    assert most == 1000


class InLoopDisk:
    """Works in the event loop itself, so that virtual time stands still meanwhile."""

    synchronous: Any = "OFF"

    async def run(self, step: Step, work: Callable[[], T]) -> T:
        return work()

    def rename(self, old: Path, new: Path) -> None:
        old.replace(new)


async def play_sessions(seed: int, journal: Path) -> int:
    """How many sessions a run took, each given up at a random moment. Fails when anything is overspent."""
    random = Random(derive(seed, "sessions"))
    price = Price(random.randrange(10**7), random.randrange(10**8), random.randrange(10**7))
    provider = Provider(seed, price, random.randint(1, 300), random.choice([0.0, 0.1, 0.5]))
    each = provider.longest + 1000
    caps = some_caps(random, Amount(160, 160 * each, 160 * each * (price.input + price.output)))
    cast = tuple(
        Agent(Persona(name=name), model_parameters=Parameters(max_tokens=provider.longest)) for name in ("Ada", "Bob")
    )
    shared: dict[str, Any] = {
        "model": ScriptedBackend(provider.reply, name="priced"),
        "concurrency": 12,
        "prices": Prices({"priced": price}),
        "failures": FailurePolicy(stop_share=None),
        "disk": InLoopDisk(),
    }
    for session in range(1, 9):
        clock, is_over = VirtualClock(), False
        if session == 1:
            simulation = Simulation(seed=seed, journal=journal, budget=Budget(**caps.to_dict()), clock=clock, **shared)
        else:
            simulation = Simulation.resume(journal, clock=clock, **shared)
        async with simulation:
            run = simulation.run([Scenario(cast=cast, max_turns=6)] * 40 if session == 1 else None)
            with anyio.move_on_after(random.expovariate(0.2)):
                async for _ in run:
                    pass
                is_over = True
        assert over(caps, provider.charged) == []
        assert simulation.purse is not None
        assert knows_of(simulation.purse, provider.charged)
        if is_over:
            return session
    return 8


@pytest.mark.timeout(300)
def test_no_run_overspends_over_all_its_sessions(tmp_path: Path) -> None:
    backend, options = virtual_time("asyncio")
    sessions = 0
    for seed in range(40):
        journal = tmp_path / f"{seed}.db"
        sessions += anyio.run(play_sessions, seed, journal, backend=backend, backend_options=dict(options))

    assert sessions > 60


@pytest.mark.parametrize(
    ("place", "name", "defect"),
    [
        (Account, "reserve", lambda account, amount: None),
        (Account, "covers", lambda account, amount: True),
        (Hold, "cost_nothing", lambda hold: setattr(hold, "spent", Amount(-1, -100, -(10**9)))),
    ],
)
def test_the_proof_finds_a_planted_defect(
    monkeypatch: pytest.MonkeyPatch, place: type, name: str, defect: Callable[..., object]
) -> None:
    monkeypatch.setattr(place, name, defect)

    with pytest.raises(AssertionError):
        for seed in range(60):
            virtually(seed, 100)
