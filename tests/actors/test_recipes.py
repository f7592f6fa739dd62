"""A scenario becomes JSON and comes back as it was; code is named, never kept, and never taken for other code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors import Agent, LengthOrchestrator, Orchestrator, Persona, Scenario, SimpleReflexOrchestrator
from playact.actors.recipes import recipe_of, scenario_from
from playact.backends.scripted import ScriptedBackend
from playact.engine import Capabilities, Context, Dialog, Ending, Parameters, Turn
from playact.engine.errors import CodeMissing, JournalInvalid, SetupError

BOB = Agent(Persona(name="Bob"))
EXAMPLE = Dialog(turns=[Turn(speaker="A", text="b")], ending=Ending(reason="finished"))


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


class Sailor(Persona):
    ship: str = "Argo"
    crew: dict[str, int] = {}  # noqa: RUF012  # pydantic copies it


class Haggler(Orchestrator):
    def __init__(self, left: int, mood: Mood = Mood.GLAD) -> None:
        self.left = left
        self.mood = mood
        self.seen: dict[int, tuple[str, ...]] = {3: ("a", "b")}
        self.words = {"x", "y"}

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Leader:
    places: tuple[int, ...] = (0, 1)
    names: list[str] = field(default_factory=list)

    def next_speaker(self, cast: Any, dialog: Dialog) -> int:
        return self.places[len(dialog) % len(self.places)]


class Slotted(Orchestrator):
    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def instruct(self, dialog: Dialog, utterance: str) -> str | None:
        return None


class Captain(Agent):
    """An agent of a class of its own."""


def price(item: str) -> int:
    """What it costs."""
    return len(item)


def louder(text: str) -> str:
    return text.upper()


def there_and_back(scenario: Scenario, *code: object) -> Scenario:
    recipe = json.loads(json.dumps(recipe_of(scenario)))
    return scenario_from({**recipe, "seed": scenario.seed}, code)


def with_bob(*cast: Agent, **more: Any) -> Scenario:
    return Scenario(cast=(*cast, BOB), **more)


@pytest.mark.parametrize(
    "scenario",
    [
        with_bob(Agent(Persona(name="Ada", age=30, role="host"))),
        with_bob(Agent(Persona(age="thirty")), context=Context(location="a pier", goals=["one", "two"])),
        with_bob(
            Agent(), context="at night", max_turns=3, seed=5, scenario={"z": 1, "a": {"$k": [1, 2]}}, notes=[None]
        ),
        with_bob(Agent(name="A") | [LengthOrchestrator(min=2, max=8), SimpleReflexOrchestrator("no", "Insist.")]),
        with_bob(Agent(first_utterance=["Hi", "Ho"], think=True, can_finish=False, system_prompt="", model="x:y")),
        with_bob(Agent(example_dialogs=[EXAMPLE])),
        with_bob(Agent(model_parameters=Parameters(temperature=1, stop=("a", "b"), extra={"z": [1.0, {"b": True}]}))),
    ],
    ids=["persona", "context", "plain", "orchestrators", "openings", "examples", "parameters"],
)
def test_what_is_data_comes_back_as_it_was(scenario: Scenario) -> None:
    again = there_and_back(scenario)

    assert again == scenario
    assert recipe_of(again) == recipe_of(scenario)
    prompts = [[part.prompt_for(Capabilities()) for part in each._parts] for each in (again, scenario)]
    assert prompts[0] == prompts[1]


def test_a_context_comes_back_with_where_it_comes_from_in_the_form_that_journals_have() -> None:
    """Journals have had it among its fields since before contexts could be cloned and read from files."""
    context = Context.from_dict({"location": "a pier", "_metadata": {"version": "0.5.3", "id": 1, "by": "hand"}})

    recipe = recipe_of(with_bob(Agent(), context=context))
    again = there_and_back(with_bob(Agent(), context=context))

    model = {"location": "a pier", "_metadata": {"version": "0.5.3", "id": 1, "by": "hand"}}
    assert recipe["context"] == {"$kind": "playact.engine.dialog:Context", "$model": model}
    assert again.context == context
    assert isinstance(again.context, Context)
    assert again.context.metadata == context.metadata


def test_a_number_stays_the_number_that_it_was() -> None:
    again = there_and_back(with_bob(Agent(model_parameters=Parameters(temperature=1, extra={"deep": (1, True)}))))

    parameters = again.cast[0].model_parameters
    assert repr(parameters) == repr(Parameters(temperature=1, extra={"deep": (1, True)}))


def test_the_order_of_keys_is_kept_since_a_prompt_may_show_it() -> None:
    sailor = Agent(Sailor(name="Sal", crew={"z": 1, "a": 2}))

    again = there_and_back(with_bob(sailor), Sailor)

    assert list(again.cast[0].persona.fields()["crew"]) == ["z", "a"]  # type: ignore[union-attr]  # it has one


def test_objects_of_a_users_class_come_back_in_their_state() -> None:
    scenario = with_bob(Agent() | Haggler(2) | Haggler(3, Mood.SAD), turn_policy=Leader((1, 0), ["x"]))

    again = there_and_back(scenario, Haggler, Mood, Leader)

    first, second = again.cast[0].orchestrators
    assert [vars(first), vars(second)] == [vars(each) for each in scenario.cast[0].orchestrators]
    assert again.turn_policy == Leader((1, 0), ["x"])


def test_functions_classes_and_backends_are_named_and_must_be_given() -> None:
    backend = ScriptedBackend(name="mine")
    scenario = with_bob(Agent(tools=[price], preprocess=louder, model=backend), Captain(name="C") | Haggler(1))

    with pytest.raises(CodeMissing) as missing:
        there_and_back(scenario)
    again = there_and_back(scenario, price, louder, ScriptedBackend(name="mine"), Captain, Haggler, Mood)

    here = price.__module__
    assert missing.value.names == tuple(
        sorted(["backend mine", *(f"{here}:{name}" for name in ("Captain", "Haggler", "Mood", "louder", "price"))])
    )
    assert again.cast[0].tools == (price,)
    assert type(again.cast[1]) is Captain


def closure(text: str) -> Callable[[str], str]:
    def inner(said: str) -> str:
        return said + text

    return inner


@pytest.mark.parametrize(
    "function",
    [lambda text: text, closure("!"), partial(str.replace, "a", "b"), "abc".join, Haggler(1).instruct],
    ids=["lambda", "closure", "partial", "method of a value", "method of an object"],
)
def test_what_no_name_tells_from_others_is_never_taken_by_its_name(function: Any) -> None:
    scenario = with_bob(Agent(postprocess=function))

    with pytest.raises(CodeMissing, match="no name tells apart; give them again"):
        there_and_back(scenario, function)


def test_an_object_that_is_more_than_its_attributes_has_no_name_either() -> None:
    with pytest.raises(CodeMissing, match="Slotted <object>"):
        there_and_back(with_bob(Agent() | Slotted(1)), Slotted, Slotted(1))


def test_two_objects_of_one_name_are_refused() -> None:
    scenario = with_bob(Agent(model=ScriptedBackend(name="mine")))

    with pytest.raises(SetupError, match="two different objects in code= go by the name backend mine"):
        there_and_back(scenario, ScriptedBackend(name="mine"), ScriptedBackend(name="mine"))


def test_the_same_object_may_be_given_twice() -> None:
    scenario = with_bob(Agent(tools=[price]))

    assert there_and_back(scenario, price, price) == scenario


def test_a_users_own_keys_cannot_pass_for_code() -> None:
    notes = {"$code": "os:system", "$kind": "x", "$$": {"$tuple": [1]}}

    assert there_and_back(with_bob(Agent(), notes=notes)).notes == notes


def test_what_contains_itself_is_refused_plainly() -> None:
    notes: list[Any] = []
    notes.append(notes)

    with pytest.raises(SetupError, match="contains itself"):
        recipe_of(with_bob(Agent(), notes=notes))


def test_a_recipe_that_fits_no_scenario_says_so() -> None:
    recipe = recipe_of(with_bob(Agent()))

    with pytest.raises(JournalInvalid, match="cannot be made here"):
        scenario_from({**recipe, "seed": None, "max_turns": 0})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers())
        | st.dictionaries(st.integers() | st.tuples(st.text()), inner)
    ),
    max_leaves=8,
)


@given(notes=JSON, seed=st.none() | st.integers(-(2**63), 2**63 - 1))
def test_any_plain_value_comes_back_as_it_was(notes: Any, seed: int | None) -> None:
    again = there_and_back(with_bob(Agent(), notes=notes, seed=seed))

    assert repr(again.notes) == repr(notes) or again.notes == notes
    assert again.seed == seed
