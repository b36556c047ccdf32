"""What a person does, as the front end sends it: the commands of `jupyter_extension/src/protocol.ts`, checked."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hector_nb.errors import InvalidRequest


class _Command(BaseModel):
    """Each has an id of its own, which its reply repeats."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    id: str = Field(min_length=1, max_length=200)


class Sync(_Command):
    """Asks for the whole state."""

    t: Literal["sync"]


class Send(_Command):
    """A message."""

    t: Literal["send"]
    text: str


class Unqueue(_Command):
    """Takes back a message that waits."""

    t: Literal["unqueue"]
    queued: str


class Stop(_Command):
    """Stops a turn; what was said is kept."""

    t: Literal["stop"]
    turn_id: str


class Retry(_Command):
    """Asks a turn's question again."""

    t: Literal["retry"]
    turn_id: str


class Edit(_Command):
    """Asks something else in a turn's place, here or in a fork."""

    t: Literal["edit"]
    turn_id: str
    text: str
    fork: bool


class Decide(_Command):
    """The word on a tool call."""

    t: Literal["decide"]
    turn_id: str
    call_id: str
    decision: Literal["approve", "deny"]
    always: bool


class Fork(_Command):
    """A new session with the history up to a turn, or all of it."""

    t: Literal["fork"]
    turn_id: str | None


class Rewind(_Command):
    """Takes back all that follows a turn."""

    t: Literal["rewind"]
    turn_id: str


class New(_Command):
    """An empty chat, with this agent or another."""

    t: Literal["new"]
    agent: str | None


class Open(_Command):
    """Goes on in another session."""

    t: Literal["open"]
    session_id: str


class Rename(_Command):
    """Another title."""

    t: Literal["rename"]
    title: str = Field(max_length=200)


class End(_Command):
    """Ends the session."""

    t: Literal["end"]


class Delete(_Command):
    """Erases the session; `forget`: also what it gave to wider memories."""

    t: Literal["delete"]
    forget: bool


class Freeze(_Command):
    """Replaces the output by the conversation as Markdown."""

    t: Literal["freeze"]


class Earlier(_Command):
    """Shows older turns."""

    t: Literal["earlier"]


class Sessions(_Command):
    """A page of sessions."""

    t: Literal["sessions"]
    query: str
    cursor: str | None


class Export(_Command):
    """The conversation as a file."""

    t: Literal["export"]
    format: Literal["markdown", "json", "ipynb"]


class Output(_Command):
    """All that a tool said."""

    t: Literal["output"]
    call_id: str


class Context(_Command):
    """What a turn's model saw; null: what it would see now."""

    t: Literal["context"]
    turn_id: str | None


class Memories(_Command):
    """A page of memories."""

    t: Literal["memories"]
    query: str
    cursor: str | None


class Correct(_Command):
    """Another text for a memory."""

    t: Literal["correct"]
    memory_id: str
    text: str


class Forget(_Command):
    """Erases a memory."""

    t: Literal["forget"]
    memory_id: str


class Restore(_Command):
    """Puts a memory back that was forgotten just now."""

    t: Literal["restore"]
    memory_id: str


Command: TypeAlias = (
    Sync
    | Send
    | Unqueue
    | Stop
    | Retry
    | Edit
    | Decide
    | Fork
    | Rewind
    | New
    | Open
    | Rename
    | End
    | Delete
    | Freeze
    | Earlier
    | Sessions
    | Export
    | Output
    | Context
    | Memories
    | Correct
    | Forget
    | Restore
)
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="t")])


def read_command(content: Any) -> Command:
    """A command.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        return _COMMAND.validate_python(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        raise InvalidRequest("The kernel does not know this command.", hint=f"Reload the page. {problems}") from error
