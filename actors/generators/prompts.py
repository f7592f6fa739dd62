"""What a model is told and asked that is to write attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..prompts import SHORT, Prompts
from ..prompts.wording import words_of

__all__ = ["asking_for_all", "asking_for_one", "check_template", "from_template", "instructions"]


def instructions(extra: str) -> str:
    """What the user wants said besides: a line as it is, several as a list."""
    lines = [said for line in extra.splitlines() if (said := line.strip(" •-\t"))]
    return lines[0] if len(lines) == 1 else "\n".join(f"- {line}" for line in lines)


def asking_for_all(
    prompts: Prompts,
    template: str,
    kind: str,
    known: Mapping[str, Any],
    wanted: Mapping[str, str],
    unlike: Sequence[Mapping[str, Any]],
    variant: int,
    *,
    is_small: bool,
) -> str:
    """`wanted`: the attributes and what each is to say. `unlike`: what there is already and must not come again."""
    return prompts.render(
        f"{template}{SHORT}" if is_small else template,
        what=words_of(kind),
        class_name=kind,
        known=known,
        wanted=wanted,
        listing=_listing(tuple(wanted.items())),
        names=", ".join(wanted),
        unlike=unlike,
        variant=variant,
    )


def asking_for_one(
    prompts: Prompts, kind: str, known: Mapping[str, Any], name: str, hint: str, problem: str, *, is_small: bool
) -> str:
    """`problem`: what was wrong with the value that there was."""
    return prompts.render(
        f"missing_attribute{SHORT}" if is_small else "missing_attribute",
        what=words_of(kind),
        class_name=kind,
        known=known,
        name=name,
        hint=hint,
        listing=_listing(((name, hint),)),
        problem=problem,
    )


def from_template(template: str, kind: str, attributes: Mapping[str, Any], hints: Mapping[str, str]) -> str:
    """A prompt of the user's own, in Jinja, with sdialog's names: object, class_name, attributes_instructions.

    What is in the attributes can never be a template. Raises ValueError for a template that cannot be filled in.
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
        raise _no_template(error) from error


def check_template(template: str) -> None:
    """Raises ValueError for what is no template."""
    from jinja2 import TemplateError

    try:
        _template(template)
    except TemplateError as error:
        raise _no_template(error) from error


@lru_cache(maxsize=256)
def _listing(wanted: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(f"- {name}: {hint}" if hint else f"- {name}" for name, hint in wanted)


@lru_cache(maxsize=64)
def _template(text: str) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment()  # a prompt is no HTML
    # Chance without a seed, so that nothing would be made twice.
    del environment.filters["random"], environment.globals["lipsum"]
    return environment.from_string(text)


def _no_template(error: Exception) -> ValueError:
    return ValueError(f"llm_prompt is no template that can be filled in: {error}")
