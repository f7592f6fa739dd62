"""Who speaks next is decided by a policy, the same at every run, and never by what not all have heard."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from playact.actors import (
    AddressedByName,
    Agent,
    Moderator,
    RoundRobin,
    Scenario,
    ScriptedOrder,
    TurnPolicy,
    WeightedRandom,
)
from playact.actors.playbill import Playbill
from playact.actors.recipes import recipe_of, scenario_from
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Dialog, Simulation, Turn, Usage
from playact.engine.completion import Completion
from playact.engine.errors import FileInvalid, ReplyInvalid

pytestmark = pytest.mark.anyio

NAMES = ("Ana", "Ben", "Cem")
CAST = tuple(Agent(name=name) for name in NAMES)
Answer = Callable[[CompletionRequest], str | Completion]


def said(*turns: tuple[str, str], seed: int = 1) -> Dialog:
    return Dialog(seed=seed, turns=[Turn(speaker=speaker, text=text) for speaker, text in turns])


def next_of(policy: TurnPolicy, dialog: Dialog, cast: Sequence[str] = NAMES) -> str:
    place = policy.next_speaker(cast, dialog)
    assert isinstance(place, int)
    return cast[place]


def chairing(asked: list[CompletionRequest], choose: Answer) -> ScriptedBackend:
    """A model that speaks for everybody, and answers a moderator's questions as `choose` does."""
    return ScriptedBackend(answering(asked, choose))


def answering(asked: list[CompletionRequest], choose: Answer) -> Answer:

    def answer(request: CompletionRequest) -> str | Completion:
        if not request.messages[0].text.startswith("You moderate"):
            return f"This is line {request.sequence}."
        asked.append(request)
        return choose(request)

    return answer


def stopping(at: int, stop: Callable[[], None], answer: Answer) -> ScriptedBackend:
    """One that stops everything at the call of that number."""

    async def wait(request: CompletionRequest) -> str | Completion:
        if request.sequence == at:
            stop()
            await anyio.sleep_forever()
        return answer(request)

    return ScriptedBackend(wait)


def giving(name: str) -> str:
    return json.dumps({"speaker": name})


async def played(policy: object, model: ScriptedBackend | None = None, turns: int = 6, seed: int = 5) -> Dialog:
    scenario = Scenario.model_validate({"cast": CAST, "turn_policy": policy, "max_turns": turns, "seed": seed})
    async with Simulation(model=model or ScriptedBackend(lambda request: f"Line {request.sequence}.")) as simulation:
        return await simulation.play(scenario)


def speakers(dialog: Dialog) -> list[str]:
    return [str(turn.speaker) for turn in dialog]


def test_round_robin_keeps_its_name_in_journals() -> None:
    assert f"{RoundRobin.__module__}:{RoundRobin.__qualname__}" == "playact.actors.stage:RoundRobin"


@given(st.integers(0, 2**62), st.integers(0, 40))
def test_a_weighted_draw_depends_on_the_seed_and_the_turn_alone(seed: int, turns: int) -> None:
    policy = WeightedRandom({"Ana": 3}, may_repeat=True)
    one = said(*[("Ana", "One.")] * turns, seed=seed)
    other = said(*[("Ben", "Something else, Cem.")] * turns, seed=seed)

    assert next_of(policy, one) == next_of(policy, other)


def test_weights_are_kept_and_nobody_speaks_twice_running() -> None:
    policy = WeightedRandom({"Ana": 2, "Cem": 0.5})
    drawn = Counter(next_of(policy, said(("Dan", "x"), seed=seed), (*NAMES, "Dan")) for seed in range(3500))

    assert drawn["Dan"] == 0
    assert 1850 < drawn["Ana"] < 2150
    assert 900 < drawn["Ben"] < 1100
    assert 430 < drawn["Cem"] < 570


async def test_a_random_dialog_is_the_same_at_every_run_and_another_with_another_seed() -> None:
    first, again = await played(WeightedRandom(), turns=20), await played(WeightedRandom(), turns=20)
    other = await played(WeightedRandom(), turns=20, seed=6)

    assert speakers(first) == speakers(again) != speakers(other)


@pytest.mark.parametrize(
    ("text", "speaker"),
    [
        ("Cem, what do you think?", "Cem"),
        ("What do you think, Cem?", "Cem"),
        ("I heard that from Ben. Cem, is it true?", "Cem"),
        ("Ask Cem.", "Cem"),
        ("@cem look", "Cem"),
        ("Well, CEM! You are late.", "Cem"),
        ("Nobody is named.", "Ben"),
        ("Ben and Cem should know.", "Ben"),
        ("Ben, or you, Cem?", "Ben"),
        ("Ana never lies; I am Ana.", "Ben"),
        ("The cement is wet.", "Ben"),
        ("", "Ben"),
    ],
)
def test_who_is_spoken_to_answers_and_else_the_next_in_the_cast(text: str, speaker: str) -> None:
    assert next_of(AddressedByName(), said(("Ana", text))) == speaker


def test_a_first_name_will_do_where_only_one_has_it() -> None:
    cast = ("Ana Lo", "Ben Ito", "Ben Ray", "小明")

    assert next_of(AddressedByName(), said(("小明", "Ana, come here.")), cast) == "Ana Lo"
    assert next_of(AddressedByName(), said(("Ana Lo", "Ben, come here.")), cast) == "Ben Ito"
    assert next_of(AddressedByName(), said(("Ana Lo", "Ben Ray, come here.")), cast) == "Ben Ray"
    assert next_of(AddressedByName(), said(("Ana Lo", "你好小明吗")), cast) == "小明"


def test_a_policy_of_ones_choice_decides_where_nobody_is_named() -> None:
    policy = AddressedByName(otherwise=ScriptedOrder(("Cem", "Ana")))

    assert next_of(policy, said()) == "Cem"
    assert next_of(policy, said(("Ben", "Ana?"), ("Ana", "Yes."))) == "Cem"


async def test_a_written_order_begins_again_or_ends_the_dialog() -> None:
    repeated = await played(ScriptedOrder(("Cem", "Ana")), turns=5)
    ended = await played(ScriptedOrder(("Cem", "Ana", "Cem"), repeats=False))

    assert speakers(repeated) == ["Cem", "Ana", "Cem", "Ana", "Cem"]
    assert speakers(ended) == ["Cem", "Ana", "Cem"]
    assert ended.ending is not None
    assert (ended.ending.reason, ended.ending.detail) == ("finished", "turn policy")


async def test_a_moderator_gives_the_floor_and_its_choices_are_rows_of_the_dialog() -> None:
    asked: list[CompletionRequest] = []
    model = chairing(asked, lambda request: giving("Cem" if request.sequence % 4 == 0 else "Ben"))
    dialog = await played(Moderator(instructions="Be fair."), model, turns=4)

    assert speakers(dialog) == ["Cem", "Ben", "Cem", "Ben"]
    assert dialog.events is not None
    assert [(e.agent, e.content) for e in dialog.events if e.action == "choose"] == [
        ("moderator", name) for name in ("Cem", "Ben", "Cem", "Ben")
    ]
    assert (
        asked[0]
        .messages[0]
        .text.startswith("You moderate a conversation between Ana, Ben and Cem. You decide who speaks next. Be fair.")
    )
    assert asked[1].messages[1].text == "Cem: This is line 1.\n\nWho speaks next: Ana or Ben?"


async def test_where_nobody_is_named_a_moderator_decides_and_is_asked_for_no_other_turn() -> None:
    lines = iter(["Ben, are you there?", "Yes.", "Ana, are you?", "I am."])
    asked: list[CompletionRequest] = []

    def answer(request: CompletionRequest) -> str:
        if not request.messages[0].text.startswith("You moderate"):
            return next(lines)
        asked.append(request)
        return giving("Cem")

    dialog = await played(AddressedByName(otherwise=Moderator()), ScriptedBackend(answer), turns=4)

    assert speakers(dialog) == ["Cem", "Ben", "Cem", "Ana"]
    assert len(asked) == 2


async def test_what_a_moderator_costs_is_part_of_what_the_dialog_costs() -> None:
    model = chairing([], lambda request: Completion(text=giving("Ben"), usage=Usage(1000, 100)))
    dialog = await played(Moderator(), model, turns=1)

    assert dialog.usage is not None
    assert dialog.usage.prompt_tokens > 1000


async def test_a_moderator_may_end_the_dialog_where_it_is_allowed_to() -> None:
    asked: list[CompletionRequest] = []
    model = chairing(asked, lambda request: giving("(nobody)" if request.sequence == 4 else NAMES[request.sequence]))
    dialog = await played(Moderator(may_end=True), model)

    assert speakers(dialog) == ["Ana", "Cem"]
    assert dialog.ending is not None
    assert dialog.ending.detail == "turn policy"
    assert "(nobody)" not in asked[0].messages[1].text  # somebody must begin


@pytest.mark.parametrize("answer", ["Ben please", giving("Dan"), "", '{"speaker": 3}'])
async def test_where_a_moderator_gives_no_name_the_fallback_decides(answer: str) -> None:
    asked: list[CompletionRequest] = []
    dialog = await played(Moderator(), chairing(asked, lambda request: answer), turns=3)

    assert speakers(dialog) == list(NAMES)
    assert len(asked) == 6  # each time once more, told what was wrong


async def test_a_turn_that_is_taken_again_asks_the_moderator_no_second_time() -> None:
    asked: list[CompletionRequest] = []

    def choose(request: CompletionRequest) -> str | Completion:
        if request.messages[0].text.startswith("You moderate"):
            asked.append(request)
            return giving("Ben" if len(asked) % 2 else "Cem")
        if request.sequence == 3 and not request.attempt:
            raise ReplyInvalid("scripted", "half a reply")
        return f"This is line {request.sequence}."

    dialog = await played(Moderator(), ScriptedBackend(choose), turns=3)

    assert speakers(dialog) == ["Ben", "Cem", "Ben"]
    assert len(asked) == 3


async def test_a_run_that_is_broken_off_anywhere_never_asks_a_moderator_twice(tmp_path: Path) -> None:
    scenario = Scenario(cast=CAST, turn_policy=Moderator(), max_turns=5, seed=9)
    choose: Answer = lambda request: giving(NAMES[(request.sequence // 2) % 2 + 1])  # noqa: E731
    whole: list[CompletionRequest] = []
    async with Simulation(model=chairing(whole, choose), seed=1) as simulation:
        expected = (await simulation.play(scenario)).digest()

    for stop in range(10):
        journal, asked = tmp_path / f"{stop}.db", list[CompletionRequest]()

        with anyio.CancelScope() as scope:
            model = stopping(stop, scope.cancel, answering(asked, choose))
            async with Simulation(model=model, journal=journal, seed=1) as simulation:
                async for _ in simulation.run([scenario]):
                    pass
        async with Simulation.resume(journal, model=chairing(asked, choose)) as simulation:
            (dialog,) = [dialog async for dialog in simulation.run()]
        async with Simulation.replay(journal) as simulation:
            (replayed,) = [dialog async for dialog in simulation.run()]

        assert dialog.digest() == expected == replayed.digest()
        assert len({request.sequence for request in asked}) == len(asked) == len(whole) == 5


async def test_a_policy_that_gives_no_place_of_the_cast_fails_its_dialog_and_says_so() -> None:
    class Astray:
        def next_speaker(self, cast: Sequence[str], dialog: Dialog) -> int:
            return -1

    dialog = await played(Astray())

    assert dialog.ending is not None
    assert dialog.ending.error == "Astray gave the floor to place -1; the places of Ana, Ben, Cem count from 0"


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (WeightedRandom({"Dan": 1}), "WeightedRandom weighs 'Dan', who is not in the cast: Ana, Ben, Cem"),
        (WeightedRandom({"Ana": 0, "Ben": 0}), "leaves nobody to speak next"),
        (ScriptedOrder(("Ana", "Dan")), "ScriptedOrder names 'Dan', who is not in the cast"),
        (AddressedByName(otherwise=ScriptedOrder(("Dan",))), "ScriptedOrder names 'Dan'"),
        (Moderator(otherwise=ScriptedOrder(("Dan",))), "ScriptedOrder names 'Dan'"),
        ("Anarchy", "a turn policy is one of RoundRobin, WeightedRandom"),
        ({"ScriptedOrder": {"order": []}}, "ScriptedOrder.order\n.*Tuple should have at least 1 item"),
        ({"WeightedRandom": {"weights": {"Ana": -1}}}, "WeightedRandom.weights.Ana\n.*greater than or equal to 0"),
    ],
)
def test_a_policy_that_does_not_suit_the_cast_is_refused(policy: object, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Scenario.model_validate({"cast": CAST, "turn_policy": policy})


@pytest.mark.parametrize(
    ("lines", "policy"),
    [
        ("turn_policy: RoundRobin", RoundRobin()),
        ("turn_policy: {WeightedRandom: {weights: {Ana: 2}}}", WeightedRandom({"Ana": 2})),
        ("turn_policy: {AddressedByName: {otherwise: WeightedRandom}}", AddressedByName(otherwise=WeightedRandom())),
        ("turn_policy: {Moderator: {instructions: Be fair., may_end: true}}", Moderator("Be fair.", may_end=True)),
        ("turn_policy: {ScriptedOrder: {order: [Ben, Ana], repeats: false}}", ScriptedOrder(("Ben", "Ana"), False)),
    ],
)
def test_a_scenario_file_names_policies_and_a_recipe_keeps_them(lines: str, policy: object, tmp_path: Path) -> None:
    path = tmp_path / "party.yaml"
    path.write_text(f"cast: [{{name: Ana}}, {{name: Ben}}]\n{lines}\n", encoding="utf-8")

    scenario = next(iter(Playbill.from_file(path).scenarios(1)))

    assert scenario.turn_policy == policy
    assert scenario_from(json.loads(json.dumps(recipe_of(scenario)))).turn_policy == policy


def test_a_wrong_policy_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "party.yaml"
    path.write_text(
        "cast: [{name: Ana}, {name: Ben}]\nturn_policy:\n  WeightedRandom: {wheights: {}}\n", encoding="utf-8"
    )

    with pytest.raises(FileInvalid, match=r"party.yaml:3: unknown key `wheights`; did you mean `weights`?"):
        Playbill.from_file(path)
