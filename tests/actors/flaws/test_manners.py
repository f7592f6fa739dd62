"""What becomes of a flawed reply: it is recorded, asked for again, or ends the dialog, as the manners say."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from playact.actors import Agent, Manners, Persona, Scenario
from playact.actors.playbill import Playbill
from playact.actors.recipes import recipe_of, scenario_from
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Dialog, FlawFound, Simulation

pytestmark = pytest.mark.anyio

ADA = Agent(Persona(name="Ada"))
BOB = Agent(Persona(name="Bob"))
META = "As an AI language model, I have no favourite tea."


async def played(*replies: str, max_turns: int = 4, manners: object = None) -> Dialog:
    async with Simulation(model=ScriptedBackend(replies)) as simulation:
        return await simulation.play(
            Scenario.model_validate({"cast": (ADA, BOB), "max_turns": max_turns, "manners": manners})
        )


def flaws(dialog: Dialog) -> list[tuple[str | None, str | None, str]]:
    rows = [event for event in dialog.events or () if event.action == "flaw"]
    return [(row.agent, row.actionLabel, row.content["outcome"]) for row in rows]


async def test_a_flaw_is_recorded_with_the_words_that_show_it_and_the_reply_is_said() -> None:
    dialog = await played("Tea?", META, "I see.", "Good.")

    assert [turn.text for turn in dialog] == ["Tea?", META, "I see.", "Good."]
    assert flaws(dialog) == [("Bob", "meta_talk", "recorded")]
    assert next(event for event in dialog.events or () if event.action == "flaw").content == {
        "evidence": "As an AI language model",
        "outcome": "recorded",
    }


async def test_a_flawed_reply_is_asked_for_again_with_advice_and_no_word_of_it_stays() -> None:
    asked: list[CompletionRequest] = []

    def answer(request: CompletionRequest) -> str:
        asked.append(request)
        return ["Tea?", META, "The green one.", "Fine."][len(asked) - 1]

    async with Simulation(model=ScriptedBackend(answer), seed=1) as simulation:
        dialog = await simulation.play(Scenario(cast=(ADA, BOB), max_turns=3, manners=Manners(meta_talk="retry")))
        counted = simulation.statistics().flaws

    assert [turn.text for turn in dialog] == ["Tea?", "The green one.", "Fine."]
    assert flaws(dialog) == [("Bob", "meta_talk", "retried")]
    assert next(event for event in dialog.events or () if event.action == "flaw").content["reply"] == META
    assert [message.role for message in asked[2].messages] == ["system", "system", "user"]
    assert len({request.seed for request in asked}) == 4
    assert not any(META in message.text for message in asked[3].messages)
    assert all(message.role != "system" for message in asked[3].messages[1:])
    assert counted == {"meta_talk": 1}


async def test_after_so_many_retries_the_reply_is_said_and_recorded() -> None:
    dialog = await played("Tea?", META, META, META, "Oh.", max_turns=3, manners={"meta_talk": "retry", "retries": 2})

    assert [turn.text for turn in dialog] == ["Tea?", META, "Oh."]
    assert [outcome for *_, outcome in flaws(dialog)] == ["retried", "retried", "recorded"]


async def test_a_flaw_ends_the_dialog_and_the_ending_says_so() -> None:
    dialog = await played("Tea?", META, "never asked for", manners="end")

    assert [turn.text for turn in dialog] == ["Tea?", META]
    assert dialog.ending is not None
    assert (dialog.ending.reason, dialog.ending.detail) == ("finished", "flaw: meta_talk")


async def test_what_is_to_be_ignored_leaves_no_row() -> None:
    dialog = await played("Tea?", META, "I see.", "Good.", manners={"meta_talk": "ignore"})

    assert flaws(dialog) == []


async def test_an_agents_own_manners_go_before_those_of_the_scenario() -> None:
    bob = Agent(Persona(name="Bob"), manners=Manners(meta_talk="ignore"))
    async with Simulation(model=ScriptedBackend([META, "As an AI, I agree."])) as simulation:
        dialog = await simulation.play(Scenario(cast=(ADA, bob), max_turns=2, manners=Manners.all("record")))

    assert [agent for agent, *_ in flaws(dialog) if agent] == ["Ada"]


async def test_a_recorded_flaw_changes_no_digest() -> None:
    flagged = await played("Tea?", META, "I see.")
    ignored = await played("Tea?", META, "I see.", manners="ignore")
    ignored.id = flagged.id
    ignored.seed = flagged.seed

    assert flaws(flagged) != flaws(ignored)
    assert flagged.digest() == ignored.digest()


async def test_a_reply_in_a_form_and_a_first_utterance_are_nobodys_flaw() -> None:
    schema = {"type": "object", "properties": {"say": {"type": "string"}}, "required": ["say"]}
    opener = Agent(Persona(name="Ada"), first_utterance=META)
    clerk = Agent(Persona(name="Bob"), response_schema=schema)
    async with Simulation(model=ScriptedBackend(['{"say": "As an AI, I can not."}'])) as simulation:
        dialog = await simulation.play(Scenario(cast=(opener, clerk), max_turns=2))

    assert flaws(dialog) == []


async def test_a_run_with_retries_replays_and_resumes_as_it_was(tmp_path: Path) -> None:
    replies = ["Tea?", META, "The green one.", "Fine.", "Good."]
    scenario = Scenario(cast=(ADA, BOB), max_turns=4, manners=Manners(meta_talk="retry"))
    async with Simulation(model=ScriptedBackend(replies), journal=tmp_path / "run.db", seed=3) as simulation:
        (first,) = [dialog async for dialog in simulation.run([scenario])]
    async with Simulation.replay(tmp_path / "run.db") as simulation:
        (second,) = [dialog async for dialog in simulation.run()]

    assert first.ending is not None
    assert second.ending == first.ending
    assert second.digest() == first.digest()
    assert flaws(second) == flaws(first) == [("Bob", "meta_talk", "retried")]


async def test_the_journals_tally_counts_flaws_and_holds_against_the_log(tmp_path: Path) -> None:
    from playact.engine.journal.file import JournalFile

    async with Simulation(model=ScriptedBackend(["Tea?", META]), journal=tmp_path / "run.db") as simulation:
        async for _ in simulation.run([Scenario(cast=(ADA, BOB), max_turns=2)]):
            pass
    file = JournalFile.read(tmp_path / "run.db")

    assert file.verify().flaws == {"meta_talk": 1}
    file.close()


async def test_a_fact_of_it_is_told_to_subscribers() -> None:
    async with (
        Simulation(model=ScriptedBackend(["Tea?", META])) as simulation,
        simulation.events(FlawFound) as events,
    ):
        await simulation.play(Scenario(cast=(ADA, BOB), max_turns=2))
        record = await anext(aiter(events))

    assert (record.fact.agent, record.fact.flaw) == ("Bob", "meta_talk")  # type: ignore[attr-defined]  # it was asked for


def test_manners_are_named_in_a_scenario_file_and_in_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "scene.yaml"
    file.write_text(
        "manners: retry\ncast:\n  - persona: {name: Ada}\n    manners: {echo: end, retries: 1}\n  - name: Bob\n",
        encoding="utf-8",
    )
    scenario = next(iter(Playbill.from_file(file).scenarios(1)))

    assert scenario.manners == Manners.all("retry")
    assert scenario.cast[0].manners == Manners(echo="end", retries=1)
    assert scenario_from(recipe_of(scenario)) == scenario


@pytest.mark.parametrize("manners", [{"meta_tlak": "retry"}, {"echo": "explode"}, "explode", {"retries": -1}])
def test_manners_that_are_none_are_refused(manners: object) -> None:
    with pytest.raises(ValidationError):
        Agent(manners=manners)  # type: ignore[arg-type]  # that is the point
