"""What every store does, sentence by sentence of `stores/base_sessions.py`: finding sessions by words of their titles and messages."""

import time

import pytest

from hector_nb.stores import postgres_texts, sql_listing, sqlite_reading

from .making import AGENT, USER, ago, begin, exchange, finish, make_message, make_session

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["looked for in the newest", "asked of the index", "asked of the index for many"], autouse=True)
def way(request, monkeypatch):
    """SQLite and PostgreSQL find the same by all of their ways."""
    if request.param != "looked for in the newest":
        monkeypatch.setattr(sqlite_reading, "_READ_CHARS", -1)
        monkeypatch.setattr(postgres_texts, "_READ_TEXTS", 0)
    if request.param == "asked of the index for many":
        monkeypatch.setattr(sql_listing, "_FEW", 0)


async def found(store, query, **wanted):
    return [s.session_id for s in (await store.list_sessions(USER, query=query, **wanted)).items]


async def test_sessions_are_found_by_what_was_said_in_them(store):
    for n, said in enumerate(["Why is the sky blue?", "¿Dónde está el cielo?", "Blue moon"]):
        await store.create_session(make_session(f"s{n}", title="t", last_active_at=ago(100 - n)))
        await exchange(store, f"t{n}", said, f"Rayleigh {n} scattering", session_id=f"s{n}")
    assert await found(store, "blue") == ["s2", "s0"]
    assert await found(store, "BLU sk") == ["s0"]
    assert await found(store, "donde esta") == ["s1"]
    assert await found(store, "rayleigh") == ["s2", "s1", "s0"]
    assert await found(store, "scat 1") == ["s1"]
    assert await found(store, "ayleigh") == []


async def test_all_words_are_in_one_text(store):
    await store.create_session(make_session(title="garden"))
    await exchange(store, "t1", "plant roses", "water them")
    assert await found(store, "roses plant") == ["s"]
    assert await found(store, "roses water") == await found(store, "garden roses") == []


async def test_nothing_in_a_query_is_an_operator(store):
    await store.create_session(make_session(title="cats and dogs"))
    await store.create_session(make_session("near", title="words near or not"))
    for query in ('"cats', "cats*", "(cats)", "cats^", "-cats", "words:cats", "{words}: cats", "cats'; --"):
        assert await found(store, query) == (["s"] if "words" not in query else []), query
    assert await found(store, "cats AND dogs") == ["s"]
    assert await found(store, "NEAR OR NOT") == ["near"]
    assert await found(store, "cats OR horses") == []
    assert await found(store, "cats\0 dogs") == ["s"]
    for query in ("", "   ", '"', "*", "\ud800", "_"):
        assert await found(store, query) == [], query


async def test_a_search_is_filtered_and_pages_like_a_listing(store):
    for n in range(9):
        agent = AGENT if n % 2 else "coder"
        await store.create_session(
            make_session(f"s{n}", title="same", agent=agent, last_active_at=ago(100 - n), expires_at=ago(60 * (n - 3)))
        )
    await store.end_session(USER, "s0")
    await store.create_session(make_session("bobs", user="bob", title="same"))
    await store.create_session(make_session("once", listed=False, title="same"))
    assert await found(store, "same", agent="coder") == ["s8", "s6", "s4", "s2", "s0"]
    assert await found(store, "same", status="ended") == ["s0"]
    assert await found(store, "same", status="active") == ["s2", "s1"]
    assert await found(store, "same", status="expired", agent="coder") == ["s8", "s6", "s4"]
    assert await found(store, "same", status="expired") == ["s8", "s7", "s6", "s5", "s4", "s3"]
    seen, cursor = [], None
    while len(seen) < 20:
        page = await store.list_sessions(USER, query="sam", limit=2, cursor=cursor)
        seen += [s.session_id for s in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"s{n}" for n in range(8, -1, -1)]


async def test_what_is_erased_is_no_longer_found(store):
    await store.create_session(make_session(title="secret"))
    await exchange(store, "t1", "alpha", "beta")
    await exchange(store, "t2", "gamma", "delta")
    past = (await store.list_messages(USER, "s")).items
    await store.rewind_session(USER, "s", after=past[1].message_id)
    assert await found(store, "gamma") == await found(store, "delta") == []
    assert await found(store, "alpha") == await found(store, "beta") == ["s"]
    await exchange(store, "t3", "epsilon", "zeta")
    assert await found(store, "epsilon") == ["s"]
    await store.update_session(USER, "s", title="")
    assert await found(store, "secret") == []
    await store.update_session(USER, "s", title="open")
    assert await found(store, "open") == ["s"]
    await store.delete_session(USER, "s")
    await store.create_session(make_session("new", title="other"))
    for word in ("alpha", "beta", "epsilon", "zeta", "open", "secret"):
        assert await found(store, word) == []
    assert await found(store, "other") == ["new"]


async def test_forks_and_imports_are_found(store):
    given = [make_message("needle one"), make_message("thread", role="assistant"), make_message("needle two")]
    await store.import_session(make_session("s"), given)
    await store.fork_session("s", make_session("fork", last_active_at=ago(5)), after=given[1].message_id)
    assert await found(store, "thread") == ["s", "fork"]
    assert await found(store, "two") == ["s"]
    await store.delete_session(USER, "s")
    assert await found(store, "needle") == ["fork"]


async def test_a_session_is_found_by_the_title_that_its_message_gave(store):
    await store.create_session(make_session())
    await begin(store, "t1", "Naming\nthings")
    await finish(store, "t1")
    await store.rewind_session(USER, "s")
    assert await found(store, "naming") == ["s"]
    assert await found(store, "things") == []


async def test_one_off_turns_are_not_found(store):
    session = make_session("once", listed=False)
    await begin(store, "t1", "ephemeral", session_id="once", create_session=session)
    await finish(store, "t1")
    assert await found(store, "ephemeral") == []


async def test_of_a_long_message_the_beginning_is_found_and_it_is_stored_quickly(store):
    await store.create_session(make_session(title="t"))
    long = "early " + " ".join(f"w{n}é" for n in range(150_000))
    started = time.perf_counter()
    await exchange(store, "t1", long, "early".rjust(20_000) + " late")
    assert time.perf_counter() - started < 10
    assert await found(store, "early") == ["s"]
    assert await found(store, "w10e") == ["s"]
    assert await found(store, "w149999e") == await found(store, "late") == []


async def test_very_long_words_and_queries_are_found_too(store):
    word = "abcdefghij" * 1000
    await store.create_session(make_session(title=word))
    assert await found(store, word) == ["s"]
    assert await found(store, word[:70]) == ["s"]
    assert await found(store, word[:70] + "x") == []
    assert await found(store, " ".join(f"{word[:2]} n{n}" for n in range(5000))) == []
    assert await found(store, "a " * 5000) == ["s"]


@pytest.mark.parametrize(
    "word", ["straße", "ﬁn", "Å", "ǅ", "한국", "日本", "ไทย", "नमस्ते", "٣", "①", "ﷺ", "𝔸", "éxİ", "Ⅷ"]
)
async def test_words_of_any_script_are_found(store, word):
    await store.create_session(make_session(title=f"x {word}, y"))
    await store.create_session(make_session("other", title="x y"))
    assert await found(store, word) == await found(store, word.upper()) == ["s"]


async def test_what_stands_inside_a_text_without_spaces_is_found(store):
    await store.create_session(make_session(title="今日は日本語の勉強をします"))
    await store.create_session(make_session("other", title="本日は晴天なり"))
    for query in ("日本語", "勉強", "語の勉", "す", "勉強 日本"):
        assert await found(store, query) == ["s"], query
    assert set(await found(store, "日")) == {"s", "other"}
    assert await found(store, "語日") == []


async def test_a_long_conversation_is_found_by_what_was_said_last_in_it(store):
    said = [make_message(f"number {n}") for n in range(120)]
    await store.import_session(make_session("long"), [*said, make_message("needle")])
    await store.create_session(make_session("other", title="other", last_active_at=ago(5)))
    assert await found(store, "needle") == ["long"]
    assert await found(store, "other") == ["other"]
