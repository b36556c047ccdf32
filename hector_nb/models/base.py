"""The port to language models: a request goes in, deltas come out.

Adapters turn vendor errors into `hector_nb.errors.ModelError` and its children, and close the request to the provider when
the iterator is closed or its task is cancelled.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from hector_nb.events import TextDelta, ThinkingDelta
from hector_nb.messages import Message, ToolCall, ToolSchema, Usage

ModelFinish = Literal["stop", "length", "content_filter", "tool_calls"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """All that the model sees. `messages` are oldest first and end with what is to be answered."""

    system: str
    messages: Sequence[Message]
    tools: Sequence[ToolSchema] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFinished:
    """The model has said everything. `usage` is None where the provider reported none.

    `provider_state` belongs into the `Message` that keeps this answer: some providers refuse the results of calls without it.
    """

    finish_reason: ModelFinish
    usage: Usage | None = None
    provider_state: Mapping[str, Any] | None = None


ModelDelta: TypeAlias = TextDelta | ThinkingDelta | ToolCall | ModelFinished


class Model(Protocol):
    """A language model.

    `name` is what people read, `host` where the text goes (None: it stays in this process). `context_window` is
    in tokens, `max_tokens` the reserve for the answer. `encoding` names the tiktoken encoding of its vocabulary if there is one.
    """

    name: str
    host: str | None
    context_window: int
    max_tokens: int
    encoding: str | None

    @property
    def can_call_tools(self) -> bool:
        """Whether requests may hold tools; a model that is known not to be able to call them refuses such requests, and says so."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta]:
        """The answer as it is generated: text, thinking and whole tool calls, then exactly one `ModelFinished`.

        Raises:
            ModelError: the model failed; nothing follows.
        """
        ...

    async def aclose(self) -> None:
        """Free what the model holds."""
        ...
