"""What a session came to, in words and as JSON."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest

from playact.actors import Agent, Persona, Scenario
from playact.actors.dataset_file import DatasetFile
from playact.actors.report import Report, endings, one_line, over
from playact.backends.scripted import ScriptedBackend
from playact.engine import Dialog, Simulation
from playact.engine.budget import Budget, Price, Prices
from playact.engine.completion import CompletionRequest
from playact.engine.errors import BackendRefused
from playact.engine.failures import FailurePolicy
from playact.engine.journal.standing import Standing
from playact.engine.journal.tally import Tally

PAIR = (Agent(Persona(name="Ann")), Agent(Persona(name="Ben")))


def reported(journal: Path | None = None, *, dialogs: int = 5, refused: tuple[int, ...] = (), **more: Any) -> Report:
    """Of a run in which some dialogs are refused, by their number."""

    def reply(request: CompletionRequest) -> str:
        if any(f"<{number}>" in message.text for message in request.messages for number in refused):
            raise BackendRefused("scripted", f"no\n\x1b[31m{request.sequence}")
        return "This is a reply."

    async def play() -> Report:
        report = Report()
        policy = FailurePolicy(stop_share=None)
        scenarios = [Scenario(cast=PAIR, max_turns=2, context=f"<{number}>") for number in range(dialogs)]
        model = ScriptedBackend(reply, max_tokens=5)
        async with Simulation(model=model, journal=journal, seed=1, failures=policy, **more) as simulation:
            async for dialog in simulation.run(scenarios):
                report.take(dialog)
            report.close(simulation)
        if journal is not None:
            report.standing = Standing.of(journal)
        return report

    return anyio.run(play)


def test_a_session_is_summed_up_in_two_lines() -> None:
    count, turns = reported().lines("")

    assert count.startswith("5 dialogs in ")
    assert count.endswith(": 5 turn limit")
    assert turns.startswith("10 turns, ")
    assert turns.endswith("; model scripted, seed 1")


def test_failures_are_counted_by_kind_with_one_error_on_one_line() -> None:
    report = reported(refused=(1, 3))

    (failed,) = [line for line in report.lines("") if line.startswith("failed: ")]
    assert failed.startswith("failed: 2 x BackendRefused: ")
    assert failed.isprintable()
    assert report.has_failed
    assert report.failed_by("BackendRefused") == 2
    assert report.as_json(None)["failed"] == {"BackendRefused": 2}


def test_the_signal_that_stopped_it_is_said_last() -> None:
    assert reported().lines("SIGTERM")[-1] == "stopped by SIGTERM"


def test_the_first_dialog_that_went_well_is_remembered_to_be_shown() -> None:
    first = reported(refused=(0, 1)).first

    assert first is not None
    assert first.ending is not None
    assert not first.ending.failed


def test_with_a_journal_the_figures_are_those_of_the_whole_run(tmp_path: Path) -> None:
    journal = tmp_path / "run.db"

    content = reported(journal).as_json(journal)

    assert (content["dialogs"], content["planned"], content["left"]) == (5, 5, 0)
    assert content["digest"] == reported().as_json(None)["digest"]
    assert content["session"]["dialogs"] == 5
    assert content["journal"] == str(journal)


def test_a_run_failed_whichever_session_its_dialogs_failed_in(tmp_path: Path) -> None:
    journal = tmp_path / "run.db"
    reported(journal, refused=(2,))
    report = Report()

    report.standing = Standing.of(journal)

    assert report.has_failed


@pytest.mark.parametrize(
    ("dialogs", "is_shown", "line"),
    [
        (1, True, None),
        (2, True, "one dialog was shown and none was kept; --out PATH.jsonl keeps them"),
        (2, False, "no dialog was kept; --out PATH.jsonl keeps them"),
    ],
)
def test_whoever_keeps_nothing_is_told_how_to(dialogs: int, is_shown: bool, line: str | None) -> None:
    kept = reported(dialogs=dialogs).kept(None, None, is_shown=is_shown)

    assert kept == ([] if line is None else [line])


def test_where_the_dialogs_are_is_said(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with DatasetFile(str(path)) as file:
        before = reported().kept(file, None, is_shown=False)
        file.write(Dialog())
        after = reported().kept(file, None, is_shown=False)

    assert before == [f"no dialogs are in {path}"]
    assert after == [f"1 dialog is in {path}"]


def test_one_of_anything_is_one() -> None:
    count, turns = reported(dialogs=1).lines("")

    assert count.startswith("1 dialog in ")
    assert turns.startswith("2 turns, ")
    assert over(Tally(ended=Counter(failed=1)), 1) == "1 of 1 dialog is over: 1 failed"
    assert over(Tally(ended=Counter(failed=30)), None) == "30 of an open number of dialogs are over: 30 failed"


def test_the_cost_is_said_to_the_hundredth_of_a_cent_or_two_digits() -> None:
    cheap = reported(prices=Prices({"scripted": Price(10**6, 10**6, 10**6)}))

    (line,) = [line for line in cheap.lines("") if line.startswith("cost ")]
    assert re.fullmatch(r"cost 0\.00\d+ US dollars", line)
    assert cheap.as_json(None)["usd"] > 0


def test_the_models_without_a_known_price_are_named_and_the_cost_is_null() -> None:
    report = reported(prices=Prices({}))

    assert "cost unknown: no price is known of scripted; give it in a file, --prices FILE" in report.lines("")
    assert (report.as_json(None)["usd"], report.as_json(None)["unpriced"]) == (None, ["scripted"])


def test_a_budget_that_allows_no_call_is_not_called_spent() -> None:
    prices = Prices({"scripted": Price(10**10, 10**10, 10**10)})

    *_, line = reported(prices=prices, budget=Budget(usd="0.01"), dialogs=1).lines("")

    assert line.startswith("the budget of 0.01 US dollars does not allow another call: 0.01 is left, and one may take ")
    assert line.endswith("; raise the cap, or set a lower max_tokens")


def test_endings_are_words() -> None:
    assert endings({"turn_limit": 2, "failed": 1, "finished": 0}) == "1 failed, 2 turn limit"
    assert endings({}) == "none"


def test_whatever_is_quoted_is_one_printable_line_of_some_length() -> None:
    assert one_line("a\nb\r\n\tc \x1b[2Jd") == "a b c d"
    assert len(one_line("x" * 1000)) == 200
