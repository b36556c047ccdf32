"""REST: what is remembered, what a model saw, correcting and forgetting, and who may."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from hector_nb.messages import Message
from hector_nb.transports.listen import Listen
from tests.transports.conftest import TOKEN, USERS, Site, open_site

pytestmark = pytest.mark.anyio
AGENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "private": {"memory": {"longterm": {"storage_scope": "session"}}},
    "friend": {"memory": {"longterm": {"storage_scope": "conversational"}}},
    "town": {"memory": {"longterm": {"storage_scope": "all"}}},
}
FACT = "My sister Clara keeps bees in Lyon."
QUESTION = "Where does Clara keep her bees?"
UNKNOWN = "mem_06c3hr3x6gv3bd0f7f9wedtesj"


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    async for each in open_site(AGENTS, Listen(host="127.0.0.1", port=0, users=USERS), TOKEN):
        yield each


def as_user(name: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer token-of-{name}"}}


async def new_session(site: Site, agent: str, user: str = "ada") -> str:
    """Its path."""
    status, session = await site.call("POST", f"/agents/{agent}/sessions", **as_user(user))
    assert status == 201
    return f"/agents/{agent}/sessions/{session['session_id']}"


async def say(site: Site, path: str, text: str, user: str = "ada", answer: str = "I see.") -> str:
    """Say it, and wait until it is remembered; the turn's id."""
    site.world.forget_replies()
    site.world.will_say(answer)
    status, reply = await site.call("POST", f"{path}/messages", {"message": text}, **as_user(user))
    assert status == 200, reply
    while tasks := site.world.runtime.remembering._takes.under_way():
        await asyncio.wait(tasks)
    return str(reply["turn_id"])


async def told(site: Site, agent: str, user: str = "ada", fact: str = FACT) -> tuple[str, str]:
    """A session in which the fact was told: its path, and the memory's id."""
    path = await new_session(site, agent, user)
    await say(site, path, fact, user)
    status, memory = await site.call("GET", f"{path}/memory", **as_user(user))
    assert status == 200
    return path, str(memory["longterm"]["memories"][0]["memory_id"])


def newest(site: Site) -> str:
    """What the model was asked last, with what was recalled for it."""
    message: Message = site.world.model.requests[-1].messages[-1]
    return message.content


async def test_a_session_shows_its_window_and_its_memories(site: Site) -> None:
    path, memory_id = await told(site, "private")
    _, found = await site.call("GET", f"{path}/memory", **as_user("ada"))
    working, longterm = found["working"], found["longterm"]
    assert [part["kind"] for part in working["parts"]] == ["system", "message", "message"]
    assert working["tokens"] == sum(part["tokens"] for part in working["parts"])
    assert working["turn_id"] is None
    assert (longterm["scope"], longterm["pending"], longterm["next_cursor"]) == ("session", 0, None)
    (memory,) = longterm["memories"]
    assert memory["memory_id"] == memory_id
    assert FACT in memory["text"]
    assert (memory["user"], memory["scope"], memory["kind"]) == ("ada", "session", "exchange")
    assert memory["session_id"] == path.rsplit("/", 1)[1]


async def test_memories_come_in_pages(site: Site) -> None:
    path, _ = await told(site, "private")
    await say(site, path, "My brother Max builds violins in Cremona.")
    _, first = await site.call("GET", f"{path}/memory?limit=1", **as_user("ada"))
    assert "violins" in first["longterm"]["memories"][0]["text"]
    cursor = quote(first["longterm"]["next_cursor"])
    _, second = await site.call("GET", f"{path}/memory?limit=1&cursor={cursor}", **as_user("ada"))
    assert FACT in second["longterm"]["memories"][0]["text"]
    assert second["longterm"]["next_cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=nonsense"])
async def test_a_page_that_cannot_be_is_refused(site: Site, query: str) -> None:
    path = await new_session(site, "private")
    status, _ = await site.call("GET", f"{path}/memory?{query}", **as_user("ada"))
    assert status == 422


async def test_search_finds_what_fits_best_first(site: Site) -> None:
    path, memory_id = await told(site, "private")
    await say(site, path, "My brother Max builds violins in Cremona.")
    status, found = await site.call("GET", f"{path}/memory/search?q=bees&limit=5", **as_user("ada"))
    assert status == 200
    assert found["memories"][0]["memory_id"] == memory_id
    assert found["memories"][0]["score"] > 0
    scores = [each["score"] for each in found["memories"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    "query",
    [
        '"bees',
        "bees*",
        "NEAR(bees lyon, 5)",
        "bees AND OR NOT",
        "text: bees",
        "-bees ^bees {bees} (bees",
        "bees'; DROP TABLE memories; --",
        "bees \x00 \ufffe",
        "🐝 bees",
        "bees " * 1000,
    ],
)
async def test_nothing_in_a_query_is_an_operator(site: Site, query: str) -> None:
    path, memory_id = await told(site, "private")
    status, found = await site.call("GET", f"{path}/memory/search?q={quote(query)}", **as_user("ada"))
    assert status == 200
    assert found["memories"][0]["memory_id"] == memory_id


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20%20", "?q=bees&limit=0", "?q=bees&limit=many"])
async def test_a_search_for_nothing_is_refused(site: Site, query: str) -> None:
    path = await new_session(site, "private")
    status, found = await site.call("GET", f"{path}/memory/search{query}", **as_user("ada"))
    assert (status, found["error"]["code"]) == (422, "invalid_request")


async def test_a_corrected_memory_is_what_is_recalled(site: Site) -> None:
    path, memory_id = await told(site, "friend")
    right = "Clara keeps her bees in Marseille now."
    status, memory = await site.call("PATCH", f"{path}/memory/{memory_id}", {"text": right}, **as_user("ada"))
    assert (status, memory["text"]) == (200, right)
    assert memory["corrected_at"] is not None
    await say(site, await new_session(site, "friend"), QUESTION)
    assert right in newest(site)
    assert "Lyon" not in newest(site)


async def test_a_forgotten_memory_is_gone(site: Site) -> None:
    path, memory_id = await told(site, "friend", fact="My uncle Otto repairs clocks in Basel.")
    assert (await site.call("DELETE", f"{path}/memory/{memory_id}", **as_user("ada")))[0] == 204
    status, found = await site.call("DELETE", f"{path}/memory/{memory_id}", **as_user("ada"))
    assert (status, found["error"]["code"]) == (404, "memory_not_found")
    assert (await site.call("PATCH", f"{path}/memory/{memory_id}", {"text": "No."}, **as_user("ada")))[0] == 404
    await say(site, await new_session(site, "friend"), "What does Otto repair in Basel?")
    assert "clocks" not in newest(site)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"text": ""}, 422),
        ({"text": " \n\t"}, 422),
        ({"text": "x" * 8001}, 422),
        ({"text": 7}, 422),
        ({"text": None}, 422),
        ({"text": "Yes.", "scope": "all"}, 422),
        (["Yes."], 400),
    ],
)
async def test_a_wrong_correction_changes_nothing(site: Site, body: Any, status: int) -> None:
    path, memory_id = await told(site, "private")
    assert (await site.call("PATCH", f"{path}/memory/{memory_id}", body, **as_user("ada")))[0] == status
    _, found = await site.call("GET", f"{path}/memory", **as_user("ada"))
    assert FACT in found["longterm"]["memories"][0]["text"]
    assert found["longterm"]["memories"][0]["corrected_at"] is None


async def test_a_correction_must_be_json(site: Site) -> None:
    path, memory_id = await told(site, "private")
    headers = {**as_user("ada")["headers"], "Content-Type": "text/plain"}
    assert (await site.call("PATCH", f"{path}/memory/{memory_id}", data="{}", headers=headers))[0] == 415


@pytest.mark.parametrize("agent", ["private", "friend", "town"])
async def test_memories_that_are_not_there_are_not_found(site: Site, agent: str) -> None:
    path = await new_session(site, agent)
    for memory_id in (UNKNOWN, "x", "%27%20OR%201", "search"):
        body = {"text": "Yes."}
        assert (await site.call("PATCH", f"{path}/memory/{memory_id}", body, **as_user("ada")))[0] in {404, 405}
        assert (await site.call("DELETE", f"{path}/memory/{memory_id}", **as_user("ada")))[0] in {404, 405}


@pytest.mark.parametrize("agent", ["private", "friend", "town"])
async def test_a_session_of_somebody_else_shows_nothing(site: Site, agent: str) -> None:
    path, memory_id = await told(site, agent)
    _, page = await site.call("GET", f"{path}/messages", **as_user("ada"))
    turn = page["messages"][0]["turn_id"]
    for verb, place, body in (
        ("GET", "memory", None),
        ("GET", "memory/search?q=bees", None),
        ("PATCH", f"memory/{memory_id}", {"text": "No."}),
        ("DELETE", f"memory/{memory_id}", None),
        ("GET", f"turns/{turn}/context", None),
    ):
        status, found = await site.call(verb, f"{path}/{place}", body, **as_user("bob"))
        assert (status, found["error"]["code"]) == (404, "session_not_found") or place.startswith("turns")
        assert status == 404


@pytest.mark.parametrize("agent", ["private", "friend"])
async def test_a_memory_of_somebody_else_is_not_there(site: Site, agent: str) -> None:
    _, memory_id = await told(site, agent)
    path = await new_session(site, agent, "bob")
    assert (await site.call("PATCH", f"{path}/memory/{memory_id}", {"text": "No."}, **as_user("bob")))[0] == 404
    assert (await site.call("DELETE", f"{path}/memory/{memory_id}", **as_user("bob")))[0] == 404
    _, found = await site.call("GET", f"{path}/memory", **as_user("bob"))
    assert found["longterm"]["memories"] == []


async def test_in_scope_all_everybody_reads_and_only_the_giver_changes(site: Site) -> None:
    _, memory_id = await told(site, "town")
    path = await new_session(site, "town", "bob")
    _, found = await site.call("GET", f"{path}/memory/search?q=bees", **as_user("bob"))
    assert (found["memories"][0]["user"], found["memories"][0]["memory_id"]) == ("ada", memory_id)
    status, refused = await site.call("PATCH", f"{path}/memory/{memory_id}", {"text": "No."}, **as_user("bob"))
    assert (status, refused["error"]["code"]) == (403, "forbidden")
    assert (await site.call("DELETE", f"{path}/memory/{memory_id}", **as_user("bob")))[0] == 403
    await say(site, path, QUESTION, "bob")
    assert FACT in newest(site)
    mine = await new_session(site, "town")
    assert (await site.call("DELETE", f"{mine}/memory/{memory_id}", **as_user("ada")))[0] == 204


async def test_a_session_of_another_session_s_memory_in_scope_session_is_not_there(site: Site) -> None:
    _, memory_id = await told(site, "private")
    path = await new_session(site, "private")
    assert (await site.call("PATCH", f"{path}/memory/{memory_id}", {"text": "No."}, **as_user("ada")))[0] == 404


async def test_an_agent_that_keeps_nothing_says_so(site: Site) -> None:
    path = await new_session(site, "plain")
    status, found = await site.call("GET", f"{path}/memory", **as_user("ada"))
    assert (status, found["longterm"]) == (200, None)
    calls: list[tuple[str, str, Mapping[str, str] | None]] = [
        ("GET", "memory/search?q=bees", None),
        ("PATCH", f"memory/{UNKNOWN}", {"text": "Yes."}),
        ("DELETE", f"memory/{UNKNOWN}", None),
    ]
    for verb, place, body in calls:
        status, found = await site.call(verb, f"{path}/{place}", body, **as_user("ada"))
        assert status == 422
        assert "no long-term memory" in found["error"]["message"]
        assert "memory.longterm" in found["error"]["hint"]


async def test_the_context_of_a_turn_is_what_its_model_saw(site: Site) -> None:
    await told(site, "friend")
    path = await new_session(site, "friend")
    turn = await say(site, path, QUESTION)
    status, ledger = await site.call("GET", f"{path}/turns/{turn}/context", **as_user("ada"))
    assert status == 200
    assert (ledger["turn_id"], ledger["requests"], ledger["left_out"]) == (turn, 1, 0)
    assert ledger["parts"][0]["kind"] == "system"
    assert ledger["parts"][-2]["kind"] == "memory"
    assert ledger["parts"][-2]["score"] > 0
    assert ledger["parts"][-1]["text"] == QUESTION
    assert ledger["tokens"] == sum(part["tokens"] for part in ledger["parts"])
    for part in ledger["parts"]:
        assert part["text"] in site.world.model.requests[-1].system + newest(site)


async def test_a_turn_that_never_asked_its_model_has_no_context(site: Site) -> None:
    path = await new_session(site, "plain")
    go = asyncio.Event()
    site.world.forget_replies()
    site.world.will_say("One", go)
    site.world.will_say("Two")
    query = {"message": "Wait"}
    async with (
        site.http.post(f"{site.base}{path}/messages/stream", json=query, **as_user("ada")),
        site.http.get(f"{site.base}{path}/messages/stream?message=Next", **as_user("ada")) as queued,
    ):
        waiting = queued.headers["Hector-Turn-Id"]
        status, found = await site.call("GET", f"{path}/turns/{waiting}/context", **as_user("ada"))
        assert (status, found["error"]["code"]) == (404, "turn_not_found")
        assert "not asked its model" in found["error"]["message"]
        go.set()
        await queued.read()
    assert (await site.call("GET", f"{path}/turns/{waiting}/context", **as_user("ada")))[0] == 200


async def test_a_turn_that_is_not_there_has_no_context(site: Site) -> None:
    path, other = await new_session(site, "plain"), await new_session(site, "plain")
    turn = await say(site, other, "Hi")
    for wrong in ("turn_06c3hr3x6gv3bd0f7f9wedtesj", "x", turn):
        status, found = await site.call("GET", f"{path}/turns/{wrong}/context", **as_user("ada"))
        assert (status, found["error"]["code"]) == (404, "turn_not_found")


async def test_what_wider_scopes_got_stays_unless_it_is_to_be_forgotten(site: Site) -> None:
    fact, question = "My aunt Berta grows saffron in Toledo.", "What does Berta grow in Toledo?"
    kept, _ = await told(site, "friend", "bob", fact)
    assert (await site.call("DELETE", kept, **as_user("bob")))[0] == 204
    await say(site, await new_session(site, "friend", "bob"), question, "bob")
    assert "saffron" in newest(site)
    forgotten, _ = await told(site, "friend", "ada", fact)
    assert (await site.call("DELETE", f"{forgotten}?forget=true", **as_user("ada")))[0] == 204
    await say(site, await new_session(site, "friend"), question)
    assert "saffron" not in newest(site)


async def test_a_deleted_session_of_scope_session_leaves_nothing(site: Site) -> None:
    path, memory_id = await told(site, "private")
    assert (await site.call("DELETE", path, **as_user("ada")))[0] == 204
    for place in ("memory", "memory/search?q=bees"):
        assert (await site.call("GET", f"{path}/{place}", **as_user("ada")))[0] == 404
    assert (await site.call("DELETE", f"{path}/memory/{memory_id}", **as_user("ada")))[0] == 404


async def test_a_memory_that_was_forgotten_just_now_can_be_put_back(site: Site) -> None:
    path, memory_id = await told(site, "friend", fact="My uncle Otto builds boats.")
    where = f"{path}/memory/{memory_id}"
    before = (await site.call("GET", f"{path}/memory", **as_user("ada")))[1]["longterm"]["memories"]
    assert (await site.call("POST", f"{where}/restore", **as_user("ada")))[0] == 404
    assert (await site.call("DELETE", where, **as_user("ada")))[0] == 204
    theirs = await new_session(site, "friend", "bob")
    assert (await site.call("POST", f"{theirs}/memory/{memory_id}/restore", **as_user("bob")))[0] == 404
    status, restored = await site.call("POST", f"{where}/restore", **as_user("ada"))
    assert (status, restored["memory_id"]) == (200, memory_id)
    after = (await site.call("GET", f"{path}/memory", **as_user("ada")))[1]["longterm"]["memories"]
    assert after == before
    assert (await site.call("POST", f"{where}/restore", **as_user("ada")))[0] == 404


async def test_a_transcript_is_read_from_its_end(site: Site) -> None:
    path = await new_session(site, "plain")
    for text in ("one", "two", "three"):
        await say(site, path, text)
    pages, cursor = [], ""
    while cursor is not None:
        status, page = await site.call("GET", f"{path}/messages?order=newest&limit=4{cursor}", **as_user("ada"))
        assert status == 200, page
        pages.append([each["content"] for each in page["messages"]])
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert pages == [["two", "I see.", "three", "I see."], ["one", "I see."]]
    for wrong in ("order=sideways", "order=newest&cursor=before-x", "order=newest&cursor=eyJ9"):
        assert (await site.call("GET", f"{path}/messages?{wrong}", **as_user("ada")))[0] == 422
