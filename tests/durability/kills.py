"""Kills the real command at random moments until a number of kills is reached, and keeps account of every call."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.durability.command import Ended, Place, ended, until
from tests.servers.counting_server import Manners

__all__ = ["Account", "Killer"]

_MOMENTS = ("start", "opening", "playing", "playing", "ending")
_PLAYS_ON_FOR = 60  # calls, at the most, before a kill among them
_MOST_KILLS = 12  # of one run


@dataclass(slots=True)
class Account:
    """What all runs together came to. phases: what a process was at when it was killed."""

    kills: int = 0
    runs: int = 0
    needed: int = 0
    paid: int = 0
    most_lost: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def __str__(self) -> str:
        phases = ", ".join(f"{count} {name}" for name, count in sorted(self.phases.items()))
        return (
            f"{self.kills} kills ({phases}) of {self.runs} runs in {self.seconds:.1f} s: {self.needed} calls needed, "
            f"{self.paid} paid, {self.paid - self.needed} lost, at most {self.most_lost} by one kill"
        )


class Killer:
    """Plays one run after another, each killed several times before it may end; each asks at a till of its own.

    dialogs, concurrency: of each run. needed: how many calls it takes. more: other arguments of `playact run`.
    signals: how a process is killed, at random. spoils: whether the file of dialogs is cut at a random byte now and
    then, so that it has to be made whole again.
    """

    def __init__(
        self,
        place: Place,
        seed: int,
        *,
        needed: int,
        dialogs: int = 60,
        concurrency: int = 16,
        more: tuple[str, ...] = (),
        manners: Manners | None = None,
        signals: tuple[signal.Signals, ...] = (signal.SIGKILL,),
        spoils: bool = True,
    ) -> None:
        self.account = Account()
        self.place = place
        self._random = random.Random(seed)
        self._needed = needed
        self._dialogs = dialogs
        self._concurrency = concurrency
        self._more = more
        self._manners = manners
        self._signals = signals
        self._spoils = spoils
        self._lost = 0

    def run_until_it_ends(self, most_kills: int) -> Ended:
        """Plays a new run with a random number of kills, at most so many; gives how its last process ended."""
        self.account.runs += 1
        self.account.needed += self._needed
        self.place.start_anew(self._manners)
        self._lost = 0
        return self.go_on(most_kills)

    def go_on(self, most_kills: int, *more: str) -> Ended:
        """The same with the run that is there, which may need other arguments of `playact resume` now."""
        account, began, paid = self.account, time.monotonic(), self.place.till.settled().paid
        last: Ended | None = None
        kills = account.kills + self._random.randint(1, min(most_kills, _MOST_KILLS))
        while last is None and account.kills < kills:
            last = self._killed(more)
        last = last or self.place.play(self._line(more))
        counts = self.place.till.settled()
        assert counts.different <= self._needed, "something was asked that an uninterrupted run does not ask"
        account.paid += counts.paid - paid
        account.seconds += time.monotonic() - began
        return last

    def _line(self, more: tuple[str, ...]) -> list[str]:
        """`playact run` until there is a plan in the journal, `playact resume` from then on."""
        if self.place.tally().total is not None:
            return self.place.resume_line(*more)
        return self.place.run_line(*self._more, dialogs=self._dialogs, concurrency=self._concurrency)

    def _killed(self, more: tuple[str, ...]) -> Ended | None:
        """Starts the command and kills it at a random moment; gives how it ended where it was faster."""
        place, received = self.place, self.place.till.settled().received
        with place.started(self._line(more)) as process:
            self._await_a_moment(process, received)
            if process.poll() is not None:
                return ended(process)
            process.send_signal(self._random.choice(self._signals))
            ended(process)
        self._account_for(process.pid, received)
        if self._spoils and self._random.random() < 0.3:
            self._spoil()
        return None

    def _await_a_moment(self, process: subprocess.Popen[str], received: int) -> None:
        place, draw = self.place, self._random
        match draw.choice(_MOMENTS):
            case "start":
                time.sleep(draw.uniform(0.0, 0.5))
            case "opening":
                until(lambda: place.was_held_by(process.pid), process)
                time.sleep(draw.uniform(0.0, 0.04))
            case "playing":
                calls = received + draw.randrange(_PLAYS_ON_FOR)
                until(lambda: place.till.counts().received > calls, process)
            case _:
                until(lambda: place.till.counts().different == self._needed, process)
                time.sleep(draw.uniform(0.0, 0.15))

    def _account_for(self, process: int, received: int) -> None:
        """Nothing is asked twice but what was under way at a kill, or had its connection cut."""
        account, counts, tally = self.account, self.place.till.settled(), self.place.tally()
        lost = counts.paid - counts.cut - tally.calls
        assert 0 <= lost - self._lost <= self._concurrency, (lost, self._lost, counts, tally)
        account.most_lost = max(account.most_lost, lost - self._lost)
        self._lost = lost
        account.kills += 1
        if counts.received > received:
            phase = "ending" if tally.over == self._dialogs else "playing"
        elif tally.over == self._dialogs:
            phase = "with nothing to play"
        else:
            phase = "opening the journal" if self.place.was_held_by(process) else "starting"
        account.phases[phase] += 1

    def _spoil(self) -> None:
        """What a disk whose power was cut may have done to the file."""
        if self.place.lines():
            with self.place.out.open("r+b") as file:
                file.truncate(self._random.randrange(self.place.out.stat().st_size))
