"""What users of sdialog know by name is here under that name, with its parameters and their defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from playact import actors, engine
from playact.actors import Agent, Conversation, generators, orchestrators, personas
from playact.actors.generators.options import GenerateOptions
from playact.engine import AttributeModel, Dialog, Event, Instruction, Metadata, Turn

# As sdialog 0.5.3 declares them. Not here: what is told by its name here (tests/actors/test_agents.py), and texts of
# instructions, which are in our own words.
PARAMETERS: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (Dialog.lower, {"in_place": True}),
    (Dialog.upper, {"in_place": True}),
    (Dialog.title, {"in_place": True}),
    (Dialog.capitalize, {"in_place": True}),
    (Dialog.strip, {"chars": None, "in_place": True}),
    (Dialog.replace, {"old": ..., "new": ..., "count": -1, "in_place": True}),
    (Dialog.re_sub, {"pattern": ..., "repl": ..., "count": 0, "flags": 0, "in_place": True}),
    (Dialog.length, {"mode": "words", "words_per_minute": 130}),
    (Dialog.clone, {"new_id": None}),
    (Dialog.description, {"turn_template": None}),
    (Dialog.prompt, {}),
    (Dialog.json, {"string": False, "indent": 2, "ensure_ascii": False}),
    (Dialog.print, {"scenario": False, "orchestration": False, "think": False, "all": False}),
    (Dialog.rename_speaker, {"old_name": ..., "new_name": ..., "case_sensitive": False, "in_events": True}),
    (Dialog.get_speakers, {"keep_case": True}),
    (Dialog.filter, {"speaker": ...}),
    *(
        (write, {"path": None, "type": "auto", "makedir": True, "overwrite": True, "ensure_ascii": False})
        for write in (Dialog.to_file, Dialog.save)
    ),
    *(
        (
            read,
            {
                "path": ...,
                "type": "auto",
                "txt_template": "{speaker}: {text}",
                "csv_speaker_col": "speaker",
                "csv_text_col": "text",
                "collapse_consecutive_speakers": False,
                "collapse_separator": "\n",
            },
        )
        for read in (Dialog.from_file, Dialog.open, Dialog.load, Dialog.from_folder, Dialog.load_folder)
    ),
    (
        Dialog.from_huggingface,
        {"repo_id": ..., "local_dir": None, "collapse_consecutive_speakers": False, "collapse_separator": "\n"},
    ),
    (
        Dialog.from_str,
        {"dialog_text": ..., "template": "{speaker}: {text}", "default_speakers": None, "id": None},
    ),
    (Dialog.from_dict, {"data": ...}),
    (Dialog.from_json, {"json_str": ...}),
    (Turn, {"speaker": None, "text": ...}),
    (Event, {"agent": None, "action": ..., "actionLabel": None, "content": ..., "timestamp": ...}),
    (Instruction, {"text": ..., "events": None}),
    (AttributeModel.attributes, {"print": False}),
    (AttributeModel.clone, {"new_id": None}),
    (AttributeModel.json, {"string": False, "indent": 2, "output_metadata": True}),
    (AttributeModel.to_file, {"path": ..., "makedir": True}),
    (AttributeModel.from_file, {"path": ..., "object_class": None}),
    (AttributeModel.from_dict, {"data": ..., "object_class": None}),
    (AttributeModel.from_json, {"json_str": ..., "object_class": None}),
    (
        Agent,
        {
            "persona": None,
            "name": None,
            "context": None,
            "first_utterance": (),
            "dialogue_details": "",
            "response_details": None,
            "example_dialogs": (),
            "tools": (),
            "think": False,
            "thinking_pattern": "<think>(.*?)</think>",
            "can_finish": True,
            "orchestrators": (),
            "system_prompt": None,
            "model": None,
        },
    ),
    (
        Agent.dialog_with,
        {
            "context": None,
            "example_dialogs": None,
            "scenario": None,
            "max_turns": 100,
            "id": None,
            "parent_id": None,
            "seed": None,
            "notes": None,
        },
    ),
    (Agent.__call__, {"utterance": "", "return_events": False}),
    (Agent.json, {"string": False}),
    (Conversation.__call__, {"utterance": "", "return_events": False}),
    (Conversation.instruct, {"persist": False}),
    (Conversation.reset, {"seed": None, "context": None, "example_dialogs": None}),
    (
        orchestrators.BaseOrchestrator,
        {"target_agent": None, "persistent": None, "event_label": None},
    ),
    (orchestrators.BaseOrchestrator.instruct, {"dialog": ..., "utterance": ...}),
    (orchestrators.BaseOrchestrator.set_persistent, {"value": ...}),
    (orchestrators.BaseOrchestrator.json, {"string": False, "indent": None}),
    (
        orchestrators.SimpleReflexOrchestrator,
        {"condition": ..., "instruction": ..., "persistent": False, "event_label": None},
    ),
    (orchestrators.LengthOrchestrator, {"min": None, "max": None, "persistent": False, "event_label": None}),
    (
        orchestrators.ChangeMindOrchestrator,
        {"probability": 0.3, "reasons": (), "max_times": 1, "persistent": False, "event_label": None},
    ),
    (orchestrators.SimpleResponseOrchestrator, {"responses": ..., "graph": None, "top_k": 5}),
    (orchestrators.InstructionListOrchestrator, {"instructions": ..., "persistent": False}),
    (
        generators.BaseAttributeModelGenerator,
        {
            "attribute_model": ...,
            "generated_attributes": "all",
            "extra_instructions": "",
            "model": None,
            "system_prompt": None,
            "llm_prompt": None,
        },
    ),
    (
        generators.PersonaGenerator,
        {"generated_attributes": "all", "extra_instructions": "Attributes must be in English", "model": None},
    ),
    (
        generators.ContextGenerator,
        {"generated_attributes": "all", "extra_instructions": "Attributes must be in English", "model": None},
    ),
    (
        generators.DialogGenerator,
        {
            "dialogue_details": ...,
            "context": None,
            "example_dialogs": None,
            "scenario": None,
            "personas": None,
            "output_format": generators.LLMDialogOutput,
            "model": None,
        },
    ),
    (
        generators.DialogGenerator.generate,
        {
            "dialogue_details": None,
            "context": None,
            "example_dialogs": None,
            "scenario": None,
            "seed": None,
            "id": None,
            "parent_id": None,
            "notes": None,
        },
    ),
    (
        generators.PersonaDialogGenerator,
        {
            "persona_a": ...,
            "persona_b": ...,
            "speaker_a": "SPEAKER_A",
            "speaker_b": "SPEAKER_B",
            "context": None,
            "example_dialogs": None,
            "dialogue_details": "",
            "response_details": "",
            "scenario": None,
            "model": None,
        },
    ),
    (
        generators.PersonaDialogGenerator.generate,
        {
            "context": None,
            "example_dialogs": None,
            "scenario": None,
            "seed": None,
            "id": None,
            "parent_id": None,
            "max_turns": 200,
            "notes": None,
        },
    ),
    (generators.Paraphraser, {"target_speaker": None, "turn_by_turn": False, "model": None}),
    (
        generators.Paraphraser.__call__,
        {"dialog": ..., "target_speaker": None, "raise_on_validation_failure": True, "seed": None},
    ),
]


@pytest.mark.parametrize(("function", "expected"), PARAMETERS, ids=lambda value: getattr(value, "__qualname__", ""))
def test_parameters_have_their_names_and_defaults(function: Callable[..., Any], expected: dict[str, Any]) -> None:
    ours = inspect.signature(function).parameters

    missing = expected.keys() - ours.keys()
    assert not missing
    for name, default in expected.items():
        if name != "response_details":  # a text
            assert ours[name].default == (inspect.Parameter.empty if default is ... else default), name


def test_a_generation_has_the_options_and_the_defaults() -> None:
    options = GenerateOptions.__annotations__

    assert {"temperature", "seed", "id", "parent_id", "notes", "max_attempts"} <= options.keys()
    assert inspect.signature(generators.PersonaGenerator.generate).parameters["n"].default == 1


def test_the_keys_of_metadata_are_there_in_their_order() -> None:
    assert list(Metadata.model_fields) == [
        "version",
        "timestamp",
        "model",
        "seed",
        "id",
        "parentId",
        "className",
        "notes",
    ]


def test_classes_go_by_their_names() -> None:
    core = "Dialog Turn Event Instruction Context Metadata BaseAttributeModel"
    assert set(core.split()) <= set(engine.__all__)
    assert set(orchestrators.__all__) & set(actors.__all__) >= {
        "BaseOrchestrator",
        "BasePersistentOrchestrator",
        "SimpleReflexOrchestrator",
        "LengthOrchestrator",
        "ChangeMindOrchestrator",
        "SimpleResponseOrchestrator",
        "InstructionListOrchestrator",
    }
    assert {"Agent", "BasePersona", "final_response_tool"} <= set(actors.__all__)
    people = [name for name in personas.__all__ if name in actors.__all__]
    assert len(people) == 36  # of sdialog 35, and BasePersona
    methods = "get_event_label get_target_agent is_persistent agent_response_lookahead reset instruct"
    assert all(hasattr(orchestrators.BaseOrchestrator, name) for name in methods.split())
    methods = "talk_with dialog_with get_name prompt json __or__"
    assert all(hasattr(Agent, name) for name in methods.split())
