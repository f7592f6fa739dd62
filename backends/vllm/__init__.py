"""vLLM inside the process: continuous batching, a prefix cache, and its own order among requests."""

from .backend import VLLMBackend

__all__ = ["VLLMBackend"]
