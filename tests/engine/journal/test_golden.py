"""Journals that were made once, with each schema there has been, open, replay and go on for ever.

See `tests/golden/make.py`. What stands here was true when they were made; if a test fails, the code has broken a
promise to everybody who has an old journal, and it is not the numbers here that are to be changed.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from playact.engine import Simulation
from playact.engine.journal.entry import fact_of
from playact.engine.journal.file import JournalFile
from playact.engine.journal.standing import Standing
from tests.golden.cast import model, price
from tests.golden.make import dataset_digest, replay

GOLDEN = Path(__file__).parents[2] / "golden"
ENDINGS = ("finished", "turn_limit", "turn_limit", "failed", "finished", "turn_limit", None, "budget", "turn_limit")
DIGESTS = (
    "c5c0694e082ba6f5ed299f3d077a5028c775f70a0ee436650e11975ecff340ee",
    "a8949251e8389aa9fc5a48e165b2813ae51db046b53a318b73230f9ea8e6244d",
    "8eaea17d320abfa491ff9df40f4726065ebfa8ae956fa2df936865b0151e8e25",
    "bccbac143b0fb8276b4fb9dc25bc59fe071693591800053c748abe64d87c5502",
    "a03beb8a2fb65c9db3f4594721bd04fd39d79ebe2123f1252c8ed49753c81f4c",
    "ebec31c154df98ce9b64cb3fb1c5e20701236a0da76c896e964c47fd1c6d6805",
    None,
    "522643ba33f76ab6aebf43fbe2749121c4d81b9a01619df3a86a8e2329048aa0",
    "d98c367bbe8c04f12c88f69a9abcb6352486dc9d3a9c067964fff06adb2f8524",
)
DATASET_DIGEST = "c521b0942d9346c5f85781dd82f5190e64226dc218bebaf2f1b240e8ab876466"
DATASET_DIGEST_AT_THE_END = "1604b1a40b83e9218afd0762c4dd6400ff098d5b93f2a9a5ed2f1ddac13d407b"
KINDS = {
    "reply": 49,
    "answer": 2,
    "DialogStarted": 9,
    "Forked": 1,
    "Instructed": 3,
    "Thought": 2,
    "ToolCalled": 2,
    "ToolReturned": 2,
    "Uttered": 49,
    "EndMarked": 2,
    "ActorFailed": 1,
    "DialogEnded": 8,
}

pytestmark = pytest.mark.anyio


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A copy, for also reading leaves files beside a journal."""
    return Path(shutil.copy(GOLDEN / "journal-1.db", tmp_path / "journal-1.db"))


@pytest.fixture
def file(journal: Path) -> JournalFile:
    return JournalFile.read(journal)


def test_it_is_small_and_alone() -> None:
    assert (GOLDEN / "journal-1.db").stat().st_size < 200_000


def test_it_is_whole(file: JournalFile) -> None:
    tally = file.verify()

    assert file.damage is None
    assert (tally.entries, tally.dialogs, tally.turns, tally.calls) == (130, 9, 49, 49)
    assert (tally.prompt_tokens, tally.completion_tokens, tally.cached_tokens) == (3017, 396, 453)
    assert tally.picodollars == 10_936_250_000
    assert tally.ended == {"turn_limit": 4, "finished": 2, "failed": 1, "budget": 1}
    file.close()


def test_its_tally_and_its_dialogs_are_as_they_were(file: JournalFile) -> None:
    tally, rows = file.tally(), list(file.dialogs())

    assert (tally.sessions, tally.is_closed, tally.total, tally.planned) == (3, True, None, 9)
    assert tuple(row.reason for row in rows) == ENDINGS
    assert tuple(row.digest for row in rows) == DIGESTS
    assert [row.parent for row in rows] == [None] * 8 + [rows[0].id]
    file.close()


def test_every_entry_can_be_read(file: JournalFile) -> None:
    kinds = Counter(entry.kind for entry in file.entries(1))
    facts = [fact_of(entry.kind, entry.content()) for entry in file.entries(1) if entry.is_fact]

    assert kinds == KINDS
    assert len(facts) == sum(kinds.values()) - kinds["reply"] - kinds["answer"]
    file.close()


def test_it_knows_how_the_run_was_set_up(file: JournalFile) -> None:
    config, recipes = file.config(), file.scenarios()

    assert (config["seed"], config["model"]) == (2026, "scripted")
    assert config["budget"] == {"usd": "0.05", "per_dialog": {"calls": 12}}
    assert len(recipes) == 9
    assert json.loads(recipes[0])["max_turns"] == 9
    assert [row.scenario for row in file.plan()] == list(range(9))
    file.close()


def test_its_status_can_be_told(journal: Path) -> None:
    standing = Standing.of(journal)

    assert (standing.state, standing.planned, standing.damage) == ("stopped", None, None)
    assert standing.failed == {"BackendRefused": (1, "scripted: not a word \ud83d 🤐")}
    assert [dialog.number for dialog in standing.live] == [6]
    assert standing.digest == DATASET_DIGEST


async def test_it_replays_to_the_letter(journal: Path) -> None:
    dialogs = await replay(journal)

    digests = tuple(dialog.digest() for dialog in dialogs.values())
    assert sorted(digests) == sorted(digest for digest in DIGESTS if digest is not None)
    assert dataset_digest(dialogs) == DATASET_DIGEST
    texts = [turn.text for dialog in dialogs.values() for turn in dialog.turns]
    assert "Zoë 🎭 speaks at turn 0. \ud83c half a flag, 🏳️‍🌈 a whole one" in texts


async def test_it_goes_on_to_the_end(journal: Path) -> None:
    async with Simulation.resume(journal, model=model(), code=[price]) as simulation:
        dialogs = [dialog async for dialog in simulation.run()]

    (dialog,) = dialogs
    speakers = ("Ada", "Bob", "Slower") * 3
    assert [turn.text for turn in dialog.turns] == [f"{who} speaks at turn {n}." for n, who in enumerate(speakers)]
    assert dialog.ending is not None
    assert (len(dialog), dialog.ending.reason) == (9, "turn_limit")
    assert dataset_digest(await replay(journal)) == DATASET_DIGEST_AT_THE_END
