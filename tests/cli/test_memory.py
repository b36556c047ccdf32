"""`hector memory` as a program."""

import json

import pytest

CONFIG = """\
llms:
  default: {provider: scripted, model: script.yaml}
agents:
  assistant:
    memory:
      working: {budget: 300}
      longterm: {storage_scope: %s}
"""
NORTH = "The stores in North opened in October."
BOSS = "Our director is called Matilda Ferguson."


@pytest.fixture
def told(home):
    """A home whose agent was told two facts, each in its own session."""
    home.config(CONFIG % "conversational")
    home.script(["Noted."])
    home.run_here("call", "-s", "north", NORTH)
    home.run_here("call", "-s", "boss", BOSS)
    return home


def ids(home, *arguments):
    return {m["text"].partition(" Answer")[0]: m["memory_id"] for m in memories(home, *arguments)}


def memories(home, *arguments):
    return home.json("memory", "show", *arguments)["longterm"]["memories"]


def test_show_gives_budget_parts_and_memories_of_the_newest_session(told):
    shown = told.run_here("memory", "show").stdout.decode()
    head, bar, marks, *rest = shown.splitlines()
    assert "of 300 tokens" in head
    assert "Our director is called Matilda…  ·  now" in head
    assert set(bar.strip()) == {"S", "M", "-"}
    assert len(bar.strip()) == 56
    assert "folds at 80 %" in marks
    assert any(line.startswith("  S System prompt  1") for line in rest)
    assert any(line.startswith("  M Messages") for line in rest)
    assert "2 memories · scope conversational · newest first" in rest
    assert not {"━", "■", "─", "\x1b"} & set(shown)
    assert all(len(line) <= 80 for line in shown.splitlines() if not line.startswith("mem_"))


def test_the_json_is_that_of_the_server(told):
    shown = told.json("memory", "show", "--session", "north")
    assert set(shown) == {"working", "longterm"}
    assert shown["working"]["session_id"] == "north"
    assert shown["working"]["turn_id"] is None
    assert shown["longterm"]["scope"] == "conversational"
    assert len(shown["longterm"]["memories"]) == 2


def test_a_turn_shows_what_its_model_saw_part_by_part(told):
    told.run_here("call", "-s", "asks", "When did the stores in North open?")
    turn = told.json("sessions", "show", "asks")["messages"][0]["turn_id"]
    shown = told.run_here("memory", "show", "--turn", turn).stdout.decode()
    assert turn in shown
    assert "user       When did the stores in North open?" in shown
    assert "words" in shown
    assert "from nor" in shown
    assert told.json("memory", "show", "--turn", turn)["turn_id"] == turn


def test_memories_come_in_pages(told):
    first = told.json("memory", "show", "--limit", "1")["longterm"]
    second = told.json("memory", "show", "--limit", "1", "--cursor", first["next_cursor"])["longterm"]
    assert {m["text"] for m in first["memories"]} != {m["text"] for m in second["memories"]}
    done = told.run_here("memory", "show", "--limit", "1")
    assert f"More: --cursor {first['next_cursor']}" in done.stderr.decode()


def test_search_is_best_first_and_a_line_each_in_a_pipe(told):
    first, *_ = told.run_here("memory", "search", "when did North open its stores?").stdout.decode().splitlines()
    memory_id, score, _, text = first.split("\t")
    assert memory_id.startswith("mem_")
    assert 0 < float(score) <= 1
    assert text.startswith(NORTH)
    best, *_ = told.json("memory", "search", 'director "AND* (', "--limit", "1")["memories"]
    assert best["text"].startswith(BOSS)
    assert {"score", "keyword_score", "vector_score"} <= set(best)


def test_what_is_corrected_is_what_is_found(told):
    memory_id = ids(told)[NORTH]
    done = told.run_here("memory", "correct", memory_id, "North opened in May.")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "North opened in May." in done.stderr.decode()
    assert told.json("memory", "search", "North")["memories"][0]["text"] == "North opened in May."
    assert told.json("memory", "correct", memory_id, "In June.")["corrected_at"] is not None


def test_what_is_forgotten_is_gone(told):
    memory_id = ids(told)[NORTH]
    assert told.run_here("memory", "forget", memory_id).returncode == 2
    assert "Add --yes." in told.run_here("memory", "forget", memory_id).stderr.decode()
    assert NORTH in ids(told)
    assert told.run_here("memory", "forget", memory_id, "--yes").returncode == 0
    assert NORTH not in ids(told)
    assert told.run_here("memory", "forget", memory_id, "--yes").returncode == 4
    other = ids(told)[BOSS]
    assert told.json("memory", "forget", other, "--yes") == {"memory_id": other, "forgotten": True}


def test_a_memory_is_found_whatever_session_has_it(home):
    home.config(CONFIG % "session")
    home.script(["Noted."])
    home.run_here("call", "-s", "north", NORTH)
    home.run_here("call", "-s", "boss", BOSS)
    assert list(ids(home)) == [BOSS]
    memory_id = ids(home, "--session", "north")[NORTH]
    assert home.run_here("memory", "forget", memory_id, "--yes", "--session", "boss").returncode == 4
    assert home.run_here("memory", "forget", memory_id, "--yes").returncode == 0
    assert ids(home, "--session", "north") == {}


def test_reindexing_says_how_many_had_no_vector(told):
    assert told.json("memory", "reindex") == {"reindexed": {"assistant": 0}}
    assert "assistant: nothing was missing." in told.run_here("memory", "reindex").stderr.decode()


def test_without_longterm_memory_it_says_how_to_turn_it_on(home):
    home.run_here("call", "-s", "abc", "hi")
    shown = home.run_here("memory", "show").stdout.decode()
    assert "Long-term memory is off for assistant." in shown
    assert "longterm" in shown.splitlines()[-1]
    assert home.json("memory", "show")["longterm"] is None
    assert home.run_here("memory", "search", "hi").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show",), 4, "There is no session with assistant yet."),
        (("show", "nobody"), 4, "There is no agent 'nobody'."),
        (("show", "--session", "nowhere"), 4, "There is no session 'nowhere'."),
        (("show", "--turn", "turn_1"), 4, "There is no turn 'turn_1'."),
        (("forget", "mem_1", "--yes"), 4, "There is no memory 'mem_1'."),
        (("correct", "mem_1", "text"), 4, "There is no memory 'mem_1'."),
        (("reindex", "nobody"), 4, "There is no agent 'nobody'."),
        (("show", "--limit", "0"), 2, "--limit"),
    ],
)
def test_what_cannot_be_done_is_said(home, arguments, code, words):
    home.config(CONFIG % "session")
    done = home.run_here("memory", *arguments)
    assert (done.returncode, done.stdout) == (code, b"")
    assert words in done.stderr.decode()


def test_empty_texts_are_refused(told):
    assert told.run_here("memory", "correct", ids(told)[NORTH], " ").returncode == 2
    assert told.run_here("memory", "search", " ").returncode == 2
    assert json.loads(told.run_here("memory", "search", "zzz", "--json").stdout)["memories"] is not None
