"""The card of a data set: a README.md whose YAML front matter machines read, and words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from ..wording import counted
from .tally import ExportTally

__all__ = ["Source", "card"]

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_USE = {
    "openai": "Each line is an example for fine-tuning as OpenAI takes it: `messages`, and calls of tools in them.",
    "sharegpt": "Each row has `conversations` of `human` and `gpt`, with `function_call` and `observation` for tools.",
    "chatml": "Each line has a `text`: the chat as the model's own template writes it.",
    "parquet": "Each row is a dialog, with all that its file holds.",
    "datasets": "Each row is a dialog, with all that its file holds.",
    "csv": "Each row is a turn.",
    "txt": "A turn a line, an empty line between dialogs.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the dialogs of an export come from, for its card: `settings` is how the run was set up, as plain data."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    usd: float | None = None


def card(
    title: str, format: str, tally: ExportTally, files: str, source: Source | None, chosen: Mapping[str, object]
) -> str:
    """`files` are the data's, as a pattern; `chosen` is how the export was asked for, beyond its format."""
    import yaml

    facts = _facts(format, tally, source, chosen)
    front = {
        "pretty_name": title,
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "dialog", "conversational", "playact"],
        "size_categories": [_size(tally.rows)],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": files}]}],
        "playact": facts,
    }
    if format == "txt":  # which nothing loads as a table
        del front["configs"]
    text = yaml.safe_dump(front, sort_keys=False, width=110)
    return f"---\n{text}---\n\n" + "\n".join(_words(title, format, tally, source, chosen))


def _facts(format: str, tally: ExportTally, source: Source | None, chosen: Mapping[str, object]) -> dict[str, object]:
    facts: dict[str, object] = {
        "format": format,
        **chosen,
        "dialogs": tally.dialogs,
        "rows": tally.rows,
        "turns": tally.turns,
        "words": tally.words,
        "left_out": dict(sorted(tally.left_out.items())),
        "endings": dict(sorted(tally.endings.items())),
        "tokens": {
            "prompt": tally.usage.prompt_tokens,
            "completion": tally.usage.completion_tokens,
            "cached": tally.usage.cached_tokens,
        },
        "digest": tally.digest,
        "models": dict(tally.models.most_common()),
        "made_by": dict(sorted(tally.versions.items())),
        "begun": [tally.first, tally.last],
        "exported_by": version("playact"),
    }
    if source is not None:
        facts["source"] = source.name
        if source.usd is not None:
            facts["usd"] = round(source.usd, 6)
        if source.settings:
            facts["run"] = dict(source.settings)
    return facts


def _words(
    title: str, format: str, tally: ExportTally, source: Source | None, chosen: Mapping[str, object]
) -> Sequence[str]:
    models = ", ".join(f"`{name}`" for name, _ in tally.models.most_common(5)) or "models that are not named"
    lines = [
        f"# {title}",
        "",
        f"{counted(tally.dialogs, 'dialog')} with {counted(tally.turns, 'turn')}, played by {models}. {_USE[format]}",
        "",
        "All of it is synthetic: language models wrote what these people say.",
        "",
        "| | |",
        "|---|---|",
        f"| dialogs, rows | {tally.dialogs:,}, {tally.rows:,} |",
        f"| turns, words | {tally.turns:,}, {tally.words:,} |",
        f"| tokens of prompts, of replies | {tally.usage.prompt_tokens:,}, {tally.usage.completion_tokens:,} |",
        f"| how they ended | {_listed(tally.endings)} |",
        f"| left out | {_listed(tally.left_out) or 'nothing'} |",
        f"| digest | `{tally.digest}` |",
    ]
    lines += [f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in chosen.items()]
    if source is not None:
        lines.append(f"| source | {_cell(source.name)} |")
        seed = source.settings.get("seed")
        if seed is not None:
            lines.append(f"| seed of the run | {seed} |")
    lines += ["", "The digest is that of the dialogs, however they are written down: the same run has the same one."]
    if format in ("parquet", "datasets"):
        lines += ["", "`playact.engine.read_dialogs` reads the rows as dialogs again, with nothing lost."]
    return [*lines, ""]


def _size(rows: int) -> str:
    return next((name for most, name in _SIZES if rows < most), "n>10M")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in sorted(counts.items()))


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
