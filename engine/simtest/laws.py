"""What must hold after each session of a run, however it ended, and when the run is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..budget.amount import NOTHING, Amount
from ..messages import DialogEnded
from .chronicle import Chronicle, Story
from .ledger import Ledger
from .plan import Plan
from .witness import Witness
from .world import World

__all__ = ["Evidence", "after_session", "when_complete"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that bears on whether the laws hold.

    chronicle: the journal as it is on the disk now. was_killed: the last session, which might have said more.
    """

    plan: Plan
    world: World
    witness: Witness
    ledger: Ledger
    chronicle: Chronicle
    was_killed: bool


def after_session(evidence: Evidence) -> None:
    """What was told, handed out or sent rests on what is in the journal; and nothing is in it twice."""
    for number, story in evidence.chronicle.stories.items():
        for what in story.doubled:
            evidence.world.breaks("nothing is in the journal twice", f"{what} of dialog {number} is there twice")
    _told_is_durable(evidence)
    if not evidence.was_killed:
        _endings_are_told(evidence)
    _handed_out_is_durable(evidence)
    _sent_after_durable(evidence)
    _replies_are_as_billed(evidence)


def when_complete(evidence: Evidence, reference: Mapping[int, str], spent: Amount | None, *, was_calm: bool) -> None:
    """Every dialog is over, once, and as it is without faults; the money is right to the picodollar.

    spent: what the run believes it spent, None where it has no caps. was_calm: nothing was lost on the way.
    """
    world, stories = evidence.world, evidence.chronicle.stories
    for number in range(evidence.plan.dialogs):
        _is_over_as_it_should(evidence, number, stories.get(number), reference[number])
    over = evidence.chronicle.tally.over
    if over != evidence.plan.dialogs:
        world.breaks("every dialog ends once", f"{evidence.plan.dialogs} dialogs, and the tally has {over} endings")
    for number, story in stories.items():
        for call in story.replies:
            key = (number, call)
            given, lost = evidence.ledger.times_given[key], evidence.ledger.lost[key]
            if given != lost + 1:
                message = f"the reply to call {call} of dialog {number} was given {given} times and lost {lost} times"
                world.breaks("no reply is paid for twice", message)
    _money_is_right(evidence, spent, was_calm=was_calm)


def _told_is_durable(evidence: Evidence) -> None:
    world, stories = evidence.world, evidence.chronicle.stories
    for number, all_told in sorted(evidence.witness.told.items()):
        told = all_told[:-1] if number in evidence.witness.gaps else all_told
        story = stories.get(number)
        kept = [] if story is None else story.facts
        if number in evidence.witness.gaps and story is not None and story.row.reason is not None:
            world.breaks("what is told is in order and complete", evidence.witness.gaps[number])
        for place, fact in enumerate(told):
            if place < len(kept) and kept[place] == fact:
                continue
            if isinstance(fact, DialogEnded) and _may_be_gone(evidence, number, story):
                continue
            found = kept[place] if place < len(kept) else "nothing"
            message = f"{fact} was told as number {place} of dialog {number}; the journal has {found} there"
            world.breaks("nothing is told before it is durable", message)
            break


def _endings_are_told(evidence: Evidence) -> None:
    for number in sorted(evidence.witness.taken_now):
        if not isinstance(evidence.witness.told.get(number, [None])[-1], DialogEnded):
            message = f"dialog {number} was handed out, and no subscriber was told that it ended"
            evidence.world.breaks("DialogEnded is told once and last", message)


def _handed_out_is_durable(evidence: Evidence) -> None:
    for number, (reason, digest) in sorted(evidence.witness.taken_now.items()):
        story = evidence.chronicle.stories.get(number)
        if story is None or story.row.reason is None:
            if not _may_be_gone(evidence, number, story):
                message = f"dialog {number} was handed out ({reason}); in the journal it is not over"
                evidence.world.breaks("nothing is handed out before it is durable", message)
        elif (story.row.reason, story.row.digest) != (reason, digest):
            message = f"dialog {number} was handed out ({reason}); in the journal it is another ({story.row.reason})"
            evidence.world.breaks("nothing is handed out before it is durable", message)
        else:
            evidence.witness.taken[number] = (reason, digest)


def _may_be_gone(evidence: Evidence, number: int, story: Story | None) -> bool:
    """Whether a dialog ended with its session only, and the run says so."""
    return (story is None or story.row.reason is None) and number in evidence.witness.cut_short


def _sent_after_durable(evidence: Evidence) -> None:
    replies = evidence.chronicle.replies
    for number, call in sorted(evidence.ledger.received):
        missing = [before for before in range(call) if (number, before) not in replies]
        if missing:
            message = f"call {call} of dialog {number} was sent; the reply to call {missing[0]} is not in the journal"
            evidence.world.breaks("nothing is sent before what came before it is durable", message)
            return
    for key in evidence.ledger.answered - replies:
        evidence.ledger.lost[key] += 1


def _replies_are_as_billed(evidence: Evidence) -> None:
    for number, story in evidence.chronicle.stories.items():
        for call, kept in story.replies.items():
            given = evidence.ledger.given.get((number, call))
            if given is None or kept != (
                (given[0].prompt_tokens, given[0].completion_tokens, given[0].cached_tokens),
                given[1],
            ):
                message = f"the reply to call {call} of dialog {number} cost {given}; the journal says {kept}"
                evidence.world.breaks("the journal's money is the provider's", message)
                return


def _is_over_as_it_should(evidence: Evidence, number: int, story: Story | None, digest: str) -> None:
    world = evidence.world
    if story is None or story.row.reason is None:
        world.breaks("every dialog ends once", f"the run is complete, and dialog {number} is not over")
        return
    if not story.facts or not isinstance(story.facts[-1], DialogEnded):
        world.breaks("DialogEnded is told once and last", f"the last fact of dialog {number} is {story.facts[-1:]}")
    is_hopeless = evidence.plan.is_hopeless and story.row.reason not in ("finished", "turn_limit")
    if story.row.digest != digest and not is_hopeless:
        message = f"dialog {number} is another than without faults and kills"
        world.breaks("faults, kills and schedules change no dialog", message)


def _money_is_right(evidence: Evidence, spent: Amount | None, *, was_calm: bool) -> None:
    world, ledger, tally = evidence.world, evidence.ledger, evidence.chronicle.tally
    if tally.reserved != NOTHING:
        world.breaks("what is reserved is settled", f"the run is complete, and {tally.reserved} is reserved")
    if spent is None:
        return
    if spent != tally.spent:
        world.breaks("the journal's money is the provider's", f"the run spent {spent}, its journal says {tally.spent}")
    accounted = 1 if evidence.plan.capped == "calls" else 3  # what no cap is on need not be known of lost calls
    if any(own < billed for own, billed in zip(spent[:accounted], ledger.billed[:accounted], strict=True)):
        message = f"{ledger.billed} was billed, and only {spent} is accounted for"
        world.breaks("the journal's money is the provider's", message)
    if was_calm and not ledger.wasted and spent != ledger.billed:
        message = f"nothing was lost, {ledger.billed} was billed and {spent} is accounted for"
        world.breaks("the journal's money is the provider's", message)
