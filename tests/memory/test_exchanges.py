"""What of a turn is remembered: what was said and answered, without tools' results, small talk and reactions, in pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hector_nb.memory.exchanges import MOST_PIECES, exchange_of, is_statement, pieces, says_nothing, turns
from hector_nb.memory.tokens import TiktokenCounter
from hector_nb.messages import ToolCall
from tests.stores.making import make_message

pytestmark = pytest.mark.anyio
COUNTER = TiktokenCounter()


def turn(said, answer="", **more):
    return [make_message(said), *([make_message(answer, role="assistant", **more)] if answer else [])]


def text_of(said, answer="", **more):
    exchange = exchange_of(turn(said, answer, **more), first_position=1)
    return exchange and exchange.text


async def cut(said, answer="", limit=60):
    exchange = exchange_of(turn(said, answer), first_position=1)
    return await pieces(exchange, limit=limit, counter=COUNTER)


def test_a_question_is_remembered_with_its_answer():
    assert (
        text_of("Which wine goes with trout?", " A dry Riesling. ")
        == "Which wine goes with trout?\nAnswer: A dry Riesling."
    )


@pytest.mark.parametrize(
    "said",
    ["My sister Clara keeps bees in Lyon.", "Ingrid has moved house and is in Graz now.", "I’m allergic to peanuts"],
)
def test_a_statement_is_remembered_without_the_reaction(said):
    assert text_of(said, "How lovely! Bees are fascinating.") == said


@pytest.mark.parametrize(
    "said",
    [
        "Write a haiku about bees.",
        "I need a name for my dog.",
        "My dog is ill, what shall I do?",
        "Haiku, bees, go",
        "Schreib ein Haiku über Bienen.",
        "我的狗病了",
    ],
)
def test_what_asks_for_something_or_may_do_so_keeps_its_answer(said):
    assert text_of(said, "Golden in the sun") == f"{said}\nAnswer: Golden in the sun"


def test_a_long_answer_to_a_statement_is_remembered():
    advice = "Drink water and lie down. " * 13
    assert text_of("I have a headache.", advice) == f"I have a headache.\nAnswer: {advice.strip()}"


@pytest.mark.parametrize("said", ["", "  ", "🙂🙂", "?!", "ok", "OK, thanks! 🙂", "Hi there", "yes please", "-" * 300])
def test_what_says_nothing_is_left_out(said):
    assert says_nothing(said)
    assert text_of(said, "You're welcome! Anything else?") is None


@pytest.mark.parametrize("said", ["42", "Lyon", "No nuts", "I am 43", "谢谢", "Got the job!", "-" * 300 + " bees"])
def test_what_says_little_is_kept(said):
    assert not says_nothing(said)


def test_small_talk_with_a_long_answer_is_kept():
    assert text_of("ok go on", "The second part of the plan is about bees. " * 10).startswith(
        "ok go on\nAnswer: The second"
    )


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_an_answer_that_failed_is_left_out(status):
    assert text_of("Which wine goes with trout?", "A dry Ries", status=status) == "Which wine goes with trout?"


def test_an_answer_that_the_user_stopped_is_kept():
    assert text_of("Which wine goes with trout?", "A dry Riesling.", status="cancelled").endswith("A dry Riesling.")


def test_of_tools_one_line_is_remembered_and_of_answers_the_last():
    calls = (
        ToolCall(call_id="c1", name="write_file", arguments={"path": "hello.py", "content": "print('secret')"}),
        ToolCall(call_id="c2", name="now", arguments={}),
        ToolCall(call_id="c3", name="search", arguments={"words": ["bees", "x" * 99]}),
    )
    messages = [
        make_message("Write hello.py"),
        make_message("Let me see…", role="assistant", tool_calls=calls),
        make_message("done", role="tool", call_id="c1"),
        make_message("It is written.", role="assistant"),
    ]
    exchange = exchange_of(messages, first_position=11)
    assert exchange.text == (
        'Write hello.py\nAnswer: (Used write_file(hello.py), now, search(["bees", …))\nIt is written.'
    )
    assert exchange.message_ids == tuple(messages[place].message_id for place in (0, 1, 3))
    assert exchange.last_position == 14


def test_the_last_position_is_that_of_the_last_message_it_is_made_of():
    exchange = exchange_of(turn("My dog is called Rufus.", "Nice!"), first_position=5)
    assert exchange.last_position == 5
    assert len(exchange.message_ids) == 1


def test_turns_begin_with_what_the_user_says():
    first, second = turn("a", "b"), turn("c")
    third = [make_message("d", turn_id="t3"), make_message("e", turn_id="t3", role="assistant")]
    assert turns([*first, *second, *third]) == [first, second, third]
    assert turns([]) == []


def test_statements_are_told_from_questions():
    assert is_statement("The budget of Bluebird is 9000 euros.")
    assert not is_statement("Is the budget of Bluebird 9000 euros?")
    assert not is_statement("")
    assert not is_statement("My " + "very long story. " * 60)


async def test_a_short_exchange_is_one_piece():
    assert await cut("Which wine goes with trout?", "A dry Riesling.") == [
        "Which wine goes with trout?\nAnswer: A dry Riesling."
    ]


async def test_a_long_answer_is_cut_at_sentences_and_each_piece_says_what_was_asked():
    answer = " ".join(f"Step {number} is about the bees in hive {number}." for number in range(20))
    found = await cut("How do I keep bees?", answer)
    assert len(found) > 3
    assert all(piece.startswith("How do I keep bees?\nAnswer: Step ") and piece.endswith(".") for piece in found)
    assert [await COUNTER.count(piece) <= 70 for piece in found] == [True] * len(found)


async def test_a_long_message_is_cut_at_paragraphs():
    paragraphs = [f"Paragraph {number}. " + "It tells of bees. " * 6 for number in range(5)]
    found = await cut("\n\n".join(paragraphs), "ok")
    assert found[:5] == [paragraph.strip() for paragraph in paragraphs]
    assert found[5].endswith("…\nAnswer: ok")


async def test_of_a_very_long_text_the_beginning_is_kept():
    found = await cut("bees " * 200_000)
    assert len(found) == MOST_PIECES


async def test_a_few_characters_of_many_tokens_are_kept():
    assert "".join(await cut("a " + "\U0001e000" * 40)).count("\U0001e000") == 40


@settings(deadline=None, max_examples=60)
@given(said=st.text(max_size=2000), answer=st.text(max_size=2000), limit=st.integers(60, 300))
async def test_no_text_breaks_the_cutting(said, answer, limit):
    exchange = exchange_of(turn(said, answer), first_position=1)
    if exchange is None:
        return
    found = await pieces(exchange, limit=limit, counter=COUNTER)
    assert found
    for piece in found:
        assert piece.strip()
        assert await COUNTER.count(piece) <= limit + limit // 4 + 210
