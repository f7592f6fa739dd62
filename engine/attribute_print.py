"""Attributes on a terminal. What models wrote is untrusted: it can neither move the cursor nor colour the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .transcript import plain, readable

if TYPE_CHECKING:
    from .attributes import AttributeModel

__all__ = ["print_class", "print_object"]


def print_class(kind: type[AttributeModel]) -> None:
    """The fields of a class, and what each means."""
    _print(kind, [(name, field.description or "") for name, field in kind.model_fields.items()])


def print_object(thing: AttributeModel) -> None:
    """Where it comes from, then its fields that say something."""
    from .attributes import in_words, words_of

    facts = [(words_of(name).capitalize(), in_words(value)) for name, value in thing.fields().items()]
    known = thing.metadata.model_dump(exclude={"className"}) if thing.has_metadata else {}
    facts = [(name, words) for name, words in facts if words]
    _print(type(thing), facts, [(name, readable(value)) for name, value in known.items() if value not in (None, "")])


def _print(kind: type, lines: list[tuple[str, str]], about: list[tuple[str, str]] | None = None) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    for name, text in about or ():
        console.print(Text(plain(f"{name}: {_on_a_line(text)}"), style="dim"))
    console.print(Text(f"--- {kind.__name__} ---", style="dim"))
    for name, text in lines:
        line = Text(plain(name), style="bold")
        line.append(f": {plain(_on_a_line(text))}" if text else "", style="not bold")
        console.print(line)
    console.print(Text(f"--- {len(lines)} fields ---", style="dim"))


def _on_a_line(text: str) -> str:
    return " ".join(text.split("\n"))
