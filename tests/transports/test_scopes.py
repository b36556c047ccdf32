"""What each scope of long-term memory lets a session recall, over every way in: what counts is what the model was sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from hector_nb.service import SendMessage, collect
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.transports.listen import Listen
from tests.transports.conftest import TOKEN, USERS, Site, open_site
from tests.transports.test_websocket import Talk

pytestmark = pytest.mark.anyio
SCOPES = ("session", "conversational", "all", "summaries_only")
AGENTS: dict[str, dict[str, Any]] = {scope: {"memory": {"longterm": {"storage_scope": scope}}} for scope in SCOPES}
NUMBERS = count(1000)
Way = Callable[[Site, str, str | None, str, str], Awaitable[None]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database is."""
    return tmp_path_factory.mktemp("scopes")


@pytest.fixture(scope="module")
async def site(files: Path) -> AsyncIterator[Site]:
    listen = Listen(host="127.0.0.1", port=0, users=USERS)
    async for each in open_site(AGENTS, listen, TOKEN, SQLiteStore(files / "hector.db")):
        yield each


def as_user(name: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer token-of-{name}"}}


async def by_rest(site: Site, agent: str, session: str | None, text: str, user: str) -> None:
    path = f"/agents/{agent}/sessions/{session}" if session else f"/agents/{agent}"
    assert (await site.call("POST", f"{path}/messages", {"message": text}, **as_user(user)))[0] == 200


async def by_stream(site: Site, agent: str, session: str | None, text: str, user: str) -> None:
    path = f"/agents/{agent}/sessions/{session}" if session else f"/agents/{agent}"
    stream = await site.stream("POST", f"{path}/messages/stream", {"message": text}, **as_user(user))
    assert stream.last["data"] == "[DONE]"


async def by_socket(site: Site, agent: str, session: str | None, text: str, user: str) -> None:
    query = f"?session_id={session}" if session else ""
    async with site.http.ws_connect(f"{site.base}/agents/{agent}/stream{query}", **as_user(user)) as socket:
        talk = Talk(socket)
        await talk.hear()
        await talk.say(message=text)
        assert (await talk.turn())[-1]["done"] is True


async def by_service(site: Site, agent: str, session: str | None, text: str, user: str) -> None:
    service = site.world.runtime.for_user(user)
    await collect(await service.stream_message(agent, SendMessage(message=text, session_id=session)))


WAYS: dict[str, Way] = {"rest": by_rest, "stream": by_stream, "socket": by_socket, "service": by_service}


class Speaker:
    """Says things by one of the ways in."""

    def __init__(self, site: Site, way: Way) -> None:
        self._site = site
        self._way = way

    async def __call__(
        self, agent: str, text: str, *, user: str, session: str | None = None, answer: str = "I see."
    ) -> str:
        """All that the model was sent for it."""
        world = self._site.world
        world.forget_replies()
        world.will_say(answer)
        asked = len(world.model.requests)
        await self._way(self._site, agent, session, text, user)
        await remembered(self._site)
        (one,) = world.model.requests[asked:]
        return "\n".join([one.system, *(each.content for each in one.messages)])


@pytest.fixture(params=WAYS)
def say(request: pytest.FixtureRequest, site: Site) -> Speaker:
    """Each of the ways in."""
    return Speaker(site, WAYS[request.param])


async def remembered(site: Site) -> None:
    while tasks := site.world.runtime.remembering._takes.under_way():
        await asyncio.wait(tasks)


async def new_session(site: Site, agent: str, user: str) -> str:
    status, session = await site.call("POST", f"/agents/{agent}/sessions", **as_user(user))
    assert status == 201
    return str(session["session_id"])


def fact() -> tuple[str, str, str]:
    """Something that nobody has told before, a question for it, and the word that only the fact has."""
    number = next(NUMBERS)
    return f"My locker {number} opens with code{number}x.", f"What opens locker {number}?", f"code{number}x"


@pytest.mark.parametrize(
    ("scope", "of_ada", "of_bob"),
    [("session", False, False), ("conversational", True, False), ("all", True, True)],
)
async def test_who_recalls_what_was_told(site: Site, say: Speaker, scope: str, of_ada: bool, of_bob: bool) -> None:
    told, question, word = fact()
    first = await new_session(site, scope, "ada")
    await say(scope, told, user="ada", session=first)
    for user, recalls in (("ada", of_ada), ("bob", of_bob)):
        for session in (await new_session(site, scope, user), None):
            assert (word in await say(scope, question, user=user, session=session)) is recalls
    assert word in await say(scope, question, user="ada", session=first)


async def test_of_what_is_summarized_only_the_summary_is_recalled(site: Site, say: Speaker) -> None:
    told, question, word = fact()
    number = word[4:-1]
    first = await new_session(site, "summaries_only", "ada")
    await say("summaries_only", told, user="ada", session=first)
    site.world.forget_replies()
    site.world.will_say(f"Ada has a locker {number}.")
    path = f"/agents/summaries_only/sessions/{first}"
    assert (await site.call("POST", f"{path}/end", **as_user("ada")))[0] == 200
    seen = await say("summaries_only", question, user="ada")
    assert f"Ada has a locker {number}." in seen
    assert word not in seen
    assert "Ada has" not in await say("summaries_only", question, user="bob")
    _, memory = await site.call("GET", f"{path}/memory", **as_user("ada"))
    assert {each["kind"] for each in memory["longterm"]["memories"]} == {"summary"}
    assert word not in str(memory["longterm"])


@pytest.mark.parametrize("way", ["rest", "stream", "service"])
async def test_a_one_off_question_leaves_nothing(site: Site, way: str) -> None:
    told, question, word = fact()
    say = Speaker(site, WAYS[way])
    await say("conversational", told, user="ada")
    assert word not in await say("conversational", question, user="ada")


async def test_a_user_is_who_is_authenticated_whatever_the_session_is_called(site: Site, say: Speaker) -> None:
    told, question, word = fact()
    for user in ("ada", "bob"):
        body = {"session_id": f"locker-{word}"}
        status, _ = await site.call("POST", "/agents/session/sessions", body, **as_user(user))
        assert status == 201
    await say("session", told, user="ada", session=f"locker-{word}")
    assert word not in await say("session", question, user="bob", session=f"locker-{word}")


def leftovers(files: Path, word: str) -> list[str]:
    """The files of the database that have the word somewhere in their bytes."""
    return [file.name for file in files.iterdir() if file.is_file() and word.encode() in file.read_bytes()]


@pytest.mark.parametrize("scope", ["session", "conversational", "all"])
async def test_a_session_that_is_to_be_forgotten_leaves_no_byte(
    site: Site, say: Speaker, files: Path, scope: str
) -> None:
    told, question, word = fact()
    first, later = await new_session(site, scope, "ada"), await new_session(site, scope, "ada")
    await say(scope, told, user="ada", session=first, answer=f"Noted: {word}.")
    seen = await say(scope, question, user="ada", session=later)
    assert (word in seen) is (scope != "session")
    assert leftovers(files, word)
    path = f"/agents/{scope}/sessions/{first}?forget=true"
    assert (await site.call("DELETE", path, **as_user("ada")))[0] == 204
    assert leftovers(files, word) == []
    _, page = await site.call("GET", f"/agents/{scope}/sessions/{later}/messages", **as_user("ada"))
    turn = page["messages"][0]["turn_id"]
    _, ledger = await site.call("GET", f"/agents/{scope}/sessions/{later}/turns/{turn}/context", **as_user("ada"))
    assert (None in [part["text"] for part in ledger["parts"] if part["kind"] == "memory"]) is (scope != "session")
    assert word not in str(ledger)


async def test_a_session_that_is_deleted_leaves_only_what_wider_scopes_got(
    site: Site, say: Speaker, files: Path
) -> None:
    for scope, stays in (("session", False), ("conversational", True)):
        told, question, word = fact()
        first = await new_session(site, scope, "ada")
        await say(scope, told, user="ada", session=first, answer=f"A{word}A")
        assert (await site.call("DELETE", f"/agents/{scope}/sessions/{first}", **as_user("ada")))[0] == 204
        assert bool(leftovers(files, word)) is stays
        session = await new_session(site, scope, "ada")
        assert (word in await say(scope, question, user="ada", session=session)) is stays


async def test_a_memory_that_is_forgotten_leaves_no_byte_beside_its_transcript(
    site: Site, say: Speaker, files: Path
) -> None:
    told, question, word = fact()
    first, later = await new_session(site, "conversational", "ada"), await new_session(site, "conversational", "ada")
    await say("conversational", told, user="ada", session=first)
    _, found = await site.call("GET", f"/agents/conversational/sessions/{later}/memory?limit=1", **as_user("ada"))
    memory = found["longterm"]["memories"][0]
    assert word in memory["text"]
    secret = f"secret{word}"
    place = f"/agents/conversational/sessions/{later}/memory/{memory['memory_id']}"
    assert (await site.call("PATCH", place, {"text": f"{question} {secret}"}, **as_user("ada")))[0] == 200
    assert secret in await say("conversational", question, user="ada", session=later)
    assert (await site.call("DELETE", place, **as_user("ada")))[0] == 204
    assert leftovers(files, secret) == []
    session = await new_session(site, "conversational", "ada")
    assert secret not in await say("conversational", question, user="ada", session=session)
