"""The model of an `llms` entry."""

from collections.abc import Mapping
from pathlib import Path

from hector_nb.config.home import cache_folder
from hector_nb.config.schema import LLMConfig
from hector_nb.models.base import Model


def make_model(llm: LLMConfig, *, environ: Mapping[str, str], folder: Path) -> Model:
    """The adapter for a provider; `folder` is what relative paths start from."""
    from hector_nb.models.providers import ProviderModel, speaks_natively

    match llm.provider:
        case "local":
            from hector_nb.models.local import LocalModel

            return LocalModel.from_config(llm, folder=folder, cache_folder=cache_folder())
        case "scripted":
            from hector_nb.models.scripted import ScriptedModel

            return ScriptedModel.from_config(llm, folder=folder)
        case "anthropic" | "google" if speaks_natively(llm):
            return ProviderModel.from_config(llm, environ=environ)
        case _:
            from hector_nb.models.openai_compatible import OpenAICompatibleModel

            return OpenAICompatibleModel.from_config(llm, environ=environ)


async def first_available(environ: Mapping[str, str]) -> LLMConfig:
    """The model of agents that name none."""
    from hector_nb.models.available import first_available

    return await first_available(environ)
