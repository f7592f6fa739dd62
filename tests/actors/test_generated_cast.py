"""Casts that a scenario file leaves to generators: made once, before the dialogs, and taken in turn by them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors.cli import main
from playact.actors.playbill import Playbill
from playact.actors.playbill.casting import Casting
from playact.actors.playbill.combinations import combination, combinations
from playact.engine import Dialog
from playact.engine.budget import Budget
from playact.engine.errors import FileInvalid, SetupError
from tests.actors.generators.filling import Filling

RULES = """\
cast:
  - name: Guide
  - persona:
      generate:
        n: 4
        generated_attributes: []
        given: {language: French}
        rules: {name: [Ada, Bob, Cleo, Dan], age: "{20-29}", role: "{txt:roles.txt}"}
        population:
          - {gender: female, count: 3}
          - {gender: male, count: 1}
contexts: [here, there]
max_turns: 2
dialogs: 8
"""
BY_MODEL = """\
cast:
  - persona: {generate: {class: Persona, generated_attributes: [name, role]}}
  - name: Bob
contexts: {generate: {n: 2, generated_attributes: [location]}}
max_turns: 2
dialogs: 4
"""


def written(folder: Path, text: str) -> Path:
    (folder / "roles.txt").write_text("cook\nclerk\n", encoding="utf-8")
    file = folder / "play.yaml"
    file.write_text(text, encoding="utf-8")
    return file


sizes_of_lists = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@given(sizes_of_lists)
def test_every_combination_comes_once_before_any_comes_twice(sizes: list[int]) -> None:
    count = combinations(sizes)

    chosen = [combination(sizes, number) for number in range(2 * count)]

    assert len(set(chosen[:count])) == count
    assert chosen[count:] == chosen[:count]


@given(sizes_of_lists)
def test_all_of_a_list_are_used_equally_often(sizes: list[int]) -> None:
    for place, size in enumerate(sizes):
        chosen = [combination(sizes, number)[place] for number in range(combinations(sizes[: place + 1]))]
        assert Counter(chosen) == dict.fromkeys(range(size), len(chosen) // size)


def test_people_are_drawn_by_rules_in_the_counts_that_are_asked_for(tmp_path: Path) -> None:
    file, out = written(tmp_path, RULES), tmp_path / "talk.jsonl"

    code = main(["run", str(file), "--model", "scripted", "--seed", "7", "--out", str(out), "--ordered", "--quiet"])

    assert code == 0
    dialogs = list(Dialog.read_lines(out))
    people = [next(person for name, person in (each.personas or {}).items() if name != "Guide") for each in dialogs]
    assert Counter(person["gender"] for person in people) == {"female": 6, "male": 2}
    assert all(20 <= person["age"] <= 29 and person["language"] == "French" for person in people)
    assert {person["role"] for person in people} <= {"cook", "clerk"}
    assert Counter(str(each.context) for each in dialogs) == {"here": 4, "there": 4}


def test_quotas_of_two_seats_and_contexts_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    """In order of their quotas women would only ever meet women, and always at home."""
    halves = "[{gender: female, count: 30}, {gender: male, count: 30}]"
    people = f"persona: {{generate: {{n: 60, rules: {{name: [X]}}, generated_attributes: [], population: {halves}}}}}"
    text = f"cast:\n  - {people}\n  - {people}\ncontexts: [home, work]\nmax_turns: 2\n"
    file, out = written(tmp_path, text), tmp_path / "talk.jsonl"

    main(["run", str(file), "-n", "60", "--model", "scripted", "--seed", "1", "--out", str(out), "--quiet"])

    met = Counter(
        (*(person["gender"] for person in (each.personas or {}).values()), str(each.context))
        for each in Dialog.read_lines(out)
    )
    assert len(met) == 8
    assert {place: sum(n for (*who, _), n in met.items() if who[place] == "female") for place in (0, 1)} == {
        0: 30,
        1: 30,
    }


def test_the_same_seed_makes_the_same_cast(tmp_path: Path) -> None:
    file = written(tmp_path, RULES)
    outs = [tmp_path / name for name in ("one.jsonl", "two.jsonl", "three.jsonl")]

    for out, seed in zip(outs, ("7", "7", "8"), strict=True):
        main(["run", str(file), "--model", "scripted", "--seed", seed, "--out", str(out), "--ordered", "--quiet"])

    digests = [[dialog.digest() for dialog in Dialog.read_lines(out)] for out in outs]
    assert digests[0] == digests[1] != digests[2]


def test_people_and_contexts_are_written_by_a_model_and_each_is_used(tmp_path: Path) -> None:
    bill = Playbill.from_file(written(tmp_path, BY_MODEL))
    model = Filling()

    filled = anyio.run(Casting(playbill=bill, dialogs=4, seed=1, model=model).filled)

    scenarios = list(filled.scenarios(4))
    assert len(model.asked) == 6
    assert len({scenario.cast[0].own_name for scenario in scenarios}) == 4
    assert len({str(scenario.context) for scenario in scenarios}) == 2


def test_what_a_cast_has_cost_is_taken_from_the_budget(tmp_path: Path) -> None:
    bill = Playbill.from_file(written(tmp_path, BY_MODEL))
    casting = Casting(playbill=bill, dialogs=4, seed=1, model=Filling(), budget=Budget(calls=10))

    anyio.run(casting.filled)

    assert casting.budget == Budget(calls=4)


def test_a_cast_that_the_budget_does_not_allow_is_refused(tmp_path: Path) -> None:
    bill = Playbill.from_file(written(tmp_path, BY_MODEL))

    with pytest.raises(SetupError, match=r"^cast\[0\]: 2 of 4 were generated"):
        anyio.run(Casting(playbill=bill, dialogs=4, seed=1, model=Filling(), budget=Budget(calls=2)).filled)


def test_what_was_generated_for_a_journal_is_not_asked_for_again(tmp_path: Path) -> None:
    bill, journal = Playbill.from_file(written(tmp_path, BY_MODEL)), tmp_path / "run.db"
    first, second = Filling(), Filling()

    once = anyio.run(Casting(playbill=bill, dialogs=4, seed=1, model=first, journal=journal).filled)
    again = anyio.run(Casting(playbill=bill, dialogs=4, seed=1, model=second, journal=journal).filled)

    assert (len(first.asked), len(second.asked)) == (6, 0)
    assert list(once.scenarios(4)) == list(again.scenarios(4))
    with pytest.raises(SetupError, match="holds what was generated for another run"):
        anyio.run(Casting(playbill=bill, dialogs=5, seed=1, model=second, journal=journal).filled)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("female, count: 3", "female, count: 2"), ("{n: 2,", "{n: 2, extra_instructions: Near the sea.,")],
)
def test_what_was_generated_for_other_words_is_not_taken_for_these(tmp_path: Path, was: str, becomes: str) -> None:
    texts = (RULES.replace("generated_attributes: []", "generated_attributes: [background]"), BY_MODEL)
    text, journal = next(each for each in texts if was in each), tmp_path / "run.db"
    changed = text.replace(was, becomes)
    bill = Playbill.from_file(written(tmp_path, text))
    anyio.run(Casting(playbill=bill, dialogs=4, seed=1, model=Filling(), journal=journal).filled)

    other = Playbill.from_file(written(tmp_path, changed))

    with pytest.raises(SetupError, match="holds what was generated for another run"):
        anyio.run(Casting(playbill=other, dialogs=4, seed=1, model=Filling(), journal=journal).filled)


def test_a_run_with_a_generated_cast_is_resumed_from_its_journal_alone(tmp_path: Path) -> None:
    file, journal, out = written(tmp_path, RULES), tmp_path / "run.db", tmp_path / "talk.jsonl"
    main(["run", str(file), "--model", "scripted", "--seed", "7", "--journal", str(journal), "--quiet"])
    file.unlink()

    resumed = main(["resume", str(journal), "-n", "12", "--out", str(out), "--quiet"])

    assert resumed == 0
    assert len(list(Dialog.read_lines(out))) == 12


def test_a_forecast_without_a_pilot_and_a_trial_need_no_cast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(tmp_path, BY_MODEL))

    foretold = main(["run", file, "--model", "scripted", "--dry-run", "--json"])
    said = json.loads(capsys.readouterr().out)
    tried = main(["simtest", file, "--seeds", "1", "--jobs", "1"])

    assert (foretold, tried) == (0, 0)
    assert said["cast"] == []
    assert any("what the file leaves to generators is not counted" in each for each in said["assumptions"])


def test_a_pilot_with_a_journal_generates_the_whole_cast_which_the_run_goes_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, journal = str(written(tmp_path, BY_MODEL)), tmp_path / "run.db"
    command = ["run", file, "--model", "scripted", "--seed", "3", "--journal", str(journal), "--quiet"]

    foretold = main([*command, "--dry-run", "--pilot", "2", "--json"])
    said = json.loads(capsys.readouterr().out)
    resumed = main(["resume", str(journal), "--quiet", "--json"])

    assert (foretold, resumed) == (0, 0)
    assert [(each["place"], each["made"], each["count"]) for each in said["cast"]] == [
        ("cast[0]", 4, 4),
        ("contexts", 2, 2),
    ]
    low, point, high = said["calls"]
    written_by_model = sum(each["calls"] for each in said["cast"])
    assert written_by_model >= 6
    assert low <= written_by_model + 4 * 2 == point <= high
    assert json.loads(capsys.readouterr().out)["dialogs"] == 4


def test_a_pilot_that_is_thrown_away_generates_few_and_foretells_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(tmp_path, BY_MODEL))
    command = ["run", file, "--model", "scripted", "--seed", "3", "-n", "50", "--dry-run", "--pilot"]

    main([*command, "5", "--json"])
    few = json.loads(capsys.readouterr().out)
    code = main([*command, "1"])
    told = capsys.readouterr().out

    assert few["cast"][0] | {"tokens": 0, "seconds": 0, "usd": 0} == {
        "place": "cast[0]",
        "made": 5,
        "count": 50,
        "calls": 5,
        "tokens": 0,
        "usd": 0,
        "seconds": 0,
    }
    assert few["calls"][1] == 50 + 2 + 50 * 2
    assert code == 0
    assert "cast[0]: 2 of 50 generated in" in told


def test_a_pilot_pays_for_its_cast_and_its_dialogs_out_of_one_budget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(tmp_path, BY_MODEL))
    command = ["run", file, "--model", "scripted", "--seed", "3", "-n", "50", "--dry-run", "--pilot", "4", "--json"]

    code = main([*command, "--budget", "calls=9"])

    said = json.loads(capsys.readouterr().out)
    assert code == 3
    assert sum(each["calls"] for each in said["cast"]) + said["pilot"]["calls"] <= 9
    assert said["reaches"]["cap"] == "9 calls"


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (("n: 4", "nn: 4"), 5, "unknown key `nn`; did you mean `n`?"),
        (("n: 4", "n: 0"), 5, "cast[1].persona.generate.n: is at least 1"),
        (("{name: [", "{nmae: ["), 8, "cast[1].persona.generate.rules.nmae: Persona has no attribute 'nmae'"),
        (
            ('"{20-29}"', "{20-29}"),
            8,
            "cast[1].persona.generate.rules.age: the rule for age needs quotes, as in '{20-29}'",
        ),
        (
            ('"{20-29}"', '"{29-20}"'),
            8,
            "cast[1].persona.generate.rules.age: the range '{29-20}' for 'age' ends before",
        ),
        (("roles.txt", "rolls.txt"), 8, "cast[1].persona.generate.rules.role: "),
        (("n: 4", "class: Docter"), 5, "cast[1].persona.generate.class: "),
        (
            ("count: 3", "weight: 3"),
            9,
            "cast[1].persona.generate.population: the rows of a population have counts, all of them",
        ),
        (
            ("gender: female", "gendre: female"),
            10,
            "cast[1].persona.generate.population[0]: Persona has no attribute 'gendre'",
        ),
    ],
)
def test_what_is_wrong_in_a_generated_seat_is_told_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, reason: str
) -> None:
    assert change[0] in RULES

    with pytest.raises(FileInvalid) as refusal:
        Playbill.from_file(written(tmp_path, RULES.replace(*change)))

    assert refusal.value.line == line
    told = refusal.value.reason
    assert told.lower().startswith(reason.lower()), json.dumps(told)


def test_a_cast_of_another_model_is_not_taken_for_one_of_this(tmp_path: Path) -> None:
    bill = Playbill.from_file(written(tmp_path, BY_MODEL))
    journal = tmp_path / "run.db"
    anyio.run(Casting(playbill=bill, dialogs=4, seed=1, model="scripted", journal=journal).filled)

    with pytest.raises(SetupError, match="scripted"):
        anyio.run(Casting(playbill=bill, dialogs=4, seed=1, model="embedded", journal=journal).filled)
    with pytest.raises(SetupError, match="scripted"):
        anyio.run(Casting(playbill=bill, dialogs=4, seed=1, journal=journal).filled)  # embedded is the default


def test_counts_of_a_population_that_do_not_come_to_the_number_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, RULES.replace("count: 1", "count: 5"))

    code = main(["run", str(file), "--model", "scripted", "--quiet"])

    assert code == 2
    assert "cast[1]: the counts of the population come to 8, not 4" in capsys.readouterr().err


def test_the_name_of_a_class_is_told_as_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, RULES.replace("role:", "rank:"))

    main(["run", str(file), "--model", "scripted", "--quiet"])

    assert "Persona has no attribute 'rank'" in capsys.readouterr().err


OWN_MODELS = RULES.replace("name: Guide", "{name: Guide, model: scripted}").replace(
    "- persona", "- model: scripted\n    persona"
)


def test_people_by_rules_who_have_models_of_their_own_need_no_other_nor_does_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    file, journal = written(tmp_path, OWN_MODELS), tmp_path / "run.db"

    code = main(["run", str(file), "--model", "openai:x", "--seed", "7", "--journal", str(journal), "--quiet"])

    assert code == 0
    assert main(["resume", str(journal), "-n", "12", "--quiet"]) == 0


def test_a_key_that_is_missing_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    file, journal = written(tmp_path, RULES), tmp_path / "run.db"
    before = set(tmp_path.iterdir())

    code = main(["run", str(file), "--model", "openai:x", "--journal", str(journal), "--quiet"])

    assert code == 2
    assert "set the environment variable OPENAI_API_KEY" in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before
