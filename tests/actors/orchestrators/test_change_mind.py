"""One changes one's mind as often as it was said, for one of the reasons given, and the seed decides when."""

from __future__ import annotations

import random

import pytest
from pydantic import ValidationError

from playact.actors.orchestrators import ChangeMindOrchestrator
from playact.engine import Simulation

from .rehearsal import advised, contents, model, rehearsed

pytestmark = pytest.mark.anyio
CHANGE = "Change your mind completely in this reply."


@pytest.mark.parametrize(("max_times", "times"), [(1, 1), (2, 2), (0, 5), (None, 5)])
async def test_it_changes_no_more_often_than_it_may(max_times: int | None, times: int) -> None:
    dialog, heard = await rehearsed(ChangeMindOrchestrator(1.0, max_times=max_times), turns=10)

    assert contents(dialog, "instruct") == [CHANGE] * times
    assert heard.instructions == [[CHANGE]] * times + [[]] * (5 - times)


async def test_it_never_changes_with_no_probability_and_once_by_default() -> None:
    never, _ = await rehearsed(ChangeMindOrchestrator(0), turns=20)
    once, _ = await rehearsed(ChangeMindOrchestrator(), turns=60)

    assert contents(never, "instruct") == []
    assert contents(once, "instruct") == [CHANGE]


async def test_it_gives_one_of_the_reasons() -> None:
    dialog, _ = await rehearsed(ChangeMindOrchestrator(1.0, ["It rains.", "It is late."], max_times=None), turns=40)

    reasons = [content.removeprefix(f"{CHANGE} Your reason: ") for content in contents(dialog, "instruct")]
    assert set(reasons) == {"It rains.", "It is late."}


async def test_it_changes_about_as_often_as_its_probability_says() -> None:
    async with Simulation(model=model(), seed=1) as simulation:
        scenarios = [advised(ChangeMindOrchestrator(0.3, max_times=None), turns=8)] * 200
        dialogs = [dialog async for dialog in simulation.run(scenarios)]

    times = sum(len(contents(dialog, "instruct")) for dialog in dialogs)
    assert 200 < times < 280  # of 800 turns; 240 are expected, 13 is one standard deviation


async def test_each_dialog_counts_for_itself() -> None:
    async with Simulation(model=model(), seed=1) as simulation:
        scenarios = [advised(ChangeMindOrchestrator(1.0), turns=4)] * 5
        dialogs = [dialog async for dialog in simulation.run(scenarios)]

    assert [contents(dialog, "instruct") for dialog in dialogs] == [[CHANGE]] * 5


async def test_two_of_them_count_each_for_itself() -> None:
    dialog, heard = await rehearsed(ChangeMindOrchestrator(1.0), ChangeMindOrchestrator(1.0, max_times=2), turns=6)

    assert [len(given) for given in heard.instructions] == [2, 1, 0]
    assert len(contents(dialog, "instruct")) == 3


async def test_what_else_is_drawn_in_the_process_changes_nothing() -> None:
    """sdialog: ChangeMind draws from the global generator."""
    random.seed(1)
    first, _ = await rehearsed(ChangeMindOrchestrator(max_times=None), turns=20)
    random.seed(2)
    state = random.getstate()
    second, _ = await rehearsed(ChangeMindOrchestrator(max_times=None), turns=20)

    assert first.digest() == second.digest()
    assert random.getstate() == state


@pytest.mark.parametrize("parameters", [{"probability": 1.5}, {"probability": -1}, {"max_times": -1}])
def test_numbers_that_make_no_sense_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ChangeMindOrchestrator(**parameters)  # type: ignore[arg-type]  # that is the point
