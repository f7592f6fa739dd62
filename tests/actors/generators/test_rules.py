"""The rules by which attributes get their values."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors import Persona
from playact.actors.generators import PersonaGenerator, Population
from playact.actors.generators.plan import steps_of
from playact.actors.generators.rules import ByModel, Computed, Fixed, OneOf, Range, Rule, rule_of
from playact.engine.errors import FileInvalid

KNOWN = ("name", "age", "role", "language")


def rule(value: Any, attribute: str = "name") -> Rule:
    return rule_of(value, attribute, KNOWN)


def drawn(value: Any) -> Any:
    made = rule(value)
    assert not isinstance(made, ByModel | Computed)
    return made.draw(Random(1))


@pytest.mark.parametrize("text", ["*", "{llm}", "{{llm}}"])
def test_a_star_and_llm_leave_it_to_the_model(text: str) -> None:
    assert rule(text) == ByModel()


def test_llm_with_words_gives_the_model_a_hint() -> None:
    assert rule("{llm:a name from Lisbon: old}") == ByModel("a name from Lisbon: old")


def test_a_literal_is_the_value_itself_whatever_it_is() -> None:
    assert [drawn(value) for value in ("Ann", 7, 0, None, "", "{}", "an {odd} name")] == [
        *("Ann", 7, 0, None, "", "{}", "an {odd} name")
    ]


def test_a_list_is_chosen_from() -> None:
    made = rule(["a", "b", "c"])

    assert isinstance(made, OneOf)
    assert {made.draw(Random(seed)) for seed in range(50)} == {"a", "b", "c"}


@given(low=st.integers(-99, 99), width=st.integers(0, 50), seed=st.integers(0, 2**31))
def test_a_range_holds_both_its_ends_and_nothing_beyond(low: int, width: int, seed: int) -> None:
    for text in (f"{{{low}-{low + width}}}", f"{{{{{low}-{low + width}}}}}"):
        made = rule(text, "age")

        assert made == Range(low, low + width)
        assert low <= made.draw(Random(seed)) <= low + width


def test_a_text_file_gives_a_line_that_is_not_blank_without_its_ends(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\ufeffAnn\n\n  Jürgen \n", encoding="utf-8")

    made = rule(f"{{txt:{tmp_path}/names.txt}}")

    assert {made.draw(Random(seed)) for seed in range(50)} == {"Ann", "Jürgen"}  # type: ignore[union-attr]


@pytest.mark.parametrize(("kind", "separator"), [("csv", ","), ("tsv", "\t")])
def test_a_table_gives_a_cell_by_the_columns_name_or_number(tmp_path: Path, kind: str, separator: str) -> None:
    rows = [["who", "what"], ["Ann", '"a, b"' if kind == "csv" else "a, b"], ["", "x"], ["Bob"]]
    path = tmp_path / f"people.{kind}"
    path.write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")

    by_name = {rule(f"{{{kind}:who:{path}}}").draw(Random(seed)) for seed in range(50)}  # type: ignore[union-attr]
    by_number = {rule(f"{{{kind}:1:{path}}}").draw(Random(seed)) for seed in range(50)}  # type: ignore[union-attr]

    assert by_name == {"Ann", "Bob"}
    assert by_number == {"what", "a, b", "x"}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "is empty"),
        ("{30-20}", "say {20-30}"),
        ("{txt:}", "is cut short"),
        ("{csv:name}", "is cut short"),
        ("{cvs:name:people.csv}", "did you mean 'csv'"),
        (lambda nam: nam, "did you mean 'name'"),
        (lambda name, /: name, "by place"),
    ],
)
def test_what_is_no_rule_is_refused_with_what_to_say(value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        rule(value, "role")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{txt:{folder}/none.txt}}", "cannot be read"),
        ("{{txt:{folder}/blank.txt}}", "no line"),
        ("{{txt:{folder}/latin.txt}}", "not UTF-8"),
        ("{{csv:name:{folder}/none.csv}}", "cannot be read"),
        ("{{csv:nmae:{folder}/people.csv}}", "no column 'nmae'; did you mean 'name'"),
        ("{{csv:7:{folder}/people.csv}}", "2 columns"),
        ("{{csv:empty:{folder}/people.csv}}", "no value"),
    ],
)
def test_a_file_or_a_column_that_is_not_there_is_a_value_error(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "blank.txt").write_text(" \n\n", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"J\xfcrgen\n")
    (tmp_path / "people.csv").write_text("name,empty\nAnn,\n", encoding="utf-8")

    with pytest.raises(ValueError, match=problem):
        drawn(text.format(folder=tmp_path))


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("Ann\n", encoding="utf-8")
    before = drawn(f"{{txt:{path}}}")

    path.write_text("Bob\nBob\n", encoding="utf-8")

    assert (before, drawn(f"{{txt:{path}}}")) == ("Ann", "Bob")


async def _later(age: int) -> str:
    return f"later {age}"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: "none", "none"),
        (lambda age: f"one {age}", "one 30"),
        (lambda age, other="x": f"{age} {other}", "30 x"),
        (lambda **all: sorted(all), ["age", "role"]),
        (_later, "later 30"),
        (dict, {}),
    ],
)
async def test_a_function_is_given_the_attributes_that_it_asks_for(function: Any, expected: Any) -> None:
    made = rule(function)

    assert isinstance(made, Computed)
    assert await made.answer({"age": 30, "role": "barista"}) in (expected, {"age": 30, "role": "barista"})


@pytest.mark.anyio
async def test_a_type_error_inside_a_function_is_not_taken_for_one_without_parameters() -> None:
    """sdialog calls it a second time without arguments, and the user never learns of the mistake."""
    calls = []

    def broken(**all: Any) -> int:
        calls.append(all)
        return int(None)  # type: ignore[call-overload, no-any-return]  # the mistake

    made = rule(broken)

    assert isinstance(made, Computed)
    with pytest.raises(TypeError):
        await made.answer({"age": 30})
    assert calls == [{"age": 30}]


def test_what_depends_on_others_comes_after_them_and_after_the_model_where_that_writes_them() -> None:
    rules = {
        "greeting": rule_of(lambda title, name: ..., "greeting", ["title", "name"]),
        "title": rule_of(lambda gender: ..., "title", ["gender"]),
        "gender": OneOf(("f", "m")),
        "name": ByModel(),
        "summary": rule_of(lambda **all: ..., "summary", []),
        "role": Fixed("barista"),
    }

    steps = steps_of(rules)

    assert steps.before == ("gender", "role", "title", "summary")
    assert steps.by_model == ("name",)
    assert steps.after == ("greeting",)


def test_functions_that_need_each_other_are_refused_by_name() -> None:
    names = ["name", "role"]
    rules = {"name": rule_of(lambda role: ..., "name", names), "role": rule_of(lambda name: ..., "role", names)}

    with pytest.raises(ValueError, match="name, role need each other"):
        steps_of(rules)


@given(st.permutations(["a", "b", "c", "d", "e"]), st.data())
def test_whatever_the_order_of_writing_each_comes_after_what_it_needs(names: list[str], data: st.DataObject) -> None:
    needs = {
        name: tuple(data.draw(st.sets(st.sampled_from(names[:place] or ["z"])))) for place, name in enumerate(names)
    }
    rules = {name: Computed(lambda: None, needs[name]) for name in data.draw(st.permutations(names))}

    order = steps_of(rules).before

    assert sorted(order) == sorted(names)
    assert all(order.index(need) < order.index(name) for name in names for need in needs[name] if need in names)


def test_a_cell_that_is_too_long_for_a_table_is_told(tmp_path: Path) -> None:
    file = tmp_path / "roles.csv"
    file.write_text("role\n" + "x" * 131_073 + "\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"is no table: a cell has more than 131,072 characters"):
        PersonaGenerator(Persona).set(role=f"{{csv:role:{file}}}")
    with pytest.raises(FileInvalid, match=r"roles.csv:2: is no table: a cell has more than 131,072 characters"):
        Population.from_csv(file)
