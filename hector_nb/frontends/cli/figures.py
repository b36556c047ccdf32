"""The figures of turns and sessions, for the eye: `412 tokens · 4.8 s`, `3 min ago`."""

from datetime import UTC, datetime

from hector_nb.events import TurnDone
from hector_nb.frontends.words import counted
from hector_nb.messages import Usage
from hector_nb.sessions import Session


def foot(done: TurnDone, seconds: float) -> str:
    """The line under an answer: `412 tokens · 4.8 s`, `~` where the count is our own."""
    end = f"{tokens(done.usage)} · {seconds:.1f} s"
    match done.finish_reason:
        case "cancelled":
            return f"Stopped · {end}"
        case "length":
            return f"Cut at the longest answer (max_tokens) · {end}"
        case "max_iterations":
            return f"Stopped after the most requests to the model (max_iterations) · {end}"
        case "content_filter":
            return f"Cut by the provider's content filter · {end}"
    return end


def tokens(usage: Usage) -> str:
    """`412 tokens`."""
    return f"{'~' if usage.estimated else ''}{counted(usage.completion_tokens, 'token')}"


def ago(when: datetime) -> str:
    """`3 min ago`, the date from a week on."""
    seconds = (datetime.now(UTC) - when).total_seconds()
    if seconds < 60:
        return "just now"
    for limit, unit, name in ((3600, 60, "min"), (86400, 3600, "h"), (7 * 86400, 86400, "d")):
        if seconds < limit:
            return f"{int(seconds // unit)} {name} ago"
    return when.astimezone().strftime("%Y-%m-%d")


def counts(session: Session) -> str:
    """`12 messages · 3,401 tokens`."""
    return f"{counted(session.message_count, 'message')} · {session.token_count:,} tokens"
