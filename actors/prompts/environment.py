"""Where templates of prompts run: Jinja2's sandbox, which reaches no file and no private part, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from types import TracebackType

from jinja2 import FunctionLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ...engine.errors import PromptInvalid
from ...engine.wording import listed, sentences
from .prompts import SUFFIX, Prompts, packaged_text

__all__ = ["check", "rendered"]

_DEFAULT = "default/"
_FILE = "<prompt {}>"  # what a template is called in a traceback
_Found = tuple[str, str, Callable[[], bool]]


def check(name: str, text: str) -> None:
    """Raises `PromptInvalid` when the text is no template."""
    try:
        _new_environment(lambda _: None).parse(text, name)
    except TemplateSyntaxError as error:
        raise PromptInvalid(name, error.lineno, _reason(error)) from error


def rendered(prompts: Prompts, name: str, values: Mapping[str, object]) -> str:
    """Raises `PromptInvalid` with the line for whatever goes wrong in a template."""
    try:
        return _environment(prompts).get_template(name).render(values)
    except TemplateSyntaxError as error:
        raise PromptInvalid(error.name or name, error.lineno, _reason(error)) from error
    except Exception as error:  # a template can fail in every way that an expression can
        where, line = _place(error.__traceback__, name)
        raise PromptInvalid(where, line, f"{_reason(error)}{_hint(error, values)}") from error


@lru_cache(maxsize=64)
def _environment(prompts: Prompts) -> ImmutableSandboxedEnvironment:
    return _new_environment(partial(_find, prompts))


def _new_environment(find: Callable[[str], _Found | None]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(find),
        undefined=StrictUndefined,
        autoescape=False,  # what is made is no HTML
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals = {"range": environment.globals["range"], "sentences": sentences}
    environment.filters |= {"listed": listed, "without": _without}
    return environment


def _without(facts: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in facts.items() if name not in names}


def _find(prompts: Prompts, name: str) -> _Found | None:
    wanted = name.removesuffix(SUFFIX)
    try:
        text = packaged_text(wanted.removeprefix(_DEFAULT)) if wanted.startswith(_DEFAULT) else None
        text = text or prompts.texts.get(wanted) or packaged_text(wanted)
    except KeyError:
        return None
    return text, _FILE.format(wanted), lambda: True


def _reason(error: Exception) -> str:
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    return " ".join(str(error.message if isinstance(error, TemplateSyntaxError) else error).split())


def _hint(error: Exception, values: Mapping[str, object]) -> str:
    """Of a name that is not defined: what was meant, or what there is."""
    name = str(error).partition("'")[2].partition("' is undefined")[0]
    if f"'{name}' is undefined" != str(error):
        return ""
    close = get_close_matches(name, values, 1)
    return f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(values)}"


def _place(traceback: TracebackType | None, name: str) -> tuple[str, int | None]:
    """The template, and its line, that the innermost frame of a template is in."""
    place: tuple[str, int | None] = (name, None)
    prefix, suffix = _FILE.split("{}")
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.startswith(prefix) and file.endswith(suffix):
            place = (file.removeprefix(prefix).removesuffix(suffix), traceback.tb_lineno)
        traceback = traceback.tb_next
    return place
