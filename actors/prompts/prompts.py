"""Prompts: the templates of what models are told, the packaged ones and one's own instead of some of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo

from ...engine.digest import versions_of
from ...engine.errors import PromptInvalid
from ..problem import problem
from .packaged import SUFFIX, packaged_names

__all__ = ["PACKAGED", "Prompts", "prompts_of", "with_versions"]

_RIVALS = (SUFFIX, ".jinja", ".jinja2", ".txt")  # endings of files that somebody may take for templates


@dataclass(frozen=True, eq=False)
class Prompts(Mapping[str, str]):
    """The user's own templates by name; what is not among them is as it comes with playact.

    Templates are in the language of Jinja2 and run in its sandbox; they can include and extend each other, and a
    packaged one as "default/NAME". A name that begins with "_" is for parts that only other templates use. What is
    filled in, be it a persona or a model's words, is text and never read as a template. What there is to fill in, each
    packaged one says at its beginning; `playact new --prompts FOLDER` writes them all out.

    Raises `PromptInvalid`, with the line, for a template that is none, for a name that nobody asks for, for what it
    wants filled in and nobody gives, and for what the sandbox would not let it do.
    """

    texts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, text in self.texts.items():
            if not isinstance(text, str):
                raise PromptInvalid(str(name), None, "is no text")
            if not name.startswith("_") and name not in packaged_names():
                raise PromptInvalid(name, None, _unknown_name(name))
        if self.texts:
            from .checking import check

            check(self)

    @classmethod
    def of(cls, source: str | Path | Mapping[str, str | Path], *, base: Path | None = None) -> Prompts:
        """A folder of files such as `persona_agent.j2`, or texts by name; in place of a text also a file that holds it.

        A string is taken for the name of a file when it is one word that ends with ".j2". Relative names are seen from
        `base`. All is read now. Raises `PromptInvalid`.
        """
        if isinstance(source, Prompts):
            return source
        base = base or Path()
        if isinstance(source, Mapping):
            return cls({name: _text(name, text, base) for name, text in source.items()})
        folder = base / source
        if not folder.is_dir():
            raise PromptInvalid(str(source), None, "is no folder of templates")
        files = sorted(file for file in folder.iterdir() if _is_meant(file))
        if not files:
            raise PromptInvalid(str(source), None, f"holds no templates; they are files such as persona_agent{SUFFIX}")
        for file in files:
            if file.suffix != SUFFIX:
                raise PromptInvalid(file.name, None, f"templates are files that end with {SUFFIX}; rename or remove it")
        return cls({file.stem: _read(file.stem, file) for file in files})

    @classmethod
    def of_run(cls, texts: Mapping[str, str]) -> Prompts:
        """Those of a simulation, which may have them out of a journal. Raises `PromptInvalid`."""
        if isinstance(texts, Prompts):
            return texts
        return _of_texts(tuple(texts.items())) if texts else PACKAGED

    def render(self, name: str, /, **values: object) -> str:
        """The template with its values filled in. Raises `PromptInvalid` with the line when that cannot be done."""
        from .sandbox import rendered

        return rendered(self, name, values)

    def over(self, others: Mapping[str, str]) -> Prompts:
        """These, and where they leave one out the others."""
        if not others or not self.texts:
            return Prompts.of_run(others) if others else self
        return _of_texts(tuple({**others, **self}.items()))

    @property
    def versions(self) -> dict[str, str]:
        """A fingerprint of each text, 12 hexadecimal digits."""
        return versions_of(self.texts)

    def __getitem__(self, name: str) -> str:
        return self.texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(frozenset(self.texts.items()))

    def __repr__(self) -> str:
        return f"<Prompts {', '.join(f'{name} {digits}' for name, digits in self.versions.items()) or 'packaged'}>"


PACKAGED = Prompts()


def prompts_of(value: Any, info: ValidationInfo) -> Prompts:
    """For fields of specifications: what `Prompts.of` takes, or None. Raises ValueError.

    What is read from a file looks for folders and files beside it, where the `context` of validation has its `folder`.
    """
    if isinstance(value, Prompts):
        return value
    if not isinstance(value, str | Path | Mapping | None):
        raise ValueError("prompts are a folder of templates, or texts or files by name")  # noqa: TRY004  # for pydantic
    try:
        return PACKAGED if value is None else Prompts.of(value, base=(info.context or {}).get("folder"))
    except PromptInvalid as error:
        raise problem(str(error), error.name) from error


def with_versions(header: dict[str, Any], own: Prompts) -> dict[str, Any]:
    """What is to stand at the head of a dialog, with the templates that are not those of the run."""
    return header if not own else {**header, "prompts": {**header.get("prompts", {}), **own.versions}}


@lru_cache(maxsize=256)
def _of_texts(texts: tuple[tuple[str, str], ...]) -> Prompts:
    return Prompts(dict(texts))


def _unknown_name(name: str) -> str:
    if close := get_close_matches(name, packaged_names(), 1):
        return f"nobody asks for it; did you mean {close[0]}?"
    return f"nobody asks for it; those there are: {', '.join(sorted(packaged_names()))}"


def _is_meant(file: Path) -> bool:
    """Whether a file of a folder is one of its templates, or somebody may believe so."""
    return not file.name.startswith(".") and (file.suffix.lower() in _RIVALS or file.stem in packaged_names())


def _text(name: str, text: object, base: Path) -> str:
    if isinstance(text, Path):
        return _read(name, base / text)
    if not isinstance(text, str):
        raise PromptInvalid(name, None, "is neither a text nor the name of a file that holds it")
    is_file = text.endswith(SUFFIX) and len(text.split()) == 1 and "{" not in text
    return _read(name, base / text) if is_file else text


def _read(name: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise PromptInvalid(name, None, f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PromptInvalid(name, None, f"{file} is not UTF-8 text") from error
