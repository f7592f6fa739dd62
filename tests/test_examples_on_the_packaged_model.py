"""What users of sdialog are used to, in our words, on the model that is packaged: it ends well and says something."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import anyio
import pytest

from playact.engine import Dialog
from tests.servers.chat_server import ChatServer

pytestmark = [pytest.mark.asyncio, pytest.mark.engine, pytest.mark.timeout(300)]

EXAMPLES = Path(__file__).parents[1] / "examples"
IGNORED = re.compile(r"event='(think|tools)\.ignored' ")


async def shown(name: str, *arguments: str) -> str:
    """What an example prints, once it has ended well. All that may be told besides is what this model cannot do."""
    unset = {"PLAYACT_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL"}
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = await anyio.run_process(command, env={**environment, "PYTHONIOENCODING": "utf-8"}, check=False)
    told = [line for line in done.stderr.decode().splitlines() if not IGNORED.match(line)]

    assert told == []
    assert done.returncode == 0
    return done.stdout.decode()


async def test_the_support_desk_leaves_three_dialogs_of_two_who_both_speak(tmp_path: Path) -> None:
    printed = await shown("support_desk.py", str(tmp_path))

    dialogs = Dialog.from_folder(tmp_path)
    assert [len(dialog) for dialog in dialogs] == [4, 4, 4]
    assert all(dialog.get_speakers() == ["Customer", "Support"] for dialog in dialogs)
    assert all(turn.text and turn.text in printed for dialog in dialogs for turn in dialog)
    assert printed.count("SimpleReflexOrchestrator: Follow the refund policy") >= 3


async def test_a_simulated_customer_talks_with_a_remote_system_and_with_its_model_in_a_role() -> None:
    async with ChatServer() as server:
        printed = await shown("remote_system.py", server.base_url, "their-model")

    as_it_is, in_a_role = printed.strip().split("\n\n")
    assert as_it_is.count("System: Hello.") == 2
    assert in_a_role.count("Support: Hello.") == 2
    first, *_, last = (asked.body for asked in server.asked)
    assert first["messages"] == [{"role": "user", "content": "Hi! I was charged twice."}]
    assert last["messages"][0]["role"] == "system"
    assert {asked.body["model"] for asked in server.asked} == {"their-model"}


async def test_files_are_read_changed_and_saved_without_any_model() -> None:
    printed = await shown("load_and_save.py")

    assert printed == (EXAMPLES / "load_and_save.py.out").read_text(encoding="utf-8")


async def test_people_are_made_up_by_the_rules_and_a_dialog_of_theirs_is_written_and_reworded() -> None:
    people, place, dialog, reworded = (await shown("generate_people.py")).strip().split("\n\n")

    assert people.count(", female, ") == 2
    assert people.count(", male, ") == 1
    assert place.startswith("Where: a telephone line, ")
    assert len(Dialog.from_str(reworded)) == len(Dialog.from_str(dialog)) >= 2


async def test_orchestrators_put_together_each_have_their_say() -> None:
    printed = await shown("orchestration.py")

    assert "--- 6 turns" in printed
    for speaker in ("Plan", "OneQuestion", "Length", "InstructionList", "SimpleReflex", "ChangeMind"):
        assert f" {speaker}Orchestrator: " in printed
