"""Where Azure has OpenAI's models, as its own environment variables say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote

__all__ = ["AzureAccess"]


@dataclass(frozen=True, slots=True)
class AzureAccess:
    """A resource of Azure OpenAI, or of Foundry. `version` is the day its interface is of; empty for the lasting "v1".

    In the dated interface the deployment is part of the address, in "v1" it is the request's model.
    """

    endpoint: str
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # they hold the key

    @classmethod
    def told_by(cls, environment: Mapping[str, str]) -> Self | None:
        """By AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY (or AZURE_OPENAI_AD_TOKEN) and OPENAI_API_VERSION.

        None where OPENAI_BASE_URL or OPENAI_API_KEY is set: those who have set both mean the plain one.
        """
        endpoint = environment.get("AZURE_OPENAI_ENDPOINT", "").strip().rstrip("/")
        if not endpoint or environment.get("OPENAI_BASE_URL") or environment.get("OPENAI_API_KEY"):
            return None
        headers = {}
        if key := environment.get("AZURE_OPENAI_API_KEY", "").strip():
            headers["api-key"] = key
        elif token := environment.get("AZURE_OPENAI_AD_TOKEN", "").strip():
            headers["authorization"] = f"Bearer {token}"
        version = environment.get("OPENAI_API_VERSION", "").strip()
        return cls(endpoint.removesuffix("/v1").removesuffix("/openai"), "" if version == "v1" else version, headers)

    @property
    def is_by_deployment(self) -> bool:
        return bool(self.version)

    def base_url(self, deployment: str) -> str:
        if self.is_by_deployment:
            return f"{self.endpoint}/openai/deployments/{quote(deployment, safe='')}"
        return f"{self.endpoint}/openai/v1"

    @property
    def query(self) -> str:
        return f"?api-version={quote(self.version, safe='')}" if self.is_by_deployment else ""
