"""The house keeps its plan: imports point one way, every package is packaged, importing the engine is light."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {"engine": {"engine"}, "actors": {"actors", "engine"}, "backends": {"backends", "engine"}}
COMPOSITION_ROOT = {"actors/cli.py", "actors/session.py", "actors/trial_file.py"}  # the command, which sees everything


def modules() -> list[Path]:
    return [path for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py"))]


def imported_folders(path: Path) -> set[str]:
    """The folders of ours that a module imports from, at its top or inside a function."""
    depth = len(path.relative_to(ROOT).parts) - 1
    folders = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level == 0 and (node.module or "").startswith("playact."):
                folders.add((node.module or "").split(".")[1])
            elif node.level > depth:
                folders.add((node.module or "").split(".")[0])
            elif node.level:
                folders.add(path.relative_to(ROOT).parts[0])
        elif isinstance(node, ast.Import):
            folders |= {name.name.split(".")[1] for name in node.names if name.name.startswith("playact.")}
    return folders


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    allowed = set(MAY_IMPORT) if name in COMPOSITION_ROOT else MAY_IMPORT[path.relative_to(ROOT).parts[0]]

    assert imported_folders(path) <= allowed


def test_the_arrow_test_sees_an_arrow_against_the_grain(tmp_path: Path) -> None:
    path = ROOT / "engine" / "bus.py"

    assert "engine" in imported_folders(path)
    assert imported_folders(ROOT / "actors" / "cli.py") == {"actors", "engine", "backends"}


def test_every_package_is_in_the_package_list_and_in_the_links_for_type_checkers() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    found = {path.parent.relative_to(ROOT) for path in modules()}

    assert set(listed) == {"playact." + ".".join(folder.parts) for folder in found}
    for folder in MAY_IMPORT:
        assert (ROOT / ".types" / "playact" / folder).resolve() == ROOT / folder
        assert (ROOT / folder / "py.typed").exists()


def test_importing_the_engine_brings_in_nothing_heavy() -> None:
    heavy = {
        "aiohttp",
        "httptools",
        "jsonschema",
        "json_repair",
        "openai",
        "pydantic_settings",
        "rich",
        "structlog",
        "torch",
        "trio",
        "uvloop",
        "xllamacpp",
        "yaml",
    }
    code = f"import sys, playact.engine; print(sorted({heavy!r} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_importing_everything_leaves_the_process_as_it_was() -> None:
    code = (
        "import gc, logging, random, sys\n"
        "before = (gc.get_threshold(), random.getstate(), logging.root.handlers[:])\n"
        "import playact.engine, playact.actors.cli, playact.backends.scripted, playact.backends.registry\n"
        "assert before == (gc.get_threshold(), random.getstate(), logging.root.handlers[:])\n"
        "import threading; assert threading.active_count() == 1"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""
