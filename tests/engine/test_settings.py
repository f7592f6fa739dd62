"""What holds where nothing is said, where it comes from, and that a run asks once."""

from __future__ import annotations

import contextvars
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playact.actors import Agent, Persona, Scenario
from playact.backends.scripted import ScriptedBackend
from playact.engine import CompletionRequest, Pace, Parameters, Settings, Simulation, defaults, llm
from playact.engine.errors import FileInvalid, SettingInvalid, SetupError
from playact.engine.program.past import key_of
from playact.engine.program.resumption import config_in
from playact.engine.settings import layers, overlaid
from playact.engine.wrappers import Hedge

SECRET = "sk-0123456789abcdef"
PAIR = Scenario(cast=(Agent(Persona(name="Ada")), Agent(Persona(name="Bob"))), max_turns=4)


class Place:
    """A folder of its own with the settings files that may be in it."""

    def __init__(self, folder: Path) -> None:
        self.here = folder / "here" / "playact.toml"
        self.users = folder / "config" / "playact" / "settings.toml"
        self.named = folder / "named.toml"
        for path in (self.here, self.users):
            path.parent.mkdir(parents=True)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path)
    monkeypatch.delenv("PLAYACT_SETTINGS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(place.here.parent)
    return place


class Ear(ScriptedBackend):
    """Remembers what it was asked; instead of a third answer it ends `run`, if there is one."""

    def __init__(self, run: anyio.CancelScope | None = None) -> None:
        super().__init__(self.reply)
        self.asked: list[CompletionRequest] = []
        self.run = run

    async def reply(self, request: CompletionRequest) -> str:
        if self.run is not None and len(self.asked) == 2:
            self.run.cancel()
            await anyio.sleep_forever()
        self.asked.append(request)
        return f"Number {len(self.asked)}."

    @property
    def parameters(self) -> list[Parameters]:
        return [request.parameters for request in self.asked]


async def played(simulation: Simulation, scenario: Scenario | None = PAIR) -> None:
    async with simulation:
        async for _ in simulation.run(None if scenario is None else [scenario]):
            pass


def refused() -> str:
    with pytest.raises(SetupError) as refusal:
        Settings.current()
    assert "\n" not in str(refusal.value)
    assert SECRET not in str(refusal.value)
    return str(refusal.value)


def test_where_nothing_is_said_the_embedded_model_is_asked_as_it_likes() -> None:
    assert Settings.current() == Settings()
    assert Settings.current().model == "embedded"
    assert Settings.current().model_parameters == Parameters()


def test_the_strongest_source_wins_key_by_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.users.write_text('model = "users"\ntemperature = 0.1\nmax_tokens = 10\nconcurrency = 7\n', encoding="utf-8")
    place.here.write_text('model = "here"\ntemperature = 0.2\nmax_tokens = 20\n', encoding="utf-8")
    monkeypatch.setenv("PLAYACT_MODEL", "environment")
    monkeypatch.setenv("PLAYACT_TEMPERATURE", "0.3")
    scripted = ScriptedBackend()

    with defaults(model="scope"):
        settings = Settings.current()
        simulation = Simulation(model=scripted, model_parameters=Parameters(top_p=0.5))

    assert (settings.model, settings.temperature, settings.max_tokens, settings.concurrency) == ("scope", 0.3, 20, 7)
    assert simulation.model is scripted
    assert simulation.model_parameters == Parameters(temperature=0.3, max_tokens=20, top_p=0.5)


def test_each_source_can_be_told_by_name(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.here.write_text("top_p = 0.5\n", encoding="utf-8")
    place.users.write_text("top_p = 0.4\n", encoding="utf-8")
    monkeypatch.setenv("PLAYACT_MODEL", "scripted")

    with defaults(temperature=1):
        origins = [layer.origin for layer in layers()]

    assert origins == ["the program", "PLAYACT_MODEL", "playact.toml", str(place.users)]


def test_a_file_that_is_named_is_the_only_one_that_is_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.here.write_text("this is not TOML", encoding="utf-8")
    place.named.write_text(
        'model = "named"\nattempts = 2\nin_flight = 3\nstop = ["###"]\n[extra]\ntop_k = 4\n', encoding="utf-8"
    )
    monkeypatch.setenv("PLAYACT_SETTINGS", str(place.named))

    settings = Settings.current()

    assert (settings.model, settings.attempts, settings.in_flight) == ("named", 2, 3)
    assert settings.model_parameters == Parameters(stop=("###",), extra={"top_k": 4})


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("PLAYACT_MODEL", "scripted:storm", {"model": "scripted:storm"}),
        ("PLAYACT_TEMPERATURE", "0", {"temperature": 0.0}),
        ("PLAYACT_MAX_TOKENS", "64", {"max_tokens": 64}),
        ("PLAYACT_STOP", '["\\n", "###"]', {"stop": ("\n", "###")}),
        ("PLAYACT_EXTRA", '{"top_k": 40}', {"extra": {"top_k": 40}}),
        ("PLAYACT_ATTEMPTS", "3", {"attempts": 3}),
        ("PLAYACT_REQUESTS_PER_MINUTE", "60", {"requests_per_minute": 60}),
        ("PLAYACT_TIMEOUT_S", "2.5", {"timeout_s": 2.5}),
        ("PLAYACT_REPLY_CACHE", "replies.db", {"reply_cache": "replies.db"}),
        ("PLAYACT_HEDGE", "p95", {"hedge": "p95"}),
        ("PLAYACT_MODEL", "", {}),  # as unset
        ("PLAYACT_CACHE", "/somewhere", {}),  # which is where the weights are
        ("PLAYACT_SOMETHING_ELSE", "of somebody else", {}),
    ],
)
def test_an_environment_variable_is_read_as_its_setting(
    variable: str, text: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)

    assert Settings.current() == Settings(**expected)


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("PLAYACT_TEMPERATURE", SECRET, "PLAYACT_TEMPERATURE must be a valid number"),
        ("PLAYACT_TEMPERATURE", "-1", "PLAYACT_TEMPERATURE must be greater than or equal to 0"),
        ("PLAYACT_TEMPERATURE", "nan", "PLAYACT_TEMPERATURE must be a finite number"),
        ("PLAYACT_MAX_TOKENS", "many", "PLAYACT_MAX_TOKENS must be a valid integer"),
        ("PLAYACT_MAX_TOKENS", "0", "PLAYACT_MAX_TOKENS must be greater than or equal to 1"),
        ("PLAYACT_STOP", SECRET, """PLAYACT_STOP must be JSON, as in '["###"]'"""),
        ("PLAYACT_HEDGE", "p", 'PLAYACT_HEDGE must be a number of seconds, or a share of the calls, as in "p95"'),
        ("PLAYACT_HEDGE", "0", "PLAYACT_HEDGE must be a number of seconds"),
        ("PLAYACT_TIMEOUT", "5", "PLAYACT_TIMEOUT is no setting; did you mean PLAYACT_TIMEOUT_S?"),
        ("PLAYACT_EXTRA", "{", """PLAYACT_EXTRA must be JSON, as in '{"top_k": 40}'"""),
        ("PLAYACT_EXTRA", "[1]", "PLAYACT_EXTRA must be a valid dictionary"),
        ("PLAYACT_TEMPRATURE", "1", "PLAYACT_TEMPRATURE is no setting; did you mean PLAYACT_TEMPERATURE?"),
        ("PLAYACT_SETTINGS", "/no/such.toml", "/no/such.toml: is no settings file; PLAYACT_SETTINGS names it"),
        ("PLAYACT_SETTINGS", "/", "/: is no settings file"),
    ],
)
def test_what_is_wrong_in_the_environment_is_one_line(
    variable: str, text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)

    assert refused().startswith(reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\nmodel = \n", "settings.toml: is not TOML: Invalid value (at line 2"),
        ("temprature = 1", "settings.toml:1: `temprature` is no setting; did you mean `temperature`?"),
        ("# so\n\nflavour = 1", "settings.toml:3: `flavour` is no setting; known are model, temperature"),
        (f'api_key = "{SECRET}"', "`api_key` is no setting; keys and addresses come from the environment"),
        (f'OPENAI_BASE_URL = "http://{SECRET}"', "keys and addresses come from the environment"),
        (f'temperature = "{SECRET}"', "settings.toml:1: `temperature` must be a valid number"),
        ('temperature = "1"', "settings.toml:1: `temperature` must be a valid number"),
        ("temperature = true", "settings.toml:1: `temperature` must be a valid number"),
        ("temperature = inf", "settings.toml:1: `temperature` must be a finite number"),
        ("max_tokens = 1.5", "settings.toml:1: `max_tokens` must be a valid integer"),
        ("model = 5", "settings.toml:1: `model` must be the name of a model"),
        ('stop = "x"', "settings.toml:1: `stop` must be a valid array"),
        ("stop = [1]", "settings.toml:1: `stop` must be a valid string"),
        ("extra = 2026-11-24", "settings.toml:1: `extra` must be an object"),
        ("stop = " + "[" * 5000, "is nested deeper than any settings are"),
        ("concurrency = 0", "settings.toml:1: `concurrency` must be greater than or equal to 1"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line_with_its_place(place: Place, text: str, reason: str) -> None:
    place.users.write_text(text, encoding="utf-8")

    assert reason in refused()


def test_a_file_that_is_no_text_is_told(place: Place) -> None:
    place.users.write_bytes(b"model = '\xff'")

    assert refused() == f"{place.users}: is not UTF-8 text"


def test_a_pipe_is_no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv("PLAYACT_SETTINGS", str(tmp_path / "pipe"))

    assert refused() == f"{tmp_path / 'pipe'}: is no settings file; PLAYACT_SETTINGS names it"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that not even root can read is wanted")
def test_a_file_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYACT_SETTINGS", "/proc/self/mem")

    assert refused() == "/proc/self/mem: cannot be read: Input/output error"


@pytest.mark.parametrize(
    "text", ["concurrency = 4", "attempts = 9", "reply_cache = '/x'", "hedge = 'p95'", "[extra]\nstore = true"]
)
def test_a_file_of_the_current_folder_chooses_a_model_and_how_it_samples_and_nothing_else(
    place: Place, text: str
) -> None:
    place.here.write_text(f'model = "scripted"\n{text}\n', encoding="utf-8")

    told = refused()

    assert told.startswith("playact.toml:2: `")
    assert "may not be set from the current folder" in told


def test_scopes_nest_and_end_also_by_an_error() -> None:
    with defaults(model="outer", temperature=0.5):
        with pytest.raises(RuntimeError), defaults(model="inner"):
            inner = Settings.current()
            raise RuntimeError
        outer = Settings.current()

    assert (inner.model, inner.temperature) == ("inner", 0.5)
    assert outer.model == "outer"
    assert Settings.current() == Settings()


def test_a_scope_takes_a_backend_too() -> None:
    backend = ScriptedBackend()

    with defaults(model=backend):
        simulation = Simulation()

    assert simulation.model is backend


def test_a_script_says_which_model_it_means_and_says_it_anew() -> None:
    def script() -> list[Settings]:
        llm("first", temperature=0.5)
        first = Settings.current()
        llm("second", max_tokens=9)
        return [first, Settings.current()]

    first, second = contextvars.copy_context().run(script)

    assert first == Settings(model="first", temperature=0.5)
    assert second == Settings(model="second", max_tokens=9)
    assert Settings.current() == Settings()


def test_what_a_script_says_holds_in_the_loop_that_it_starts() -> None:
    async def model() -> str | object:
        return Simulation().model

    def script() -> object:
        llm("mine")
        return anyio.run(model)

    assert contextvars.copy_context().run(script) == "mine"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"temprature": 1}, "defaults(): `temprature` is no setting; did you mean `temperature`?"),
        ({"temperature": "hot"}, "defaults(): `temperature` must be a valid number"),
        ({"model": 5}, "defaults(): `model` must be the name of a model"),
        ({"api_key": SECRET}, "defaults(): `api_key` is no setting; keys and addresses"),
    ],
)
def test_a_scope_refuses_what_is_no_setting(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingInvalid) as refusal, defaults(**values):
        pass

    assert str(refusal.value).startswith(reason)
    assert SECRET not in str(refusal.value)


def test_a_simulation_asks_once_and_late_changes_change_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYACT_MODEL", "scripted")
    simulation = Simulation()

    monkeypatch.setenv("PLAYACT_MODEL", "other")
    monkeypatch.setenv("PLAYACT_TEMPERATURE", "hot")
    place.here.write_text("broken", encoding="utf-8")

    anyio.run(played, simulation)
    assert simulation.model == "scripted"


def test_how_a_model_is_asked_is_a_matter_of_settings_too(tmp_path: Path) -> None:
    settings = Settings(tokens_per_minute=9, timeout_s=3, reply_cache="replies.db", hedge="p90")

    assert settings.pace == Pace(tokens_per_minute=9)
    assert settings.second_calls == Hedge(percentile=0.9)
    assert settings.but(hedge=2, timeout_s=None).second_calls == Hedge(after_s=2)
    assert settings.but(hedge=2, timeout_s=None).timeout_s == 3


@pytest.mark.anyio
async def test_what_holds_is_kept_in_the_journal(tmp_path: Path) -> None:
    journal = tmp_path / "run.db"
    given = Settings(in_flight=2, requests_per_minute=900, timeout_s=3, concurrency=5, hedge="9")

    await played(Simulation(model=Ear(), journal=journal, settings=given))

    config = config_in(journal)
    assert (config["in_flight"], config["timeout_s"], config["concurrency"]) == (2, 3, 5)
    assert config["pace"][""]["requests_per_minute"] == 900
    assert config["hedge"]["after_s"] == 9


def test_settings_can_be_given_as_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYACT_TEMPERATURE", "hot")

    assert Simulation(settings=Settings(model="mine", concurrency=3)).model == "mine"


@pytest.mark.anyio
async def test_an_agent_that_says_how_it_samples_is_heard_field_by_field() -> None:
    own = Parameters(temperature=0.0, stop=("x",), extra={"top_k": 1})
    scenario = Scenario(cast=(Agent(name="Ada", model_parameters=own), Agent(name="Bob")), max_turns=2)
    shared = Parameters(temperature=0.9, max_tokens=7, stop=("y",), extra={"top_k": 2, "min_p": 0.1})
    model = Ear()

    await played(Simulation(model=model, model_parameters=shared), scenario)

    assert model.parameters == [
        Parameters(temperature=0.0, max_tokens=7, stop=("x",), extra={"top_k": 1, "min_p": 0.1}),
        shared,
    ]


@pytest.mark.anyio
async def test_without_defaults_a_request_is_what_its_agent_says_and_nothing_more() -> None:
    own = Parameters(temperature=1, extra={"tuple": (1, 2)})
    model = Ear()

    await played(Simulation(model=model), Scenario(cast=(Agent(name="A", model_parameters=own), Agent(name="B"))))

    assert model.parameters[0] is own
    assert repr(model.parameters[1]) == repr(Parameters())


@pytest.mark.anyio
async def test_a_resumed_run_samples_as_it_began_whatever_holds_now(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "run.db"
    monkeypatch.setenv("PLAYACT_TEMPERATURE", "0.25")
    monkeypatch.setenv("PLAYACT_ATTEMPTS", "2")
    with anyio.CancelScope() as run:
        first = Ear(run)
        await played(Simulation(model=first, journal=journal, model_parameters=Parameters(extra={"ids": (1, 2)})))

    monkeypatch.setenv("PLAYACT_TEMPERATURE", "hot")
    monkeypatch.setenv("PLAYACT_ATTEMPTS", "9")
    second = Ear()
    with defaults(max_tokens=3):
        await played(Simulation.resume(journal, model=second), None)

    expected = Parameters(temperature=0.25, extra={"ids": [1, 2]})
    assert len(first.asked) == len(second.asked) == 2
    assert {repr(each) for each in first.parameters + second.parameters} == {repr(expected)}
    assert config_in(journal)["retry"]["attempts"] == 2


@pytest.mark.anyio
async def test_a_run_of_an_earlier_version_has_no_sampling_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYACT_TEMPERATURE", "0.25")
    golden = Path(__file__).parents[1] / "golden" / "journal-1.db"
    (tmp_path / "old.db").write_bytes(golden.read_bytes())

    simulation = Simulation.replay(tmp_path / "old.db")

    assert "model_parameters" not in config_in(tmp_path / "old.db")
    assert simulation.model_parameters == Parameters()


def test_what_no_journal_can_hold_is_refused_when_the_simulation_is_made() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        Simulation(model_parameters=Parameters(extra={"processor": object()}))


def test_errors_of_settings_pickle() -> None:
    import pickle

    for error in (SettingInvalid("here", "key", "is wrong"), FileInvalid("here", 1, "is wrong")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def test_where_nothing_is_set_nothing_more_is_imported(place: Place) -> None:
    code = (
        "import sys; from playact.engine import Simulation; Simulation(); print('pydantic_settings' in sys.modules)\n"
        "import os; os.environ['PLAYACT_MODEL'] = 'x'; Simulation(); print('pydantic_settings' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=place.here.parent)

    assert done.stdout.split() == ["False", "True"]


_numbers = st.none() | st.sampled_from([0.0, 0.5, 1.0])
_parameters = st.builds(
    Parameters,
    temperature=_numbers,
    top_p=_numbers,
    max_tokens=st.none() | st.integers(1, 3),
    stop=st.lists(st.sampled_from("ab"), max_size=2).map(tuple),
    extra=st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=2),
)


@given(_parameters, _parameters, _parameters)
def test_it_does_not_matter_in_which_order_layers_of_parameters_are_put_together(
    strong: Parameters, middle: Parameters, weak: Parameters
) -> None:
    assert overlaid(strong, overlaid(middle, weak)) == overlaid(overlaid(strong, middle), weak)


@given(_parameters)
def test_parameters_that_say_nothing_change_nothing(parameters: Parameters) -> None:
    assert overlaid(parameters, Parameters()) is parameters
    assert overlaid(Parameters(), parameters) == parameters
    assert overlaid(parameters, parameters) == parameters


@given(_parameters, _parameters)
def test_the_key_of_a_request_depends_on_what_holds_alone(own: Parameters, others: Parameters) -> None:
    once, again = (overlaid(own, replace(others, extra=json.loads(json.dumps(others.extra)))) for _ in range(2))

    assert key_of(CompletionRequest(messages=(), parameters=once)) == key_of(
        CompletionRequest(messages=(), parameters=again)
    )
