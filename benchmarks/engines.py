"""Every engine that runs inside this process, under playact against its own best offline batch, one after the other.

Each engine has a script of its own, `engine_NAME.py`, which runs alone too; it runs in a process of its own here, so
that none meets what another has left in memory. One that is not installed is left out, and said to be.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# This folder has an `http.py`: found first, it would stand in the place of Python's own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.report import print_table

ENGINES = ("huggingface", "vllm", "embedded")
_FOLDER = Path(__file__).resolve().parent


def measured(engine: str, *, quick: bool) -> dict[str, Any] | str:
    """What the engine's script says, or why it says nothing."""
    script = _FOLDER / f"engine_{engine}.py"
    if not script.is_file():
        return "it has no script"
    command = [sys.executable, str(script), "--json", *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return said[-1].strip() if said else f"it ended with {done.returncode}"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="few dialogs only")
    options = parser.parse_args()
    found = {engine: measured(engine, quick=options.quick) for engine in options.engines}
    if options.json:
        print(json.dumps(found))
        return
    for engine, result in found.items():
        if isinstance(result, str):
            print(f"{engine}: not measured: {result}")
        else:
            print_table(result["rows"], result["machine"])
        print()


if __name__ == "__main__":
    main()
