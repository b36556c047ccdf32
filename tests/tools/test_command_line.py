"""A command is one program with its arguments; what only a shell could do is refused, not passed on."""

import pytest

from hector_nb.tools.base import ToolError
from hector_nb.tools.command_line import split


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python hello.py", ["python", "hello.py"]),
        ("  ls   -l \n", ["ls", "-l"]),
        ("grep 'a b' \"c d\" e\\ f", ["grep", "a b", "c d", "e f"]),
        ("python -c 'print(1); print(2) && x > y | z'", ["python", "-c", "print(1); print(2) && x > y | z"]),
        ('python -c "print(1)\nprint(2)"', ["python", "-c", "print(1)\nprint(2)"]),
        ("awk '{print $1}' `".replace(" `", ""), ["awk", "{print $1}"]),
        ('grep "end$" x', ["grep", "end$", "x"]),
        ("grep end$ x", ["grep", "end$", "x"]),
        ("echo '`' '$(x)' \\; \\$x", ["echo", "`", "$(x)", ";", "$x"]),
        ("find . -name *.py", ["find", ".", "-name", "*.py"]),
        ("echo ''", ["echo", ""]),
    ],
)
def test_quotes_are_understood(command, words):
    assert split(command) == words


@pytest.mark.parametrize(
    "command",
    [
        "ls; rm x",
        "ls;rm x",
        "ls && rm x",
        "ls || rm x",
        "ls & rm x",
        "ls &",
        "ls | sh",
        "ls > x",
        "ls >> x",
        "ls 2>&1",
        "cat < x",
        "cat <<EOF",
        "ls\nrm x",
        "ls \\\n rm",
        "ls\rrm x",
        "ls $(rm x)",
        'ls "$(rm x)"',
        "ls `rm x`",
        'ls "`rm x`"',
        "ls ${HOME}",
        "ls $HOME",
        'ls "$HOME"',
        "ls $?",
        "(ls)",
        "ls 'a'; rm x",
        'ls "a" ; rm "b"',
        "ls 'a\\'; rm x",
        "cat <(ls)",
    ],
)
def test_what_needs_a_shell_is_refused_with_a_clear_text(command):
    with pytest.raises(ToolError, match=r"There is no shell here, so .* cannot be used\. Run one program"):
        split(command)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("ls 'a", "cannot be read: no closing quotation"),
        ("ls \\", "cannot be read: no escaped character"),
        ("ls a\x00b", "NUL"),
        ("ls \ud800", "surrogate"),
        ("''", "names no program"),
        ("'' x", "names no program"),
    ],
)
def test_what_is_no_command_is_refused(command, told):
    with pytest.raises(ToolError, match=told):
        split(command)
