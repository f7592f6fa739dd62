"""Models of the Hugging Face kind inside this process: one running batch that dialogs join and leave."""

from __future__ import annotations

from .backend import HuggingFaceBackend

__all__ = ["HuggingFaceBackend"]
