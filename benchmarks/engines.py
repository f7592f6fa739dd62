"""Every engine that runs inside this process, under playact against its own best offline batch, one after the other.

Each engine has a script of its own, `engine_NAME.py`, which runs alone too; it runs in a process of its own here, so
that none meets what another has left in memory, and prints its rows as they come. vLLM has an environment of its own,
`.venv-vllm`, which `make test-engines` makes. An engine that is not installed is left out, and said to be.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.report import Report

ENGINES = ("huggingface", "vllm", "embedded")
_FOLDER = Path(__file__).resolve().parent
_VLLM = _FOLDER.parent / ".venv-vllm" / "bin" / "python"


def measure(engine: str, *, quick: bool, is_json: bool) -> None:
    """Passes on what the engine's script says, line by line, or says why it says nothing."""
    python = _VLLM if engine == "vllm" and _VLLM.is_file() else sys.executable
    command = [str(python), str(_FOLDER / f"engine_{engine}.py"), "--json", *(["--quick"] if quick else [])]
    report = Report(is_json=is_json)
    with TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as script:
            assert script.stdout is not None
            for line in script.stdout:
                said: dict[str, Any] = json.loads(line)
                report.end(said["machine"]) if "machine" in said else report.add(said)
        errors.seek(0)
        complaints = [line for line in errors if line.strip()]
    if script.returncode:
        reason = complaints[-1].strip() if complaints else f"it ended with {script.returncode}"
        print(json.dumps({"engine": engine, "error": reason}) if is_json else f"{engine}: not measured: {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--json", action="store_true", help="one line for each row, and for the machine")
    parser.add_argument("--quick", action="store_true", help="few dialogs only")
    options = parser.parse_args()
    for engine in options.engines:
        measure(engine, quick=options.quick, is_json=options.json)


if __name__ == "__main__":
    main()
