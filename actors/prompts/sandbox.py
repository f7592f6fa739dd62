"""Where templates of prompts run: Jinja2's sandbox, which reaches no file and no private part, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import TracebackType
from typing import TYPE_CHECKING

from jinja2 import FunctionLoader, StrictUndefined, Template, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ...engine.errors import PromptInvalid
from ...engine.wording import listed, sentences
from .packaged import SUFFIX, packaged_text, stands_for
from .wording import as_json, phrases, without, words_of

if TYPE_CHECKING:
    from .prompts import Prompts

__all__ = ["DEFAULT", "new_environment", "reason_of", "rendered"]

DEFAULT = "default/"  # before the name of a packaged template, where one's own has its name
_FILE = "<prompt {}>"  # what a template is called in a traceback
_Found = tuple[str, str, Callable[[], bool]]


def rendered(prompts: Prompts, name: str, values: Mapping[str, object]) -> str:
    """Raises `PromptInvalid` with the line for whatever goes wrong in a template."""
    try:
        return _template(prompts, name).render(values)
    except TemplateSyntaxError as error:
        raise PromptInvalid(error.name or name, error.lineno, reason_of(error)) from error
    except Exception as error:  # a template can fail in every way that an expression can
        where, line = _place(error.__traceback__, name)
        raise PromptInvalid(where, line, f"{reason_of(error)}{_hint(error, values)}") from error


def new_environment(find: Callable[[str], _Found | None]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(find),
        undefined=StrictUndefined,
        autoescape=False,  # what is made is no HTML
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals = {"range": environment.globals["range"], "sentences": sentences}
    own = {"json": as_json, "listed": listed, "phrases": phrases, "without": without, "words": words_of}
    environment.filters |= own
    del environment.filters["random"]  # chance without a seed, so that no dialog would repeat
    return environment


def reason_of(error: Exception) -> str:
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    return " ".join(str(error.message if isinstance(error, TemplateSyntaxError) else error).split())


@lru_cache(maxsize=1024)
def _template(prompts: Prompts, name: str) -> Template:
    template = _environment(prompts).get_template(name)
    template.globals = dict(template.globals)  # Jinja's chain of maps costs each rendering more than a short prompt
    return template


@lru_cache(maxsize=64)
def _environment(prompts: Prompts) -> ImmutableSandboxedEnvironment:
    return new_environment(partial(_find, prompts))


def _find(prompts: Prompts, name: str) -> _Found | None:
    wanted = name.removesuffix(SUFFIX)
    own = None if wanted.startswith(DEFAULT) else prompts.texts.get(wanted, prompts.texts.get(stands_for(wanted)))
    try:
        text = packaged_text(wanted.removeprefix(DEFAULT)) if own is None else own
    except KeyError:
        return None
    return text, _FILE.format(wanted), lambda: True


def _hint(error: Exception, values: Mapping[str, object]) -> str:
    """Of a name that is not defined: what was meant, or what there is."""
    from .checking import hint

    name = str(error).partition("'")[2].partition("' is undefined")[0]
    return "" if f"'{name}' is undefined" != str(error) else hint(name, values.keys())


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
