"""One trial while it is played: a run without faults to compare with, sessions until all is over, a replay."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import anyio

from ..budget import Budget
from ..clock import VirtualClock
from ..dialog import Dialog
from ..errors import JournalInvalid, JournalUnwritable, PlayactError, TooManyFailures
from ..failures import FailurePolicy
from ..program.plan import Cycle
from ..seeds import derive, generator
from ..settings import Settings
from ..simulation import Simulation
from .chronicle import Chronicle
from .difference import difference
from .disk import put_back
from .laws import Evidence, after_session, when_complete
from .ledger import Ledger
from .loop import SeededLoop, Stuck
from .network import FaultyNetwork, OneModel
from .plan import Plan, raised
from .session import Extent, Outcome, Session
from .subject import Subject
from .threads import no_threads
from .witness import Witness
from .world import Broken, World

__all__ = ["Play"]

_MOST_SESSIONS = 60
_NOT_REPEATABLE = "the same seed gives the same dialogs"
_CHANGED = "faults, kills and schedules change no dialog"
_WHY_NOT = (
    "An orchestrator, tool, turn policy or backend goes by more than the dialog: the global `random`, the clock, the "
    "order of a set, or something that dialogs share. Draw with playact.engine.generator(seed, ...), and keep what you "
    "must remember in the orchestrator itself"
)
_WHY_GLOBAL = (
    "It is Python's global `random`: when that is seeded before each, they are the same. Use a generator of your own, "
    "from playact.engine.generator(seed, ...)"
)
_WHY_CHANGED = (
    "If that is an orchestrator, tool or turn policy of yours, it remembers something that a kill takes away, or that "
    "dialogs share: what it remembers must come back when it lives through the past turns again"
)


class Play:
    """One trial while it is played. `world`, `ledger` and `witness` hold what came of it."""

    def __init__(self, subject: Subject, plan: Plan) -> None:
        self.subject = subject
        self.plan = plan
        self.run_seed = derive(plan.seed, "run")
        self.world = World(self.run_seed, plan.dialogs)
        self.ledger = Ledger()
        self.witness = Witness(self.world, is_ordered=plan.is_ordered)
        # From another one on with each seed, since a run is too short for many.
        first = generator(plan.seed, "scenarios").randrange(len(subject.scenarios))
        self.scenarios = Cycle([*subject.scenarios[first:], *subject.scenarios[:first]], plan.dialogs)
        self.was_calm = True
        self.outcome = Outcome()
        self.world.trace.add(0.0, plan)

    def run(self, path: Path) -> None:
        try:
            reference, extent, cost = self._reference()
            self._sessions(path, reference, extent, cost)
        except Stuck as stuck:
            self.world.breaks("a run comes to its end", str(stuck))
        except JournalInvalid as error:
            self.world.breaks("the journal stays whole", _in_words(error))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.world.breaks("nothing unforeseen is raised", _in_words(error))
        if self.world.broken:
            self._ask_whether_it_repeats()

    def _reference(self) -> tuple[dict[int, Dialog], Extent, Ledger]:
        """The run without faults, kills and caps, first come first served; its extent and what it cost."""
        plan, ledger = self.plan, Ledger()
        world = World(self.run_seed, plan.dialogs)
        network = FaultyNetwork(self.subject.backend(plan.seed), plan, world, ledger, is_calm=True)
        loop = SeededLoop(0, "arrival")

        async def play() -> tuple[dict[int, Dialog], float]:
            world.begin(loop, lambda: None)
            simulation = Simulation(
                model=network,
                concurrency=plan.concurrency,
                seed=self.run_seed,
                clock=world.clock,
                in_flight=plan.in_flight,
                settings=Settings(),
            )
            simulation.models = OneModel(network)
            dialogs = {}
            async with simulation:
                async for dialog in simulation.run(self.scenarios):
                    network.live.discard(world.numbers[str(dialog.id)])
                    dialogs[world.numbers[str(dialog.id)]] = dialog
            return dialogs, world.clock.now()

        with no_threads():
            dialogs, seconds = anyio.run(play, backend_options={"loop_factory": lambda: loop})
        commits = ledger.calls + sum(len(dialog) for dialog in dialogs.values()) + 2
        return dialogs, Extent(loop.steps, seconds, commits), ledger

    def _sessions(self, path: Path, reference: Mapping[int, Dialog], extent: Extent, cost: Ledger) -> None:
        plan, subject = self.plan, self.subject
        network = FaultyNetwork(subject.backend(plan.seed), plan, self.world, self.ledger)
        budget = plan.budget(cost.billed)
        failures = FailurePolicy(stop_share=plan.stop_share, stop_after=2)
        recorded: set[tuple[int, int]] = set()
        has_begun = False
        for number in range(_MOST_SESSIONS):
            mishap = plan.mishaps[number] if number < len(plan.mishaps) else None
            gives_again = plan.is_stream or not (plan.from_journal and subject.is_self_contained)
            network.begin_session(recorded, budget)
            self.witness.begin_session()
            session = Session(
                plan=plan,
                path=path,
                run_seed=self.run_seed,
                resumes=has_begun,
                scenarios=self.scenarios if gives_again or not has_begun else None,
                code=subject.code,
                network=network,
                world=self.world,
                witness=self.witness,
                mishap=mishap,
                extent=extent,
                budget=budget,
                failures=failures,
            )
            self.outcome = outcome = session.play()
            if self.world.survivors is not None:
                put_back(path.parent, self.world.survivors)
            self._check_outcome(outcome)
            if self.world.broken:
                return
            chronicle = Chronicle.read(path)
            evidence = Evidence(plan, self.world, self.witness, self.ledger, chronicle, outcome.was_killed)
            after_session(evidence)
            has_begun = chronicle.tally.has_begun
            if self.world.broken:
                return
            recorded = chronicle.replies
            if outcome.is_complete:
                self._check_end(path, evidence, reference, budget)
                return
            if outcome.is_out_of_money and budget is not None:
                budget = raised(budget)
            if isinstance(outcome.error, TooManyFailures):
                failures = FailurePolicy(stop_share=None)
        self.world.breaks("a run comes to its end", f"after {_MOST_SESSIONS} sessions it is not complete")

    def _check_outcome(self, outcome: Outcome) -> None:
        """That the session ended for a reason, and that a failed disk stopped it."""
        self.was_calm &= not (outcome.was_killed or outcome.disk_failed)
        may_stop: tuple[type[PlayactError], ...] = ()
        if outcome.was_killed or outcome.disk_failed:
            may_stop += (JournalUnwritable,)
        if self.plan.stop_share is not None:
            may_stop += (TooManyFailures,)
        if outcome.error is not None and not isinstance(outcome.error, may_stop):
            self.world.breaks("nothing unforeseen is raised", _in_words(outcome.error))
        if outcome.disk_failed and not outcome.was_killed and not isinstance(outcome.error, JournalUnwritable):
            self.world.breaks("a commit that fails stops the run", f"the run went on; it ended by {outcome.error!r}")

    def _check_end(
        self, path: Path, evidence: Evidence, reference: Mapping[int, Dialog], budget: Budget | None
    ) -> None:
        digests = {number: dialog.digest() for number, dialog in reference.items()}
        spent = None if budget is None else self.outcome.spent
        when_complete(evidence, digests, spent, was_calm=self.was_calm)
        left = sorted(each.name for each in path.parent.iterdir() if each != path)
        if left:
            self.world.breaks("no file is left", f"the run is complete, and beside its journal are {', '.join(left)}")
        for number, dialog in self.witness.dialogs.items():
            if self.world.broken and number in reference and dialog.digest() != digests[number]:
                self._explain(reference[number], dialog)
                return
        if self.plan.is_replayed and self.subject.is_self_contained and not self.world.broken:
            self._replay(path, evidence.chronicle)

    def _replay(self, path: Path, chronicle: Chronicle) -> None:
        """Played again from the journal, without a model, every dialog is the same."""
        loop = SeededLoop(self.plan.seed, self.plan.order)

        async def play() -> dict[int, str]:
            async with Simulation.replay(path, code=self.subject.code, clock=VirtualClock()) as simulation:
                return {self.world.numbers[str(d.id)]: d.digest() async for d in simulation.run()}

        with no_threads():
            digests = anyio.run(play, backend_options={"loop_factory": lambda: loop})
        for number, story in chronicle.stories.items():
            if digests.get(number) != story.row.digest:
                message = f"dialog {number} ({story.row.reason}), replayed from the journal, is another"
                self.world.breaks("a replay is to the letter", message)

    def _ask_whether_it_repeats(self) -> None:
        """Most of what goes wrong with agents of a user's own is that they do not repeat; then nothing else matters."""
        found = self._what_does_not_repeat()
        if found is not None:
            why = _WHY_NOT if self._what_does_not_repeat(seeds_global=True) is not None else _WHY_GLOBAL
            self.world.broken.insert(0, Broken(_NOT_REPEATABLE, f"{found}. {why}"))

    def _what_does_not_repeat(self, *, seeds_global: bool = False) -> str | None:
        plays = []
        for _ in range(2):
            if seeds_global:
                random.seed(self.plan.seed)
            try:
                plays.append(self._reference()[0])
            except (Exception, Stuck):  # it was found broken for that reason
                return None
        once, again = plays
        for number, dialog in once.items():
            if number not in again or again[number].digest() != dialog.digest():
                found = difference(dialog, again.get(number), "the first time", "the second time")
                return f"dialog {number} was played twice with the same seed and the same replies: {found}"
        return None

    def _explain(self, wanted: Dialog, found: Dialog) -> None:
        message = f"{difference(wanted, found, 'without them', 'with them')}. {_WHY_CHANGED}"
        for place, broken in enumerate(self.world.broken):
            if broken.law == _CHANGED:
                self.world.broken[place] = Broken(_CHANGED, f"{broken.message}: {message}")
                return


def _in_words(error: BaseException) -> str:
    """With where it came from, the innermost first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    at, places = error.__traceback__, []
    while at is not None:
        places.append(f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}")
        at = at.tb_next
    return f"{type(error).__name__}: {error} (from {', '.join(places[:-4:-1])})"
