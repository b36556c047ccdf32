"""One provider's client in `pydantic-ai-slim`: settings and requests go in, deltas or `Failed` come out.

Imported by `providers.py` when it is first needed. The SDK's own retries are off: what is repeated, and when, is decided in one place.
"""

import logging
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, cast

from httpx2 import AsyncClient
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings

from hector_nb.errors import ModelError
from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import Usage
from hector_nb.models.base import ModelDelta, ModelFinish, ModelFinished, ModelRequest
from hector_nb.models.provider_errors import Failed
from hector_nb.models.pydantic_errors import translated
from hector_nb.models.pydantic_http import closing_responses, noting, open_http
from hector_nb.models.pydantic_messages import asked, called, called_before, kept, offered

if TYPE_CHECKING:
    from hector_nb.models.providers import ProviderModel

_log = logging.getLogger("hector_nb.models")
_FINISH: dict[str, ModelFinish] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_call": "tool_calls",
}


class PydanticClient:
    """Connections to one provider, and the settings of one model there."""

    def __init__(self, owner: "ProviderModel") -> None:
        self._words = owner.words
        self._timeout = owner.timeout
        self._name = owner.provider
        self._http = open_http(owner.timeout)
        self._model = _model(owner, self._http)
        self._settings = _settings(owner, self._model)

    async def answer(self, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """One try.

        Raises:
            Failed: no answer, or its end is missing.
        """
        spoke = False
        try:
            async with closing_responses() as responses, AsyncExitStack() as stack:
                with noting(responses):
                    stream = await stack.enter_async_context(self._ask(request))
                async for event in stream:
                    for delta in _deltas(event):
                        spoke = True
                        yield delta
                for delta in self._end(stream, spoke=spoke):
                    yield delta
        except Failed:
            raise
        except Exception as error:  # SDKs raise what they like; none of it goes further than this
            raise translated(error, self._words, silence=self._timeout, spoke=spoke) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _ask(self, request: ModelRequest) -> AbstractAsyncContextManager[StreamedResponse]:
        tools, settings = offered(request.tools), self._settings
        if not tools and (tools := called_before(request.messages)):
            settings = {**settings, "tool_choice": "none"}
        return model_request_stream(
            self._model,
            asked(request, by=self._name),
            model_settings=settings,
            model_request_parameters=ModelRequestParameters(function_tools=tools),
            instrument=False,
        )

    def _end(self, stream: StreamedResponse, *, spoke: bool) -> Iterator[ModelDelta]:
        """The calls, now whole, and the end with what the provider wants back."""
        if stream.finish_reason is None:
            raise self._words.cut(spoke=spoke)
        reason = _FINISH.get(stream.finish_reason)
        if reason is None:
            said = str((stream.provider_details or {}).get("finish_reason") or stream.finish_reason)
            raise Failed(
                ModelError(f"`{self._words.host}` broke its answer off: {self._words.scrub(said)}"), transient=not spoke
            )
        response = stream.get()
        calls = called(response, cut=reason == "length")
        yield from calls
        yield ModelFinished(
            finish_reason="tool_calls" if calls and reason == "stop" else reason,
            usage=_usage(stream),
            provider_state=kept(response, by=self._name),
        )


def _deltas(event: ModelResponseStreamEvent) -> Iterator[ModelDelta]:
    match event:
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) | PartStartEvent(part=TextPart(content=text)):
            if text:
                yield TextDelta(text=text)
        case (
            PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text))
            | PartStartEvent(part=ThinkingPart(content=text))
        ):
            if text:
                yield ThinkingDelta(text=text)


def _usage(stream: StreamedResponse) -> Usage | None:
    usage = stream.usage
    if not usage.input_tokens and not usage.output_tokens:
        return None
    return Usage(prompt_tokens=usage.input_tokens, completion_tokens=usage.output_tokens)


def _model(owner: "ProviderModel", http: AsyncClient) -> Model:
    """The model; it takes no address and no key from the environment."""
    if owner.provider == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        claude = AnthropicProvider(api_key=owner.api_key, base_url=owner.base_url, http_client=http)
        return AnthropicModel(owner.name, provider=claude)
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    gemini = GoogleProvider(api_key=owner.api_key, base_url=owner.base_url, http_client=http)
    return GoogleModel(owner.name, provider=gemini)


def _settings(owner: "ProviderModel", model: Model) -> ModelSettings:
    profile: Mapping[str, object] = {**model.profile}
    settings: dict[str, Any] = {"timeout": owner.timeout, "max_retries": 0}
    if owner.thinking is not None:
        settings["thinking"] = owner.thinking
    if owner.temperature is not None:
        if profile.get("anthropic_disallows_sampling_settings"):
            _log.warning("`%s` takes no `temperature`; it is left out.", owner.name)
        else:
            settings["temperature"] = owner.temperature
    if owner.longest_answer is not None:
        settings["max_tokens"] = owner.longest_answer
    if owner.provider == "anthropic" and owner.thinking:
        settings |= _claude_thinking(owner, adaptive=bool(profile.get("anthropic_supports_adaptive_thinking")))
    return cast("ModelSettings", settings)


def _claude_thinking(owner: "ProviderModel", *, adaptive: bool) -> dict[str, Any]:
    """Newer models show their thinking on request only; older ones take a budget, which their `max_tokens` must hold besides the answer."""
    if adaptive:
        return {"anthropic_thinking": {"type": "adaptive", "display": "summarized"}}
    from pydantic_ai.profiles.anthropic import ANTHROPIC_THINKING_BUDGET_MAP

    budget = ANTHROPIC_THINKING_BUDGET_MAP[owner.thinking or True]
    return {} if owner.longest_answer is None else {"max_tokens": owner.longest_answer + budget}
