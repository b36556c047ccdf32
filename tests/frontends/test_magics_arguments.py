"""What may stand after `%hector` and `%%hector`."""

import pytest
from IPython.core.error import UsageError

from hector_nb.frontends.magics_arguments import (
    ABOUT_THE_ERROR,
    CommandArguments,
    PromptArguments,
    parse_cell,
    parse_line,
)


@pytest.mark.parametrize(
    "prompt",
    ["what's up?", 'say "hi', "leaking memory?", "a  b", "{x} $y", "1 -a 2", "what is -s for?", "Agents of change"],
)
def test_a_prompt_is_neither_split_nor_unquoted(prompt: str) -> None:
    assert parse_line(prompt) == PromptArguments(prompt=prompt)


def test_a_first_word_that_is_a_command_wins() -> None:
    assert parse_line("agents") == CommandArguments(name="agents")
    assert parse_line("use helper --session s1") == CommandArguments(name="use", agent="helper", session="s1")
    assert parse_line("history -n 5") == CommandArguments(name="history", limit=5)


def test_two_dashes_force_a_prompt() -> None:
    assert parse_line("-- agents") == PromptArguments(prompt="agents")
    assert parse_line("-a helper -- -5 + 3?") == PromptArguments(prompt="-5 + 3?", agent="helper")


def test_options_come_before_the_prompt() -> None:
    parsed = parse_line("-a helper --out=answer -f text --thinking --debug --raw --no-stream what's up")
    assert parsed == PromptArguments(
        prompt="what's up",
        agent="helper",
        out="answer",
        format="text",
        thinking=True,
        debug=True,
        raw=True,
        stream=False,
    )


def test_a_cell_may_begin_with_its_agent() -> None:
    assert parse_cell("helper --new", "Hi\n-a b\n") == PromptArguments(prompt="Hi\n-a b", agent="helper", new=True)
    assert parse_cell("", "Hi") == PromptArguments(prompt="Hi")


def test_errors_go_along_with_a_prompt_or_alone() -> None:
    assert parse_line("--err what now?") == PromptArguments(prompt="what now?", err=True)
    assert parse_line("--err") == PromptArguments(prompt=ABOUT_THE_ERROR, err=True)
    assert parse_cell("--err --append", "\n") == PromptArguments(prompt=ABOUT_THE_ERROR, err=True, append=True)


def test_an_answer_may_be_code_or_json() -> None:
    assert parse_cell("-f code", "x").format == "code"
    assert parse_line("--format=json x") == PromptArguments(prompt="x", format="json")


def test_nothing_asks_what_is_connected() -> None:
    assert parse_line("  ") is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--bogus hi", "--bogus"),
        ("-f html hi", "html"),
        ("--out 1x hi", "variable name"),
        ("--out class hi", "variable name"),
        ("-a", "expected one argument"),
        ("--new -s x hi", "exclude"),
        ("--", "no prompt"),
        ("use", "required"),
        ("agents of change", "%hector -- agents"),
        ("sessions -n 0", "positive"),
        ("--thinkin hi", "--thinkin"),
    ],
)
def test_nonsense_is_a_usage_error_that_says_what_to_do(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_line(line)


@pytest.mark.parametrize(
    ("line", "cell", "said"), [("", "  \n", "no prompt"), ("what is this", "x", "below"), ("--bogus", "x", "--bogus")]
)
def test_nonsense_in_a_cell_is_a_usage_error_too(line: str, cell: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_cell(line, cell)


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("memory", CommandArguments(name="memory")),
        ("memory -s s1", CommandArguments(name="memory", session="s1")),
        ("memory --query what's -s for?", CommandArguments(name="memory", query="what's -s for?")),
        ("memory -s s1 -q 'two words'", CommandArguments(name="memory", session="s1", query="two words")),
        ("memory --query=one", CommandArguments(name="memory", query="one")),
        ("why", CommandArguments(name="why")),
        ("why turn_1 -s s1", CommandArguments(name="why", turn="turn_1", session="s1")),
        ("why {_hector.turn_id}", CommandArguments(name="why", turn="{_hector.turn_id}")),
        ("forget mem_1 mem_2", CommandArguments(name="forget", memory_ids=("mem_1", "mem_2"))),
        ("correct mem_1 It's -s  B", CommandArguments(name="correct", memory_ids=("mem_1",), text="It's -s  B")),
        ('correct -s s1 mem_1 "B"', CommandArguments(name="correct", memory_ids=("mem_1",), session="s1", text="B")),
        ("tools", CommandArguments(name="tools")),
        ("tools helper", CommandArguments(name="tools", agent="helper")),
        ("fork", CommandArguments(name="fork")),
        ("fork turn_1 -s s1", CommandArguments(name="fork", turn="turn_1", session="s1")),
        ("rewind {_hector.turn_id}", CommandArguments(name="rewind", turn="{_hector.turn_id}")),
        ("export a.md", CommandArguments(name="export", file="a.md")),
        ("export -f ipynb --overwrite", CommandArguments(name="export", format="ipynb", overwrite=True)),
        ("chat helper", CommandArguments(name="chat", agent="helper")),
    ],
)
def test_commands_about_memory_and_tools(line: str, parsed: CommandArguments) -> None:
    assert parse_line(line) == parsed


@pytest.mark.parametrize(
    "line",
    [
        *(
            "why is the sky blue?",
            "forget it",
            "forget",
            "correct",
            "correct me",
            "correct mem_1",
            "memory of elephants",
        ),
        *("fork in the road", "rewind two", "export my data", "chat with me", "export -f docx"),
        *("tools for gardening", "memory -q", "why turn_1 turn_2", "correct mem_1 ''"),
    ],
)
def test_words_that_only_begin_like_a_command_are_refused_with_the_way_to_send_them(line: str) -> None:
    with pytest.raises(UsageError, match=f"%hector -- {line.split()[0]}"):
        parse_line(line)
