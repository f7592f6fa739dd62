"""Generators of objects that have attributes: by rules, by a language model, or by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, Unpack, overload

import anyio.to_thread
from pydantic import BaseModel

from ...engine.attribute_classes import class_named
from ...engine.attributes import AttributeModel
from ...engine.completion import Backend
from ...engine.dialog import Dialog
from ...engine.errors import GenerationIncomplete, JournalInvalid
from ...engine.metadata import Metadata
from ...engine.program.archive import dialogs_in
from ...engine.program.resumption import Changes, config_in
from ...engine.simulation import Simulation
from ..prompts import PACKAGED, Prompts
from .blueprint import Blueprint, attributes_of, refuse_unknown
from .commission import Commission
from .generation import Generation
from .options import GenerateOptions, RunOptions
from .population import Population
from .prompts import asking_for_all, check_template, instructions
from .sampling import model_entry, parameters_of

__all__ = ["AttributeModelGenerator", "BaseAttributeModelGenerator"]

T = TypeVar("T", bound=BaseModel)
_PARAMETERS = frozenset(
    ("given", "generated_attributes", "extra_instructions", "model", "system_prompt", "llm_prompt", "prompts")
)
_KEYS = _PARAMETERS | {"class", "rules", "model_parameters"}


class AttributeModelGenerator(Generic[T]):
    """Generates objects of a pydantic class.

    attribute_model: an object, whose fields that were given a value are kept as they are, or the class.
    generated_attributes: "all" has the model write whatever says nothing and has no rule; a list names what it is to
        write; a mapping is rules as in `set`, and nothing else is generated. What the object was given stays; what is
        only a default, such as a language, is replaced where it is named.
    given: values for all objects, as those of an object that `attribute_model` is.
    extra_instructions: said to the model besides. system_prompt, llm_prompt: instead of ours; the latter is a Jinja
        template, which may use `object`, `class_name` and `attributes_instructions`.
    prompts: templates instead of those of the simulation or of playact, see `Prompts`: a folder of them, or texts or
        files by name. A generator asks with `template`, NAME_short where the model is a small one, and
        `missing_attribute`, after NAME_system; where there is no persona_generator or context_generator,
        `attribute_generator` serves.
    model: "backend:model" or a Backend; None for that of the simulation.
    llm_kwargs: how it samples, as `temperature=1.0`, also what only its backend knows.

    Raises ValueError for an attribute that there is not, for what is no rule, and for a file of a rule that is not
    there or has nothing to choose from; `PromptInvalid` for a template that is none.
    """

    template: ClassVar[str] = "attribute_generator"
    default_system_prompt: ClassVar[str | None] = None  # for a subclass that does not say it in a template

    def __init__(
        self,
        attribute_model: T | type[T],
        generated_attributes: Literal["all"] | Sequence[str] | Mapping[str, Any] = "all",
        extra_instructions: str = "",
        model: str | Backend | None = None,
        system_prompt: str | None = None,
        llm_prompt: str | None = None,
        *,
        given: Mapping[str, Any] | None = None,
        prompts: Prompts | str | Path | Mapping[str, str | Path] | None = None,
        **llm_kwargs: Any,
    ) -> None:
        if "llm_prompt_n" in llm_kwargs:
            raise ValueError("a generator has no llm_prompt_n: it asks for each of several by itself; say llm_prompt=")
        kind = attribute_model if isinstance(attribute_model, type) else type(attribute_model)
        if not issubclass(kind, BaseModel):
            raise ValueError(f"attribute_model is an object or a class with attributes, not {attribute_model!r}")  # noqa: TRY004
        self._kind: type[T] = kind
        self._given = {**({} if isinstance(attribute_model, type) else _given(attribute_model)), **(given or {})}
        refuse_unknown(kind, self._given)
        self._rules: dict[str, Any] = {}
        self._by_model: list[str] = []
        system = system_prompt if system_prompt is not None else self.default_system_prompt
        extra = instructions(extra_instructions)
        if llm_prompt is not None:
            check_template(llm_prompt)
        self._blueprint = Blueprint(
            kind=kind,
            given=self._given,
            system_prompt=system if system is None or not extra else f"{system}\n{extra}",
            extra_instructions=extra if system is None else "",
            prompt=llm_prompt,
            template=self.template,
            prompts=PACKAGED if prompts is None else Prompts.of(prompts),
            model=model,
            model_parameters=parameters_of(llm_kwargs),
        )
        if isinstance(generated_attributes, Mapping):
            self.set(**generated_attributes)
            return
        if generated_attributes == "all":
            self._by_model = [name for name in attributes_of(kind) if _says_nothing(kind, name)]
        elif isinstance(generated_attributes, str):
            raise ValueError(f'generated_attributes is "all", names or rules by name, not {generated_attributes!r}')
        else:
            self._by_model = list(generated_attributes)
            refuse_unknown(kind, self._by_model)
        self.set()

    def set(self, **attributes: Any) -> Self:
        """Adds rules, by attribute; those set before stay, unless it is the same attribute. See `rules`."""
        refuse_unknown(self._kind, attributes)
        rules = {**self._rules, **attributes}
        wanted = {**dict.fromkeys(self._by_model, "*"), **rules}
        order = [name for name in attributes_of(self._kind) if name in wanted and name not in self._given]
        blueprint = replace(self._blueprint, rules={name: wanted[name] for name in order})
        blueprint.check()
        self._rules, self._blueprint = rules, blueprint
        return self

    def under(self, prompts: Prompts) -> Self:
        """Where it has no template of its own, these hold, before those of the run."""
        self._blueprint = replace(self._blueprint, prompts=self._blueprint.prompts.over(prompts))
        return self

    @property
    def blueprint(self) -> Blueprint:
        """What all objects are made from."""
        return self._blueprint

    def prompt(self) -> str:
        """What the model is asked, but for what rules decide."""
        blueprint = self._blueprint
        prompts, draft = blueprint.prompts, blueprint.draft({})
        wanted = {name: draft.hints[name] for name in draft.steps.by_model}
        asked = blueprint.prompt or asking_for_all(
            prompts, blueprint.template, blueprint.name, self._given, wanted, (), 0, is_small=False
        )
        return f"{blueprint.told(prompts)}\n\n{asked}"

    @overload
    async def generate(  # type: ignore[overload-overlap]  # one object or a list, as sdialog has it
        self,
        n: Literal[1] = 1,
        temperature: float | None = None,
        seed: int | None = None,
        id: int | str | None = None,
        parent_id: int | str | None = None,
        notes: str | None = None,
        max_attempts: int = 3,
        **options: Unpack[RunOptions],
    ) -> T: ...
    @overload
    async def generate(
        self,
        n: int | None,
        temperature: float | None = None,
        seed: int | None = None,
        id: int | str | None = None,
        parent_id: int | str | None = None,
        notes: str | None = None,
        max_attempts: int = 3,
        **options: Unpack[RunOptions],
    ) -> list[T]: ...
    async def generate(
        self,
        n: int | None = 1,
        temperature: float | None = None,
        seed: int | None = None,
        id: int | str | None = None,
        parent_id: int | str | None = None,
        notes: str | None = None,
        max_attempts: int = 3,
        **options: Unpack[RunOptions],
    ) -> T | list[T]:
        """One object, or a list of several, in the order of their numbers; `n=None` is what a population counts.

        See `GenerateOptions`. Raises `GenerationIncomplete`, which has what could be made, `SetupError` when the model
        or the journal cannot be used, and ValueError, also for more than a million.
        """
        said: GenerateOptions = {
            "temperature": temperature,
            "seed": seed,
            "id": id,
            "parent_id": parent_id,
            "notes": notes,
            "max_attempts": max_attempts,
            **options,
        }
        objects: list[T] = []
        try:
            async with self.stream(n, **said) as generation:
                async for each in generation:
                    objects.append(each)
        except GenerationIncomplete as error:
            raise GenerationIncomplete(tuple(objects), error.asked, error.short, error.reason) from None
        return objects[0] if n == 1 and options.get("population") is None else objects

    def stream(self, n: int | None = None, **options: Unpack[GenerateOptions]) -> Generation[T]:
        """As `generate`, one object after the other, as soon as it is its turn; see `Generation` and `GenerateOptions`.

        Memory grows with `n`: what each is to be is settled at the beginning, and what each says is kept, so that
        repeats are found, unless they are allowed.
        """
        simulation = options.get("simulation")
        commission = self._commission(n, options)
        own = partial(
            Simulation,
            model=options.get("model") or self._blueprint.model,
            concurrency=options.get("concurrency"),
            budget=options.get("budget"),
            prices=options.get("prices"),
            seed=options.get("seed"),
            journal=options.get("journal"),
            memo={"generation": commission.memo()} if options.get("journal") else None,
            opens_model=commission.asks,
        )
        return Generation(commission, partial(_finished, commission), simulation=simulation, own=own)

    @staticmethod
    async def resume(
        journal: str | Path,
        *,
        model: str | Backend | None = None,
        code: Sequence[object] = (),
        **changes: Unpack[Changes],
    ) -> Generation[Any]:
        """Goes on with a generation that was given a journal; hands out all of its objects, also those made before.

        `code`: the functions and classes of your own that its rules use. `changes`: as for `Simulation.resume`. Raises
        `JournalInvalid`, `CodeMissing`, and `SetupError` when the model is needed, or is not that of the run.
        """
        path = Path(journal)
        memo = config_in(path).get("memo", {}).get("generation")
        if memo is None:
            raise JournalInvalid(str(path), "holds no generation of its own; resume its run with Simulation.resume")
        commission = Commission.from_memo(memo, code)
        earlier = await anyio.to_thread.run_sync(lambda: {str(each.id): each for each in dialogs_in(path, code=code)})
        own = partial(Simulation.resume, path, model=model, code=code, **changes)
        return Generation(commission, partial(_finished, commission), own=own, earlier=earlier)

    @classmethod
    def family(cls) -> type[BaseModel]:
        """What the classes that a file may name extend."""
        return AttributeModel

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Out of plain data, such as a scenario file has; all keys may be left out.

        class: the name of the class. given: what all objects have. rules: as in `set`. generated_attributes,
        extra_instructions, model, system_prompt, llm_prompt, prompts: as in the constructor. model_parameters: how the
        model samples. Raises ValueError for what is none of this, and `SetupError` for a class that is not known.
        """
        unknown = sorted(set(content) - _KEYS)
        if unknown:
            raise ValueError(f"a generator has no {unknown[0]!r}; it has {', '.join(sorted(_KEYS))}")
        own = {name: content[name] for name in sorted(_PARAMETERS) if content.get(name) is not None}
        kind = (class_named(cls.family(), content["class"]),) if content.get("class") else ()
        make: Any = cls
        generator: Self = make(*kind, **own, **(content.get("model_parameters") or {}))
        return generator.set(**(content.get("rules") or {}))

    def _commission(self, n: int | None, options: GenerateOptions) -> Commission:
        population = options.get("population")
        if population is not None and not isinstance(population, Population):
            population = Population.from_dict(population)
        if population is not None and (n is None or (isinstance(n, int) and not isinstance(n, bool))):
            n = sum(population.counts(n if population.total is None or n != 1 else None))
        blueprint = self._blueprint
        if (temperature := options.get("temperature")) is not None:
            parameters = replace(blueprint.model_parameters, temperature=temperature)
            blueprint = replace(blueprint, model_parameters=parameters)
        # A run of its own is given the model itself, so that its journal need not know of another.
        model = (options.get("model") or blueprint.model) if options.get("simulation") else None
        attempts = options.get("max_attempts", 3)
        asks = bool(blueprint.draft({}).steps.by_model)
        return Commission(
            blueprint=replace(blueprint, model=model, max_attempts=attempts),
            n=1 if n is None else n,
            population=population,
            seed=options.get("seed"),
            attempts=attempts,
            repeats=options.get("repeats") or ("avoid" if asks else "allow"),
            id=options.get("id"),
            parent_id=options.get("parent_id"),
            notes=options.get("notes"),
        )


BaseAttributeModelGenerator = AttributeModelGenerator  # its name in sdialog


def _given(model: BaseModel) -> dict[str, Any]:
    """What an object was given; what says nothing is as if it was not."""
    names = [name for name in attributes_of(type(model)) if name in model.model_fields_set]
    said = [name for name in names if getattr(model, name) not in (None, "", [])]
    plain = model.model_dump(mode="json", include=set(said), by_alias=False)
    return {name: plain[name] for name in said}


def _says_nothing(kind: type[BaseModel], name: str) -> bool:
    """Whether an attribute has nothing in it that has been given no value."""
    field = kind.model_fields[name]
    return field.is_required() or (field.default_factory is None and field.default in (None, ""))


def _finished(commission: Commission, content: Mapping[str, Any], dialog: Dialog) -> Any:
    """The object, with where it comes from."""
    blueprint = commission.blueprint
    made = blueprint.kind.model_validate(dict(content), by_name=True)
    if not isinstance(made, AttributeModel):
        return made
    metadata = Metadata(
        version=dialog.version,
        timestamp=dialog.timestamp,
        model=model_entry(dialog.model, blueprint.model, blueprint.model_parameters) if commission.asks else None,
        seed=dialog.seed,
        id=dialog.id if commission.id is None else commission.id,
        parentId=commission.parent_id,
        className=blueprint.name,
        notes=commission.notes,
        **({"prompts": prompts} if (prompts := (dialog.model_extra or {}).get("prompts")) else {}),
    )
    return made.with_metadata(metadata)
