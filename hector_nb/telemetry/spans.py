"""OpenTelemetry spans with the names of the GenAI semantic conventions, where the API is installed (extra `otel`).

    invoke_agent {agent}           one turn; its parent is the caller's `traceparent`, or the span that is current in process
      chat {model}                 one request to the model
      execute_tool {tool}          one call; the turn of an agent that is called so lies inside

They hold names, ids, counts of tokens and error codes. Prompts, answers, arguments and outputs are not among them.
"""

from collections.abc import Sequence
from contextvars import Token

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from hector_nb._version import __version__
from hector_nb.messages import Usage
from hector_nb.telemetry.base import Outcome, Telemetry, TurnFacts, TurnTelemetry

_PROVIDERS = {"google": "gcp.gemini"}
"""Where the conventions have another name for a provider than the configuration."""
_W3C = TraceContextTextMapPropagator()


class Spans(Telemetry):
    """Traces turns with the tracer provider that the process has; without one, spans go nowhere and cost next to nothing."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("hector_nb", __version__)

    def turn(self, facts: TurnFacts) -> TurnTelemetry:
        """See `Telemetry`."""
        parent = None
        if facts.arrival and facts.arrival.trace and not facts.above:
            parent = _W3C.extract(facts.arrival.trace)
        span = self._tracer.start_span(
            f"invoke_agent {facts.agent}",
            parent,
            kind=SpanKind.INTERNAL,
            attributes={
                **_attributes(facts, "invoke_agent"),
                "gen_ai.agent.name": facts.agent,
                "hector.turn.id": facts.turn_id,
            },
            start_time=facts.started_at,
        )
        return _TurnSpans(self._tracer, facts, span) if span.is_recording() else TurnTelemetry()


class _TurnSpans(TurnTelemetry):
    def __init__(self, tracer: trace.Tracer, facts: TurnFacts, span: Span) -> None:
        self._tracer = tracer
        self._facts = facts
        self._span = span
        self._inside = trace.set_span_in_context(span)
        self._chat: Span | None = None
        self._tools: dict[str, tuple[Span, Token[Context]]] = {}

    def asked(self, number: int) -> None:
        """See `TurnTelemetry`."""
        facts = self._facts
        attributes = _attributes(facts, "chat")
        if facts.host:
            attributes["server.address"] = facts.host
        kind = SpanKind.CLIENT if facts.host else SpanKind.INTERNAL
        self._chat = self._tracer.start_span(f"chat {facts.model}", self._inside, kind=kind, attributes=attributes)

    def heard(self) -> None:
        """See `TurnTelemetry`."""
        if self._chat:
            self._chat.add_event("gen_ai.first_token")

    def answered(self, usage: Usage, finish_reason: str) -> None:
        """See `TurnTelemetry`."""
        if self._chat:
            _count(self._chat, usage, [finish_reason])
            self._chat.end()
            self._chat = None

    def unanswered(self, reason: str) -> None:
        """See `TurnTelemetry`."""
        if self._chat:
            _fail(self._chat, reason)
            self._chat.end()
            self._chat = None

    def called(self, call_id: str, name: str) -> None:
        """See `TurnTelemetry`."""
        span = self._tracer.start_span(
            f"execute_tool {name}",
            self._inside,
            kind=SpanKind.INTERNAL,
            attributes={
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": name,
                "gen_ai.tool.call.id": call_id,
                "gen_ai.tool.type": "function",
                "gen_ai.conversation.id": self._facts.session_id,
            },
        )
        self._tools[call_id] = span, context.attach(trace.set_span_in_context(span))

    def returned(self, call_id: str, *, is_error: bool) -> None:
        """See `TurnTelemetry`."""
        span, token = self._tools.pop(call_id)
        context.detach(token)
        if is_error:
            _fail(span, "tool_error")
        span.end()

    def ended(self, outcome: Outcome, *, code: str | None, finish_reason: str | None, usage: Usage | None) -> None:
        """See `TurnTelemetry`."""
        self._span.set_attribute("hector.turn.outcome", outcome)
        if usage:
            _count(self._span, usage, [finish_reason] if finish_reason else [])
        if code:
            _fail(self._span, code)
        self._span.end()


def _attributes(facts: TurnFacts, operation: str) -> dict[str, AttributeValue]:
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(facts.provider, facts.provider),
        "gen_ai.request.model": facts.model,
        "gen_ai.conversation.id": facts.session_id,
    }


def _count(span: Span, usage: Usage, finish_reasons: Sequence[str]) -> None:
    span.set_attribute("gen_ai.usage.input_tokens", usage.prompt_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", usage.completion_tokens)
    span.set_attribute("gen_ai.response.finish_reasons", finish_reasons)


def _fail(span: Span, reason: str) -> None:
    span.set_attribute("error.type", reason)
    span.set_status(Status(StatusCode.ERROR))
