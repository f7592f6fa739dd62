"""The services that the contract is held against, by name: each is a dialect over a local server."""

from __future__ import annotations

from collections.abc import Callable

from tests.servers.bedrock_dialect import BedrockDialect
from tests.servers.dialect import Dialect
from tests.servers.gemini_dialect import GeminiDialect
from tests.servers.ollama_dialect import OllamaDialect
from tests.servers.openai_dialect import OpenAIDialect

__all__ = ["DIALECTS"]

DIALECTS: dict[str, Callable[[], Dialect]] = {
    "openai": lambda: OpenAIDialect("fast"),
    "openai through its package": lambda: OpenAIDialect("sdk"),
    "google": GeminiDialect,
    "aws": BedrockDialect,
    "ollama": OllamaDialect,
}
