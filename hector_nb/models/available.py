"""The model of people who have configured none: the first that is there, the embedded one at last."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from hector_nb.config.schema import LLMConfig, Provider
from hector_nb.models.endpoints import ENDPOINTS, ollama_url

PROBE_TIMEOUT = 0.3
_HOSTED: tuple[Provider, ...] = ("openai", "anthropic", "google")
_NO_CHAT = ("embed", "bge-", "minilm", "rerank")


async def first_available(environ: Mapping[str, str]) -> LLMConfig:
    """A hosted model whose key is set, else one that a reachable Ollama has, else the embedded one. Takes at most a moment."""
    for provider in _HOSTED:
        if any(environ.get(name) for name in ENDPOINTS[provider].key_variables):
            return LLMConfig(provider=provider, model=ENDPOINTS[provider].default_model)
    model = await asyncio.to_thread(_ollama_model, ollama_url(environ))
    if model is not None:
        return LLMConfig(provider="ollama", model=model)
    return LLMConfig(provider="local")


def _ollama_model(url: str) -> str | None:
    """The chat model that Ollama lists first, which is the newest; None where there is no Ollama."""
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=PROBE_TIMEOUT)
    try:
        connection.request("GET", f"{parts.path}/api/tags")
        listed = json.loads(connection.getresponse().read())
        names = [model["name"] for model in listed["models"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    return next((name for name in names if not any(word in name.lower() for word in _NO_CHAT)), None)
