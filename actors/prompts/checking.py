"""What can be told of a template before it is filled in: no template at all, unknown names, ways out of the sandbox."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from ...engine.errors import PromptInvalid
from .packaged import SUFFIX, packaged_names, variables_of
from .sandbox import DEFAULT, new_environment, reason_of

if TYPE_CHECKING:
    from .prompts import Prompts

__all__ = ["check", "hint"]

_INCLUDING = (nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)


def check(prompts: Prompts) -> None:
    """Raises `PromptInvalid` with the line. What only some values bring about is told when they are filled in."""
    trees = {name: _parsed(name, text) for name, text in prompts.texts.items()}
    handed_on = set().union(*map(_set_in, trees.values()))
    templates = {*prompts.texts, *packaged_names()}
    for name, tree in trees.items():
        known = [*_of_all(), *handed_on] if name.startswith("_") else variables_of(name)
        problems = (*_unknown_names(tree, known), *_private_parts(tree), *_unknown_templates(tree, templates))
        for line, reason in problems:
            raise PromptInvalid(name, line, reason)


def hint(name: str, known: Collection[str]) -> str:
    """Behind a name that is none: what was meant, or what there is."""
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(known) or 'nothing'}"


def _parsed(name: str, text: str) -> nodes.Template:
    environment = new_environment(lambda _: None)
    try:
        environment.compile(environment.parse(text, name), name)  # which changes the tree, and knows the filters
        return environment.parse(text, name)
    except TemplateSyntaxError as error:
        raise PromptInvalid(name, error.lineno, reason_of(error)) from error


def _of_all() -> Collection[str]:
    """For parts of other templates: what any of them can use."""
    return dict.fromkeys(variable for name in sorted(packaged_names()) for variable in variables_of(name))


def _set_in(tree: nodes.Template) -> set[str]:
    return {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}


def _unknown_names(tree: nodes.Template, known: Collection[str]) -> Iterator[tuple[int, str]]:
    """A block does not see that a name is set outside of it, and who asks whether one is defined may use it."""
    asked = {
        node.node.name
        for node in tree.find_all((nodes.Test, nodes.Filter))
        if node.name in ("defined", "undefined", "default", "d") and isinstance(node.node, nodes.Name)
    }
    unknown = find_undeclared_variables(tree) - _set_in(tree) - _imported(tree) - asked - set(known)
    for node in tree.find_all(nodes.Name):
        if node.name in unknown:
            yield node.lineno, f"'{node.name}' is undefined{hint(node.name, known)}"


def _imported(tree: nodes.Template) -> set[str]:
    several = (each for node in tree.find_all(nodes.FromImport) for each in node.names)
    return {node.target for node in tree.find_all(nodes.Import)} | {
        each if isinstance(each, str) else each[1] for each in several
    }


def _private_parts(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Filter)):
        for wanted in _wanted(node):
            if wanted.startswith("_"):
                yield node.lineno, f"access to attribute '{wanted}' is unsafe."


def _wanted(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Getattr):
        yield node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        yield node.arg.value
    elif isinstance(node, nodes.Filter) and node.name in ("attr", "map"):
        arguments = [*node.args, *(each.value for each in node.kwargs if each.key == "attribute")]
        yield from (each.value for each in arguments if isinstance(each, nodes.Const) and isinstance(each.value, str))


def _unknown_templates(tree: nodes.Template, known: Collection[str]) -> Iterator[tuple[int, str]]:
    for node in tree.find_all(_INCLUDING):
        wanted = getattr(node, "template", None)
        if not isinstance(wanted, nodes.Const) or getattr(node, "ignore_missing", False):
            continue
        for name in [wanted.value] if isinstance(wanted.value, str) else []:
            plain = name.removesuffix(SUFFIX)
            if plain.removeprefix(DEFAULT) not in (packaged_names() if plain.startswith(DEFAULT) else known):
                yield node.lineno, f"there is no template {name}"
