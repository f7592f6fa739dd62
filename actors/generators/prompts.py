"""The words with which a model is asked for attributes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["asking_for_one", "asking_for_all", "from_template", "instructions", "words_of"]

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z_\W]+")


def instructions(system_prompt: str, extra: str) -> str:
    """The system prompt with what the user wants said besides."""
    lines = [line.strip(" •-\t") for line in extra.splitlines() if line.strip()]
    if not lines:
        return system_prompt
    return f"{system_prompt}\n{lines[0]}" if len(lines) == 1 else "\n- ".join((system_prompt, *lines))


def asking_for_all(
    kind: str,
    known: Mapping[str, Any],
    wanted: Mapping[str, str],
    unlike: Sequence[Mapping[str, Any]],
    variant: int,
    *,
    is_small: bool,
) -> str:
    """`wanted`: the attributes and what each is to say. `unlike`: what there is already and must not come again."""
    what = words_of(kind)
    if is_small:
        given = f" with {_phrases(known)}" if known else ""
        another = f", not {_phrases(unlike[0])}" if unlike else ""
        return f"Invent a {what}{given}{another}. Give {', '.join(wanted)}, each in a few plain words, as JSON."
    lines = [f"Invent one {what} for a simulated dialog."]
    if known:
        lines.append(f"This is given: {_json(known)}")
    lines.append("Write the following attributes, so that all fit together and are particular, not typical:")
    lines += (_item(name, hint) for name, hint in wanted.items())
    if unlike:
        lines.append(f"It must differ clearly from these, which are there already; this is variant {variant}:")
        lines += (_json(each) for each in unlike)
    lines.append("Answer with one JSON object that has these attributes and no others.")
    return "\n".join(lines)


def asking_for_one(kind: str, known: Mapping[str, Any], name: str, hint: str, problem: str, *, is_small: bool) -> str:
    """`problem`: what was wrong with the value that there was."""
    what, attribute = words_of(kind), words_of(name)
    if is_small:
        given = f" with {_phrases(known)}" if known else ""
        return f"Think of a {what}{given}. Give only the {attribute}, in a few plain words, as JSON."
    lines = [f"This is a {what} for a simulated dialog: {_json(known)}"]
    lines.append(f"One attribute is missing. {_item(name, hint)}")
    if problem:
        lines.append(f"The last answer was not accepted: {problem}")
    lines.append(f'Answer with a JSON object that has "{name}" and nothing else.')
    return "\n".join(lines)


def from_template(template: str, kind: str, attributes: Mapping[str, Any], hints: Mapping[str, str]) -> str:
    """A prompt of the user's own, in Jinja, with sdialog's names: object, class_name, attributes_instructions.

    What is in the attributes can never be a template. Raises ValueError for a template that is none.
    """
    from jinja2 import TemplateError

    told = "\n".join(f"* {name}: {hint}." for name, hint in hints.items() if hint)
    if told:
        told = f"Consider the following instructions for filling the following attributes:\n{told}"
    try:
        return str(
            _template(template).render(
                object=json.dumps(attributes, indent=2, ensure_ascii=False),
                class_name=kind,
                attributes_instructions=told,
            )
        )
    except TemplateError as error:
        raise ValueError(f"llm_prompt is no template that can be filled in: {error}") from error


def words_of(name: str) -> str:
    """A name of code in words: `years_of_experience`, and `ITSupportSpecialist`, "IT support specialist"."""
    words = _WORDS.findall(name)
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)


def _phrases(known: Mapping[str, Any]) -> str:
    return ", ".join(f"{words_of(name)} {value}" for name, value in known.items())


def _item(name: str, hint: str) -> str:
    return f"- {name}: {hint}" if hint else f"- {name}"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=64)
def _template(text: str) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment().from_string(text)  # a prompt is no HTML
