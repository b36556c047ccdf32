"""What every store does, sentence by sentence of `stores/base_memories.py`: long-term memories, and who finds them."""

import itertools

import pytest

from hector_nb.errors import InvalidRequest
from hector_nb.memories import Memory

from .making import AGENT, USER, ago, exchange, make_session
from .making_memories import REMEMBERED, WORDS, give, make_memory, messages_of, partition, recalled, remembered, vector

pytestmark = pytest.mark.anyio
SCOPES = ("session", "conversational", "all", "summaries_only")
EAST, NORTH, BETWEEN = vector(1, 0), vector(0, 1), vector(0.6, 0.8)


async def take_in(store, *memories, mark, upto, session_id="s", scope="conversational", user=USER, **changes):
    return await store.take_in(
        user, session_id, scope=scope, mark=mark, upto=upto, memories=memories, embedder=WORDS, **changes
    )


async def test_a_memory_comes_back_as_it_was_given(store):
    (memory_id,) = await give(store, "likes caf\u00e9 \ud800\x00 \U0001f600")
    (memory,) = (await store.list_memories(partition())).items
    assert memory == await store.get_memory(partition(), memory_id)
    said = (await messages_of(store))[-1]
    assert memory == Memory(
        memory_id=memory_id,
        agent=AGENT,
        user=USER,
        session_id="s",
        scope="conversational",
        kind="exchange",
        text="likes caf\u00e9 \ufffd\x00 \U0001f600",
        tokens=3,
        message_ids=(said.message_id,),
        created_at=memory.created_at,
    )


WHO = [("ann", "s"), ("ann", "other"), ("bob", "s"), ("bob", "third")]
"""Users and their sessions; two of them have the same name."""


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_is_blind_to_what_is_outside(store, scope):
    given = {}
    for (user, name), its_scope in itertools.product(WHO, SCOPES):
        for agent in (AGENT, "coder"):
            session_id = name if agent == AGENT else f"{name}-coder"
            text = f"secret of {user} {session_id} {its_scope} {agent}"
            (given[text],) = await give(
                store, (text, EAST), session_id=session_id, user=user, scope=its_scope, agent=agent
            )
    for user, name in WHO:
        where = partition(scope, user, name)
        expected = {
            f"secret of {giver} {session} {scope} {AGENT}"
            for giver, session in WHO
            if scope == "all" or giver == user
            if scope != "session" or session == name
        }
        assert set(await recalled(store, "secret", where=where, vector=EAST, limit=100)) == expected
        assert set(await recalled(store, "secret", where=where, limit=100)) == expected
        assert set(await recalled(store, where=where, vector=EAST, limit=100)) == expected
        assert set(await remembered(store, where)) == expected
        for text, memory_id in given.items():
            found = await store.get_memory(where, memory_id)
            assert (found and found.text) == (text if text in expected else None)
            if text not in expected:
                changed = await store.correct_memory(where, memory_id, text="x", tokens=1, vector=None, embedder="e")
                assert changed is None
                assert not await store.forget_memory(where, memory_id)


async def test_scores_do_not_tell_what_others_remember(store):
    await give(store, "ann drinks tea", "ann eats cake")
    before = await recalled(store, "tea or cake")
    for n in range(5):
        await give(store, f"tea {n} tea tea", user="bob", session_id=f"b{n}")
    assert await recalled(store, "tea or cake") == before


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("drinking", {"He drinks tea.", "Drink more water!"}),
        ("CAFES", {"A caf\u00e9 in Paris"}),
        ("cafe\u0301", {"A caf\u00e9 in Paris"}),
        ("What is the tea?", {"He drinks tea.", "Tea Party"}),
        ("who is he", {"He drinks tea."}),
        ("tea OR paris", {"He drinks tea.", "Tea Party", "A caf\u00e9 in Paris"}),
        ("tea AND NOT party", {"He drinks tea.", "Tea Party"}),
        ('"tea" NEAR(water, 2) text:x * ^ - + ( ) {a} ; --', {"He drinks tea.", "Drink more water!", "Tea Party"}),
        ("\"'`\\ % _ [] \x00", set()),
        ("\u6771\u4eac", {"\u79c1\u306f\u6771\u4eac\u306b\u4f4f\u3093\u3067\u3044\u307e\u3059"}),
        ("\U0001f600\U0001f680", set()),
        ("", set()),
        (" \n", set()),
        ("\ud800", set()),
        ("unknown", set()),
        ("x" * 100_000, set()),
        ("tea " * 100_000, {"He drinks tea.", "Tea Party"}),
        (" ".join(f"w{n}" for n in range(5000)), set()),
    ],
)
async def test_any_word_matches_by_its_stem(store, query, found):
    await give(
        store,
        "He drinks tea.",
        "Drink more water!",
        "A caf\u00e9 in Paris",
        "Tea Party",
        "\u79c1\u306f\u6771\u4eac\u306b\u4f4f\u3093\u3067\u3044\u307e\u3059",
    )
    candidates = await recalled(store, query)
    assert set(candidates) == found
    assert all(keyword > 0 and cosine is None for keyword, cosine in candidates.values())


async def test_rare_words_many_words_and_short_texts_score_higher(store):
    await give(store, "tea", "tea and a very long story about something else", "coffee tea", "tea tea time", "tea now")
    scores = {text: keyword for text, (keyword, _) in (await recalled(store, "tea coffee")).items()}
    assert max(scores, key=scores.get) == "coffee tea"
    assert scores["tea"] > scores["tea now"] > scores["tea and a very long story about something else"]
    assert scores["tea tea time"] > scores["tea now"]
    assert set(await recalled(store, "tea coffee", limit=2)) == {"coffee tea", "tea tea time"}


async def test_vectors_find_by_cosine(store):
    await give(store, ("east", EAST), ("north", NORTH), ("between", BETWEEN), "without", ("west", vector(-1, 0)))
    assert await recalled(store, vector=NORTH, limit=2) == {"north": (None, 1.0), "between": (None, 0.8)}
    assert await recalled(store, vector=EAST) == {
        "east": (None, 1.0),
        "north": (None, 0.0),
        "between": (None, 0.6),
        "west": (None, -1.0),
    }


async def test_each_candidate_has_both_scores(store):
    await give(store, ("tea", EAST), ("coffee", NORTH), ("tea time", NORTH), "a large cup of tea")
    found = await recalled(store, "tea", vector=NORTH, limit=2)
    scores = {text: (keyword is not None, cosine) for text, (keyword, cosine) in found.items()}
    assert scores == {"tea": (True, 0.0), "tea time": (True, 1.0), "coffee": (False, 1.0)}
    found = await recalled(store, "cup", vector=NORTH, limit=1)
    assert set(found) == {"a large cup of tea", "tea time"}
    assert found["a large cup of tea"][1] is None


async def test_of_equals_the_newest_are_found(store):
    await give(store, *((f"tea {name}", EAST) for name in "abcd"))
    assert set(await recalled(store, "tea", limit=2)) == {"tea c", "tea d"}
    assert set(await recalled(store, vector=EAST, limit=2)) == {"tea c", "tea d"}
    assert await recalled(store, "tea", vector=EAST, limit=0) == {}


async def test_vectors_that_cannot_be_compared_count_as_none(store):
    await give(store, ("east", EAST), ("wide", vector(1, 0, 0)), ("odd", b"\x00\x01\x02"))
    await give(store, ("other", EAST), embedder="other")
    await give(store, ("broken", vector(float("nan"), 0)))
    assert await recalled(store, vector=EAST) == {"east": (None, 1.0)}
    assert await recalled(store, vector=EAST, embedder="other") == {"other": (None, 1.0)}
    assert await recalled(store, vector=EAST, embedder="unknown") == {}
    assert await recalled(store, vector=b"", embedder=WORDS) == {}
    assert await recalled(store, vector=b"\x00\x01\x02") == {}
    assert await recalled(store, vector=vector(float("nan"), 0)) == {}
    found = await recalled(store, "broken", vector=EAST)
    assert found["broken"][1] is None


async def test_nothing_is_recalled_from_an_empty_partition(store):
    assert await recalled(store, "tea", vector=EAST) == {}
    assert (await store.list_memories(partition())).items == []
    assert await store.get_memory(partition(), "mem_unknown") is None


async def test_what_the_model_sees_anyway_is_left_out(store):
    await give(store, ("tea one", EAST), ("tea two", EAST), ("tea three", EAST))
    await give(store, ("tea elsewhere", EAST), session_id="other")
    await give(store, ("tea of bob", EAST), user="bob", scope="all")
    for asked in ({"query": "tea"}, {"vector": EAST}):
        found = await recalled(store, **asked, unseen=(USER, "s", 4))
        assert set(found) == {"tea one", "tea elsewhere"}
        assert set(await recalled(store, **asked, unseen=(USER, "s", 1))) == {"tea elsewhere"}
        assert len(await recalled(store, **asked, unseen=(USER, "s", 7))) == 4
        assert len(await recalled(store, **asked, unseen=("bob", "s", 1))) == 4
        assert len(await recalled(store, **asked, unseen=(USER, "unknown", 1))) == 4
        assert set(await recalled(store, **asked, unseen=(USER, "s", 1), limit=1)) == {"tea elsewhere"}


async def test_a_new_session_of_the_same_name_has_not_seen_what_the_old_one_gave(store):
    await give(store, ("tea", EAST))
    await store.delete_session(USER, "s")
    await store.create_session(make_session())
    for asked in ({"query": "tea"}, {"vector": EAST}):
        assert set(await recalled(store, **asked, unseen=(USER, "s", 1))) == {"tea"}


async def test_the_same_again_from_the_same_user_is_not_stored(store):
    await give(store, "Likes  Tea\n", "likes tea", " LIKES TEA ", "likes teas")
    await give(store, "likes tea", session_id="other")
    assert await remembered(store) == ["likes teas", "Likes  Tea\n"]
    await give(store, "likes tea", scope="session")
    assert await remembered(store, partition("session")) == ["likes tea"]
    for user in (USER, "bob"):
        await give(store, "likes tea", user=user, session_id="all", scope="all")
        await give(store, "likes tea", user=user, session_id="all2", scope="all")
    assert sorted(m.user for m in (await store.list_memories(partition("all"))).items) == ["ann", "bob"]


async def test_twice_the_same_at_once_is_stored_once(store):
    await store.create_session(make_session())
    await exchange(store, "t1", outcome=REMEMBERED)
    given = [make_memory("tea"), make_memory("TEA"), make_memory("cake")]
    assert await take_in(store, *given, mark=0, upto=2)
    assert await remembered(store) == ["cake", "tea"]


async def test_what_was_forgotten_may_be_said_again(store):
    (memory_id,) = await give(store, "likes tea")
    assert await store.forget_memory(partition(), memory_id)
    assert not await store.forget_memory(partition(), memory_id)
    await give(store, "likes tea")
    assert await remembered(store) == ["likes tea"]
    assert len(await recalled(store, "tea")) == 1


async def test_a_new_summary_takes_the_place_of_the_old_one(store):
    await give(store, "plain", "also plain")
    await give(store, "first summary", kind="summary")
    await give(store, "another session's", session_id="other", kind="summary")
    await exchange(store, "t9", outcome=REMEMBERED)
    last = (await messages_of(store))[-1]
    taken = make_memory("second summary", last, 8, kind="summary")
    assert await take_in(store, taken, mark=6, upto=8, replace=True)
    assert await remembered(store) == ["second summary", "another session's", "also plain", "plain"]
    assert set(await recalled(store, "summary")) == {"second summary"}


async def test_a_sessions_newest_summary_is_found(store):
    await give(store, "plain")
    assert await store.summary_memory_of(USER, "s") is None
    await give(store, "first summary", "second summary", kind="summary")
    await give(store, "another session's", session_id="other", kind="summary")
    await give(store, "another user's", user="eve", kind="summary")
    found = await store.summary_memory_of(USER, "s")
    assert found.text == "second summary"
    await store.forget_memory(partition(), found.memory_id)
    found = await store.summary_memory_of(USER, "s")
    assert found.text == "first summary"
    assert await store.summary_memory_of(USER, "nowhere") is None


async def test_memories_are_listed_newest_first_page_by_page(store):
    await give(store, *(f"m{n}" for n in range(5)))
    await give(store, "older", created_at=ago(60))
    seen, cursor = [], None
    while True:
        page = await store.list_memories(partition(), limit=2, cursor=cursor)
        seen += [memory.text for memory in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        await give(store, f"new {len(seen)}")
    assert seen == ["m4", "m3", "m2", "m1", "m0", "older"]
    for bad in ("x", "1", "1.2.3", "\u0661.1"):
        with pytest.raises(InvalidRequest):
            await store.list_memories(partition(), cursor=bad)


async def test_a_corrected_memory_is_what_is_found(store):
    tea, _ = await give(store, ("likes tea", EAST), ("likes cake", NORTH))
    before = await store.get_memory(partition(), tea)
    memory = await store.correct_memory(
        partition(), tea, text="prefers coff\u00e9e \ud800", tokens=9, vector=NORTH, embedder=WORDS
    )
    assert memory == await store.get_memory(partition(), tea)
    assert (memory.text, memory.tokens, memory.version) == ("prefers coff\u00e9e \ufffd", 9, 2)
    assert memory.corrected_at >= before.created_at
    assert (memory.memory_id, memory.message_ids, memory.created_at) == (tea, before.message_ids, before.created_at)
    assert await recalled(store, "tea") == {}
    assert set(await recalled(store, "coffees")) == {"prefers coff\u00e9e \ufffd"}
    assert (await recalled(store, vector=EAST))["prefers coff\u00e9e \ufffd"] == (None, 0.0)
    again = await store.correct_memory(partition(), tea, text="likes cake", tokens=2, vector=None, embedder=WORDS)
    assert (again.version, again.text) == (3, "likes cake")
    assert await remembered(store) == ["likes cake", "likes cake"]
    assert len(await store.recall(partition(), query="cake", vector=None, embedder=WORDS, limit=9)) == 2
    await give(store, "likes tea", "LIKES cake")
    assert await remembered(store) == ["likes tea", "likes cake", "likes cake"]


async def test_nobody_but_the_partition_corrects(store):
    correction = {"text": "x", "tokens": 1, "vector": None, "embedder": "e"}
    assert await store.correct_memory(partition(), "mem_unknown", **correction) is None
    (tea,) = await give(store, "tea")
    assert await store.correct_memory(partition(user="bob"), tea, **correction) is None
    assert await remembered(store) == ["tea"]


@pytest.mark.parametrize("forget", [False, True])
async def test_what_a_deleted_session_gave_stays_unless_it_is_to_be_forgotten(store, forget):
    for scope in SCOPES:
        await give(store, (f"tea {scope}", EAST), scope=scope)
    await give(store, "elsewhere", session_id="other")
    await give(store, "of bob", user="bob", scope="all")
    assert await store.delete_session(USER, "s", forget=forget)
    left = {scope: await remembered(store, partition(scope)) for scope in SCOPES}
    if forget:
        assert left == {
            "session": [],
            "conversational": ["elsewhere"],
            "all": ["of bob"],
            "summaries_only": [],
        }
    else:
        assert left == {
            "session": [],
            "conversational": ["elsewhere", "tea conversational"],
            "all": ["of bob", "tea all"],
            "summaries_only": ["tea summaries_only"],
        }
    assert set(await recalled(store, "tea", vector=EAST)) == (set() if forget else {"tea conversational"})
    await store.create_session(make_session())
    assert await remembered(store, partition("session")) == []
    assert await store.delete_session(USER, "s", forget=True)
    assert {scope: await remembered(store, partition(scope)) for scope in SCOPES} == left


async def test_a_rewind_forgets_what_was_made_of_erased_messages(store):
    await give(store, ("one", EAST), ("two", EAST))
    await give(store, ("in all", EAST), scope="all")
    past = await messages_of(store)
    await store.rewind_session(USER, "s", after=past[1].message_id)
    assert set(await recalled(store, "one two", vector=EAST)) == {"one"}
    assert await remembered(store, partition("all")) == []


async def test_a_fork_leaves_memories_where_they_are(store):
    await give(store, "tea", scope="session")
    await give(store, "cake")
    await store.fork_session("s", make_session("fork"))
    assert await remembered(store, partition("session", session_id="fork")) == []
    await store.delete_session(USER, "fork", forget=True)
    assert await remembered(store) == ["cake"]
    assert await remembered(store, partition("session")) == ["tea"]


async def test_memories_get_vectors_later(store):
    tea, cake, water = await give(store, "tea", "cake", "water")
    await give(store, ("new", EAST))
    (coder,) = await give(store, "code", session_id="c", agent="coder")
    assert [memory.text for memory in await store.unembedded(WORDS)] == ["tea", "cake", "water", "code"]
    assert [memory.text for memory in await store.unembedded(WORDS, limit=2)] == ["tea", "cake"]
    assert [memory.memory_id for memory in await store.unembedded(WORDS, agents=["coder", "x"])] == [coder]
    assert await store.unembedded(WORDS, agents=[]) == []
    assert await store.count_unembedded(WORDS) == 4
    assert await store.count_unembedded(WORDS, agents=[AGENT]) == 3
    await store.embed_memories(WORDS, [(cake, 1, NORTH), (tea, 1, EAST), ("mem_unknown", 1, EAST), (water, 2, EAST)])
    assert set(await recalled(store, vector=EAST)) == {"tea", "cake", "new"}
    assert await store.count_unembedded(WORDS) == 2
    assert await store.count_unembedded("better") == 5
    assert [memory.text for memory in await store.unembedded("better", limit=4)] == ["tea", "cake", "water", "new"]
    await store.embed_memories("better", [(tea, 1, vector(0, 0, 1)), (water, 1, vector(0, 1, 0))])
    assert set(await recalled(store, vector=EAST)) == {"cake", "new"}
    assert await recalled(store, vector=vector(0, 1, 0), embedder="better") == {
        "tea": (None, 0.0),
        "water": (None, 1.0),
    }
    assert [memory.text for memory in await store.unembedded("better")] == ["cake", "new", "code"]


async def test_a_correction_without_a_vector_waits_for_one(store):
    (tea,) = await give(store, ("tea", EAST))
    await store.correct_memory(partition(), tea, text="coffee", tokens=1, vector=None, embedder=WORDS)
    assert await recalled(store, vector=EAST) == {}
    assert await store.count_unembedded(WORDS) == 1
    await store.embed_memories(WORDS, [(tea, 1, NORTH)])
    assert await recalled(store, vector=EAST) == {}
    await store.embed_memories(WORDS, [(tea, 2, NORTH)])
    assert await recalled(store, vector=NORTH) == {"coffee": (None, 1.0)}


async def test_memories_without_any_word_are_kept_and_found_by_vector(store):
    await give(store, ("\U0001f600", EAST), ("", NORTH))
    assert set(await recalled(store, "\U0001f600 tea", vector=EAST)) == {"\U0001f600", ""}


async def test_another_process_sees_every_change(store, elsewhere):
    """What one process holds in its memory of vectors is never older than the file."""
    tea, cake = await give(store, ("tea", EAST), ("cake", EAST))

    async def both():
        here, there = await recalled(store, vector=EAST), await recalled(elsewhere, vector=EAST)
        assert here == there
        return here

    assert set(await both()) == {"tea", "cake"}
    await give(elsewhere, ("pie", EAST), "bare")
    assert set(await both()) == {"tea", "cake", "pie"}
    (bare,) = await elsewhere.unembedded(WORDS)
    await elsewhere.embed_memories(WORDS, [(bare.memory_id, 1, BETWEEN)])
    assert (await both())["bare"] == (None, 0.6)
    await store.embed_memories(WORDS, [(tea, 1, NORTH)])
    assert (await both())["tea"] == (None, 0.0)
    await elsewhere.correct_memory(partition(), cake, text="cakes", tokens=1, vector=BETWEEN, embedder=WORDS)
    assert (await both())["cakes"] == (None, 0.6)
    await elsewhere.forget_memory(partition(), tea)
    assert set(await both()) == {"cakes", "pie", "bare"}
    await store.delete_session(USER, "s", forget=True)
    assert await both() == {}
    await give(elsewhere, ("anew", NORTH))
    assert await both() == {"anew": (None, 0.0)}
