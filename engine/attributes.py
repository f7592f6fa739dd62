"""What has attributes and nothing else, such as a persona: it can be listed, cloned, shown, written and read again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, overload
from uuid import NAMESPACE_OID, uuid4, uuid5

from pydantic import BaseModel, ConfigDict

from .attribute_classes import class_named
from .attribute_text import as_text, made_from
from .errors import FileInvalid
from .metadata import Metadata
from .whole_file import write_whole

__all__ = ["METADATA", "AttributeModel", "BaseAttributeModel", "in_words", "words_of"]

Model = TypeVar("Model", bound="AttributeModel")

METADATA = "_metadata"  # the key in files
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z_\W]+")


class AttributeModel(BaseModel):
    """The base of personas and of whatever else is described by attributes; subclass it to add your own.

    An object never changes. Where it comes from, its `metadata`, takes no part in comparing it, nor in prompts.
    Raises pydantic's `ValidationError`, a ValueError, for a field that does not exist or a value that does not fit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    # A slot, not a private attribute of pydantic's, which takes part in `==` and costs each object a dictionary.
    __slots__ = ("_stamp",)

    @overload
    @classmethod
    def attributes(cls, print: Literal[False] = False) -> list[str]: ...
    @overload
    @classmethod
    def attributes(cls, print: Literal[True]) -> None: ...
    @classmethod
    def attributes(cls, print: bool = False) -> list[str] | None:
        """The names of the fields, in the order of their declaration; or prints them, with what each means."""
        if not print:
            return list(cls.model_fields)
        from .attribute_print import print_class

        print_class(cls)
        return None

    @property
    def metadata(self) -> Metadata:
        """Where it comes from. What nobody has said anything of has an id all the same, made of what it says."""
        stamp: Metadata | None = getattr(self, "_stamp", None)
        return stamp or Metadata(id=self._content_id(), className=type(self).__name__)

    @property
    def has_metadata(self) -> bool:
        """Whether it was generated, cloned or read from a file, or was given metadata otherwise."""
        return getattr(self, "_stamp", None) is not None

    def with_metadata(self, metadata: Metadata | None) -> Self:
        """The same, said to come from there."""
        copy = self.model_copy()
        object.__setattr__(copy, "_stamp", metadata)
        return copy

    def clone(self, new_id: int | str | None = None, **overrides: Any) -> Self:
        """A deep copy with other values for some fields, and an id of its own; its `parentId` is this one's id.

        All that is empty stays so. The whole is checked again: raises pydantic's `ValidationError`, a ValueError.
        """
        values = dict(self.model_copy(deep=True)) | overrides
        copy = type(self).model_validate(values, by_name=True)
        copy.model_fields_set.intersection_update(self.model_fields_set | overrides.keys())
        origin = self.metadata
        known = origin.model_dump(exclude_none=True) | {"id": str(uuid4()) if new_id is None else new_id}
        return copy.with_metadata(Metadata.stamped(**known | {"parentId": origin.id}))

    def fields(self) -> dict[str, Any]:
        """The fields that say something, in the order of their declaration."""
        return {name: value for name, value in self._plain().items() if value not in (None, "")}

    @overload  # type: ignore[override]  # sdialog's method; pydantic's of this name is deprecated
    def json(
        self, string: Literal[False] = False, indent: int | None = 2, output_metadata: bool = True
    ) -> dict[str, Any]: ...
    @overload
    def json(self, string: Literal[True], indent: int | None = 2, output_metadata: bool = True) -> str: ...
    def json(self, string: bool = False, indent: int | None = 2, output_metadata: bool = True) -> dict[str, Any] | str:
        """The object as its file has it, or that as text: fields that say something or are not at their default.

        A value that no JSON can say becomes its text, and nothing around it.
        """
        content = self._content()
        if output_metadata and self.has_metadata:
            content[METADATA] = _origin(self, self.metadata)
        return as_text(content, indent) if string else content

    def prompt(self) -> str:
        """Its fields as indented JSON, without metadata."""
        return self.json(string=True, output_metadata=False)

    def description(self) -> str:
        """A line for each field that says something, "* Years of experience: 12"."""
        facts = ((words_of(name).capitalize(), in_words(value)) for name, value in self.fields().items())
        return "\n".join(f"* {name}: {words}" for name, words in facts if words)

    def __str__(self) -> str:
        return self.description()

    def print(self) -> None:
        """Prints it for reading, and where it comes from."""
        from .attribute_print import print_object

        print_object(self)

    def to_file(self, path: str | Path, makedir: bool = True) -> None:
        """Writes it as JSON, in UTF-8, with its metadata; never half a file. `makedir` makes the folder, too.

        Raises OSError when it cannot be written.
        """
        metadata = self.metadata
        if not self.has_metadata:
            metadata = Metadata.stamped(**metadata.model_dump(exclude_none=True))
        content = self._content() | {METADATA: _origin(self, metadata)}
        write_whole(Path(path), as_text(content, 2), makes_folder=makedir)

    @overload
    @classmethod
    def from_file(cls, path: str | Path, object_class: None = None) -> Self: ...
    @overload
    @classmethod
    def from_file(cls, path: str | Path, object_class: type[Model]) -> Model: ...
    @classmethod
    def from_file(cls, path: str | Path, object_class: type[Model] | None = None) -> Self | Model:
        """Reads what `to_file` and sdialog write; see `from_dict`. Raises `FileInvalid` for all that is wrong."""
        try:
            text = Path(path).read_text(encoding="utf-8-sig")  # some editors put a mark of byte order first
        except OSError as error:
            raise FileInvalid(str(path), None, f"cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise FileInvalid(str(path), None, "is not UTF-8 text") from error
        return made_from(text, str(path), partial(cls.from_dict, object_class=object_class))

    @overload
    @classmethod
    def from_json(cls, json_str: str, object_class: None = None) -> Self: ...
    @overload
    @classmethod
    def from_json(cls, json_str: str, object_class: type[Model]) -> Model: ...
    @classmethod
    def from_json(cls, json_str: str, object_class: type[Model] | None = None) -> Self | Model:
        """As `from_dict`, from text. Raises `FileInvalid` for all that is wrong."""
        return made_from(json_str, "JSON", partial(cls.from_dict, object_class=object_class))

    @overload
    @classmethod
    def from_dict(cls, data: Mapping[str, Any], object_class: None = None) -> Self: ...
    @overload
    @classmethod
    def from_dict(cls, data: Mapping[str, Any], object_class: type[Model]) -> Model: ...
    @classmethod
    def from_dict(cls, data: Mapping[str, Any], object_class: type[Model] | None = None) -> Self | Model:
        """An object of the class that the data's `_metadata` names, or of `object_class`, which must be imported.

        `AttributeModel` reads any class, `Doctor` a Doctor or what extends it; without `_metadata` it takes the data
        for one of its own. The data are left as they are. Raises `SetupError` where the class is none or is not clear,
        and pydantic's `ValidationError`, a ValueError, when the data do not fit it.
        """
        content = {name: value for name, value in data.items() if name != METADATA}
        metadata = None if data.get(METADATA) is None else Metadata.model_validate(data[METADATA])
        if object_class is not None:
            return object_class.model_validate(content).with_metadata(metadata)
        kind = class_named(cls, None if metadata is None else metadata.className)
        return kind.model_validate(content).with_metadata(metadata)

    def _plain(self, **how: Any) -> dict[str, Any]:
        """Its fields as pydantic writes them; a context has its metadata among them, which do not belong there."""
        return {name: value for name, value in self.model_dump(**how).items() if name != METADATA}

    def _content(self) -> dict[str, Any]:
        content = self._plain(mode="json", by_alias=True, fallback=str)
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            is_empty = value is None or (type(value) is str and not value)
            if is_empty and type(field.default) is type(value) and not field.default_factory and not field.default:
                content.pop(field.serialization_alias or name, None)
        return content

    def _content_id(self) -> str:
        said = [type(self).__name__, self._plain(mode="json", fallback=str)]
        return str(uuid5(NAMESPACE_OID, json.dumps(said, sort_keys=True)))

    def __copy__(self) -> Self:
        return _carry(self, super().__copy__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return _carry(self, super().__deepcopy__(memo))

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), "_stamp": getattr(self, "_stamp", None)}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        object.__setattr__(self, "_stamp", state.get("_stamp"))


BaseAttributeModel = AttributeModel  # its name in sdialog


def words_of(name: str) -> str:
    """A name of code in words: `years_of_experience`, and `ITSupportSpecialist`, "IT support specialist"."""
    words = _WORDS.findall(name)
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)


def in_words(value: object) -> str:
    """A value as a line has it; what a list holds is joined by semicolons."""
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _origin(thing: AttributeModel, metadata: Metadata) -> dict[str, Any]:
    """The class is the object's own, whatever it was read as or made from."""
    return metadata.model_dump(mode="json", fallback=str) | {"className": type(thing).__name__}


def _carry(origin: AttributeModel, copy: Model) -> Model:
    object.__setattr__(copy, "_stamp", getattr(origin, "_stamp", None))
    return copy
