"""Many objects at once: their order, repeats, quotas, faults, kills."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

from playact.actors import Persona
from playact.actors.generators import AttributeModelGenerator, PersonaGenerator, Population
from playact.backends.faults import Faults, Latency
from playact.backends.scripted import ScriptedBackend
from playact.engine import Budget, CompletionRequest, Dialog, Simulation, VirtualClock, dialogs_in, run, virtual_time
from playact.engine.errors import CodeMissing, GenerationIncomplete, JournalInvalid, SetupError
from playact.engine.failures import FailurePolicy
from tests.actors.generators.filling import Filling

NOBODY = ScriptedBackend([])


def few(request: CompletionRequest, said: dict[str, Any]) -> Any:
    """A model that knows ten names, and no others unless it is told what to avoid."""
    luck = (request.seed or 0) % 10
    return {"name": f"person{luck}" if "variant" not in request.messages[-1].text else said["name"]}


@pytest.mark.anyio
async def test_a_thousand_personas_are_all_made_each_in_one_call() -> None:
    model = Filling()

    personas = await PersonaGenerator(Persona).set(age="{20-60}").generate(1000, model=model, seed=1)

    assert len(personas) == 1000
    assert len(model.asked) == 1000
    assert all(persona.name and persona.background for persona in personas)


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_faults_delays_and_concurrency_change_nothing_in_what_comes_out(library: Literal["asyncio", "trio"]) -> None:
    backend, options = virtual_time(library)
    generator = PersonaGenerator(Persona).set(age="{20-60}", role=["barista", "pilot"])
    faults = Faults(slow=0.1, overloaded=0.05, unavailable=0.05, cut=0.05, malformed=0.01)
    plain = run(generator.generate(300, model=Filling(few_names), seed=5, concurrency=1))

    async def under(concurrency: int, seed: int) -> list[Persona]:
        model = Filling(few_names, latency=Latency(0.5, spread=0.8), faults=faults, seed=seed)
        async with Simulation(model=model, concurrency=concurrency, clock=VirtualClock(), seed=1) as simulation:
            return await generator.generate(300, simulation=simulation, seed=5)

    one, many = [anyio.run(under, *how, backend=backend, backend_options=dict(options)) for how in ((50, 1), (300, 2))]

    assert one == many == plain


def few_names(request: CompletionRequest, said: dict[str, Any]) -> Any:
    """So few different that some come again."""
    luck = (request.seed or 0) % 400
    return {name: luck if name == "age" else f"{name} {luck}" for name in said}


@pytest.mark.anyio
async def test_no_two_near_equal_personas_come_out_and_the_later_one_is_told_what_there_is() -> None:
    model = Filling(few)
    generator = PersonaGenerator(Persona, ["name"])

    async with generator.stream(30, model=model, seed=2) as generation:
        personas = [persona async for persona in generation]

    assert len({persona.name for persona in personas}) == 30
    assert 15 < generation.report.repeats < 25
    assert generation.report.uniqueness == 1.0
    assert sum('{"name": "person' in request.messages[-1].text for request in model.asked) == generation.report.repeats


@pytest.mark.anyio
async def test_what_stays_near_equal_after_all_attempts_is_taken_and_counted_or_refused() -> None:
    generator = PersonaGenerator(Persona, ["name"])

    def always(request: CompletionRequest, said: dict[str, Any]) -> Any:
        return {"name": "Ann" if (request.seed or 0) % 3 else "Bob"}

    async with generator.stream(10, model=Filling(always), seed=2) as generation:
        taken = [persona async for persona in generation]
    with pytest.raises(GenerationIncomplete, match="too near to another") as caught:
        await generator.generate(10, model=Filling(always), seed=2, repeats="refuse")
    allowed = await generator.generate(10, model=(model := Filling(always)), seed=2, repeats="allow")

    assert len(taken) == 10
    assert generation.report.alike == 8
    assert generation.report.uniqueness == pytest.approx(0.2)
    assert {persona.name for persona in caught.value.made} == {"Ann", "Bob"}  # type: ignore[attr-defined]
    assert caught.value.short == (("", 8),)
    assert len(allowed) == len(model.asked) == 10


@pytest.mark.anyio
async def test_rules_alone_may_repeat_themselves() -> None:
    personas = await PersonaGenerator(Persona, {"gender": ["f", "m"]}).generate(20, model=NOBODY)

    assert len(personas) == 20


@pytest.mark.anyio
async def test_a_population_comes_out_exactly() -> None:
    rows = [
        {"gender": "female", "age": "{18-39}", "count": 31},
        {"gender": "female", "age": "{40-80}", "count": 17},
        {"gender": "male", "age": "{18-39}", "count": 2},
        {"gender": "male", "age": "{40-80}", "count": 50},
    ]

    personas = await PersonaGenerator(Persona).generate(None, model=Filling(), population=rows, seed=1)

    ages: dict[str, Counter[bool]] = {"female": Counter(), "male": Counter()}
    for persona in personas:
        ages[persona.gender][int(persona.age or 0) < 40] += 1
    assert ages == {"female": {True: 31, False: 17}, "male": {True: 2, False: 50}}


def spoiled(request: CompletionRequest, said: dict[str, Any]) -> Any:
    """Two in three of the replies fit nothing."""
    return said if (request.seed or 0) % 3 == 0 else "no"


@pytest.mark.anyio
async def test_a_population_comes_out_exactly_also_when_some_fail_at_first() -> None:
    population = Population.from_marginals(gender={"f": 0.3, "m": 0.7}, role={"barista": 1, "pilot": 2, "nurse": 3})
    model = Filling(spoiled)

    async with Simulation(model=model, seed=3, failures=FailurePolicy(stop_share=None)) as simulation:
        generation = PersonaGenerator(Persona, ["name"]).stream(
            200, simulation=simulation, population=population, seed=3, max_attempts=8
        )
        personas = [persona async for persona in generation]

    counts = Counter((persona.gender, persona.role) for persona in personas)
    expected = population.counts(200)
    assert [counts[quota.attributes["gender"], quota.attributes["role"]] for quota in population] == expected
    assert len(model.asked) > 300


@pytest.mark.anyio
async def test_a_cell_that_falls_short_is_named_and_all_others_are_there() -> None:
    def hates_pilots(request: CompletionRequest, said: dict[str, Any]) -> Any:
        return "no" if "pilot" in request.messages[1].text else said

    rows = [{"role": "pilot", "count": 3}, {"role": "nurse", "count": 40}]

    with pytest.raises(GenerationIncomplete) as caught:
        await PersonaGenerator(Persona, ["name"]).generate(None, model=Filling(hates_pilots), population=rows, seed=1)

    assert caught.value.short == (("role=pilot", 3),)
    assert len(caught.value.made) == 40
    assert str(caught.value).startswith("3 of 43 could not be generated (3 of role=pilot), at last so: ")


@pytest.mark.anyio
async def test_a_rule_in_a_population_goes_before_the_generators_own() -> None:
    generator = PersonaGenerator(Persona, {"age": "{20-30}", "role": lambda age: f"aged {age}"})

    personas = await generator.generate(
        None, model=NOBODY, population=[{"age": 77, "count": 1}, {"gender": "f", "count": 2}]
    )

    assert sorted(persona.role == "aged 77" for persona in personas) == [False, False, True]


@pytest.mark.anyio
@pytest.mark.parametrize("population", [None, [{"gender": "f", "weight": 1}], [{"gender": "f", "count": 2}]])
@pytest.mark.parametrize("n", [2.5, 2.0, "2", True])
async def test_what_is_no_whole_number_of_objects_is_refused(n: Any, population: Any) -> None:
    with pytest.raises(ValueError, match=rf"n is a whole number, as in n=3, not {n!r}"):
        await PersonaGenerator(Persona).generate(n, model=NOBODY, population=population)


@pytest.mark.anyio
@pytest.mark.parametrize("population", [None, [{"gender": "f", "weight": 1}]])
async def test_more_than_a_million_objects_are_refused_at_once(population: Any) -> None:
    """It hung, and could not be cancelled: all were settled before the first was made."""
    with pytest.raises(ValueError, match="1,000,000 objects at most, not 1,000,000,000,000; make several"):
        await PersonaGenerator(Persona).generate(10**12, model=NOBODY, population=population)


@pytest.mark.anyio
async def test_a_population_of_unknown_attributes_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ValueError, match="did you mean 'gender'"):
        await PersonaGenerator(Persona).generate(None, model=NOBODY, population=[{"gendre": "f", "count": 1}])
    with pytest.raises(ValueError, match="does not say how many"):
        await PersonaGenerator(Persona).generate(None, model=NOBODY, population=[{"gender": "f", "weight": 1}])


@pytest.mark.anyio
async def test_a_run_that_gives_up_loses_nothing_that_was_made() -> None:
    def often(request: CompletionRequest, said: dict[str, Any]) -> Any:
        return said if (request.seed or 0) % 12 == 0 else "no"

    with pytest.raises(GenerationIncomplete, match="stopped since") as caught:
        await PersonaGenerator(Persona, ["name"]).generate(
            400, model=Filling(often), seed=1, concurrency=10, max_attempts=1
        )

    assert 0 < len(caught.value.made) < 200
    assert len(caught.value.made) + caught.value.short[0][1] == 400


@pytest.mark.anyio
async def test_a_budget_that_is_spent_ends_it_with_what_there_is() -> None:
    with pytest.raises(GenerationIncomplete, match="the budget of 20 calls is spent") as caught:
        await PersonaGenerator(Persona, ["name"]).generate(50, model=Filling(), seed=1, budget=Budget(calls=20))

    assert len(caught.value.made) == 20


@pytest.mark.anyio
async def test_a_reader_that_stops_stops_the_generation() -> None:
    model = Filling()

    async with PersonaGenerator(Persona).stream(5000, model=model, seed=1, concurrency=20) as generation:
        async for _ in generation:
            break

    assert len(model.asked) < 200


@pytest.mark.anyio
async def test_a_stream_without_a_simulation_says_how_to_have_one() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await anext(PersonaGenerator(Persona).stream(3))


@pytest.mark.anyio
async def test_a_journal_holds_what_was_made_and_its_digest(tmp_path: Path) -> None:
    personas = await PersonaGenerator(Persona).generate(20, model=Filling(), seed=1, journal=tmp_path / "p.db")

    kept = list(dialogs_in(tmp_path / "p.db"))

    assert [made(dialog)["name"] for dialog in kept] == [persona.name for persona in personas]
    assert all(dialog.usage is not None for dialog in kept)


def made(dialog: Dialog) -> dict[str, Any]:
    assert dialog.events
    content: dict[str, Any] = dialog.events[-1].content
    return content


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.anyio
@pytest.mark.parametrize("calls", [1, 50, 99, 101, 110])
async def test_a_killed_generation_goes_on_from_its_journal_alone_and_asks_nothing_twice(
    tmp_path: Path, calls: int
) -> None:
    path = tmp_path / "p.db"
    generator = PersonaGenerator(Persona, ["name", "background"]).set(age="{20-60}")
    population = [{"role": "barista", "weight": 1}, {"role": "pilot", "weight": 2}]
    whole = await generator.generate(100, model=(all_calls := Filling(fewer)), seed=4, population=population)
    asked = 0

    def dies(request: CompletionRequest, said: dict[str, Any]) -> Any:
        nonlocal asked
        asked += 1
        if asked > calls:
            raise Killed
        return fewer(request, said)

    with pytest.raises(BaseException) as caught:  # noqa: PT011  # a group with the kill in it
        await generator.generate(100, model=Filling(dies), seed=4, population=population, journal=path, concurrency=8)
    assert "Killed" in repr(caught.value)
    rest = Filling(fewer)
    async with await AttributeModelGenerator.resume(path, model=rest) as generation:
        personas = [persona async for persona in generation]

    assert personas == whole
    assert [persona.metadata.id for persona in personas] == [persona.metadata.id for persona in whole]
    assert len(rest.asked) <= len(all_calls.asked) - calls + 8


def fewer(request: CompletionRequest, said: dict[str, Any]) -> Any:
    """So that some thirty of a hundred repeat others."""
    luck = (request.seed or 0) % (130 if "variant" not in request.messages[-1].text else 10**9)
    return {name: " ".join(f"{name}{luck}x{place}" for place in range(9)) for name in said}


@pytest.mark.anyio
async def test_a_finished_generation_is_had_again_from_its_journal_and_asks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    generator = PersonaGenerator(Persona, ["name"])
    personas = await generator.generate(40, model=Filling(few), seed=2, journal=path)

    async with await AttributeModelGenerator.resume(path, model=NOBODY) as generation:
        again = [persona async for persona in generation]

    assert again == personas


def title(gender: str) -> str:
    return {"f": "queen", "m": "king"}[gender]


@pytest.mark.anyio
async def test_a_function_is_named_in_the_journal_and_given_again(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    generator = PersonaGenerator(Persona, ["name"]).set(gender=["f", "m"], role=title)
    personas = await generator.generate(10, model=Filling(), seed=2, journal=path)

    with pytest.raises(CodeMissing, match="title"):
        await AttributeModelGenerator.resume(path, model=NOBODY)
    async with await AttributeModelGenerator.resume(path, model=NOBODY, code=[title]) as generation:
        again = [persona async for persona in generation]

    assert again == personas


@pytest.mark.anyio
async def test_a_run_replays_what_was_generated_without_model_file_or_function(tmp_path: Path) -> None:
    names, path = tmp_path / "names.txt", tmp_path / "p.db"
    names.write_text("Ann\nBob\n", encoding="utf-8")
    generator = PersonaGenerator(Persona, ["background"]).set(name=f"{{txt:{names}}}")
    personas = await generator.generate(10, model=Filling(), seed=2, journal=path)
    names.unlink()

    async with Simulation.replay(path) as simulation:
        replayed = [made(dialog) async for dialog in simulation.run()]

    assert sorted(json.dumps(each) for each in replayed) == sorted(
        json.dumps({"name": persona.name, "background": persona.background}) for persona in personas
    )


@pytest.mark.anyio
async def test_a_journal_of_other_dialogs_is_no_generation(tmp_path: Path) -> None:
    async with Simulation(model=NOBODY, journal=tmp_path / "d.db"):
        pass

    with pytest.raises(JournalInvalid, match="holds no generation"):
        await AttributeModelGenerator.resume(tmp_path / "d.db")


class Unusable(ScriptedBackend):
    """A model that cannot be opened, as one whose key or weights are missing."""

    async def open(self) -> None:
        raise SetupError("no key")


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_rules_alone_open_no_model(library: str, tmp_path: Path) -> None:
    rules = PersonaGenerator(Persona, {"name": ["Ada", "Bob"], "age": "{20-60}"})
    by_quotas = PersonaGenerator(Persona, ["role"])
    journal = tmp_path / "people.db"

    async def made() -> tuple[list[Persona], list[Persona]]:
        people = await rules.generate(20, model=Unusable([]), seed=1, journal=journal)
        cooks = await by_quotas.generate(None, model=Unusable([]), seed=1, population=[{"role": "cook", "count": 2}])
        return people, cooks

    people, cooks = anyio.run(made, backend=library)

    assert (len(people), [cook.role for cook in cooks]) == (20, ["cook", "cook"])


@pytest.mark.anyio
async def test_rules_alone_are_gone_on_with_without_the_model(tmp_path: Path) -> None:
    rules, journal = PersonaGenerator(Persona, {"age": "{20-60}"}), tmp_path / "people.db"
    made = await rules.generate(5, model=Unusable([]), seed=1, journal=journal)

    async with await PersonaGenerator.resume(journal, model=Unusable([])) as again:
        assert [person async for person in again] == made


@pytest.mark.anyio
async def test_what_asks_a_model_that_cannot_be_opened_is_refused_before_it_begins(tmp_path: Path) -> None:
    journal = tmp_path / "people.db"

    with pytest.raises(SetupError, match="no key"):
        await PersonaGenerator(Persona, ["name"]).generate(5, model=Unusable([]), journal=journal)

    assert not journal.exists()
