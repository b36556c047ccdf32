"""`hector_nb.testing`: what its page says, and what it says to those whose tests fail."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hector_nb
from hector_nb import testing
from hector_nb.errors import AgentNotFound, ConfigError, ModelError

PAGE = Path(__file__).parent.parent / "docs" / "testing.md"
MEMORY = {"agents": {"keeper": {"memory": {"longterm": {"storage_scope": "conversational"}}}}}


def test_every_snippet_of_the_page_is_a_test_that_passes(tmp_path: Path) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(snippets) == 4
    (tmp_path / "test_page.py").write_text("\n".join(snippets))
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PAGE.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{''.join(snippets).count('def test_')} passed" in done.stdout, done.stdout + done.stderr


def test_the_script_of_the_page_plays_in_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    config, script = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "hector.yaml").write_text(config)
    (tmp_path / "script.yaml").write_text(script)
    with hector_nb.connect(tmp_path / "hector.yaml") as hector:
        session = hector.session()
        answers = [session.send(text).text for text in ("Are you open?", "Thank you.", "Are you open?")]
    assert answers == ["From ten to six.", "You are welcome.", "From ten to six."]


def test_replies_that_nobody_asked_for_fail_the_test() -> None:
    with (
        pytest.raises(AssertionError, match="1 of the script's 2 replies"),
        testing.connect(["One.", "Two."]) as hector,
    ):
        hector.session().send("Hi")


def test_a_request_too_many_fails_the_turn_and_then_the_test() -> None:
    with pytest.raises(AssertionError, match="asked 1 times more"), testing.connect(["One."]) as hector:
        session = hector.session()
        session.send("Hi")
        with pytest.raises(ModelError, match="no reply for request 2"):
            session.send("Hi")


def test_a_failure_inside_the_block_is_the_one_that_is_told() -> None:
    with pytest.raises(ZeroDivisionError), testing.connect(["One."]):
        _ = 1 / 0


def test_a_script_may_repeat() -> None:
    with testing.connect("One.", repeat=True) as hector:
        assert [hector.session().send("Hi").text for _ in range(3)] == ["One."] * 3


def test_assertions_say_what_there_was() -> None:
    with testing.connect(["One."]) as hector:
        with pytest.raises(AssertionError, match="was asked 0 times"):
            hector.script.assert_saw("Hi")
        answer = hector.session().send("Hi")
        with pytest.raises(AssertionError, match=r"did not see 'Ho', but:\nsystem: .*\nuser: Hi"):
            hector.script.assert_saw("Ho")
        with pytest.raises(AssertionError, match="saw 'Hi'"):
            hector.script.assert_did_not_see("Hi")
        with pytest.raises(AssertionError, match=r"was offered \[\], not \['look'\]"):
            hector.script.assert_offered("look")
        with pytest.raises(AssertionError, match="called were: no tools"):
            testing.assert_called(answer, "look")


def test_memory_works_without_a_store() -> None:
    with testing.connect(["Noted.", "In Lyon."], MEMORY) as hector:
        hector.session().send("My sister Clara keeps bees in Lyon.")
        hector.session().send("Where does Clara keep bees?")
        hector.script.assert_saw("Clara keeps bees in Lyon")


def test_two_engines_know_nothing_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    with testing.connect(["One."]) as first, testing.connect() as second:
        first.session().send("Hi")
        assert (len(first.sessions()), len(second.sessions())) == (1, 0)
        folder = first.folder
    assert not (tmp_path / "home").exists()
    assert not folder.exists()


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reply 1, step 2"):
        testing.connect([["One", {"shout": "Two"}]])
    with pytest.raises(ConfigError, match="did you mean"):
        testing.connect([], "agents: {a: {instrucion: x}}")
    with pytest.raises(AgentNotFound, match="nobody"):
        testing.connect({"nobody": []})
    file = tmp_path / "hector.yaml"
    file.write_text("agents: {a: {instruction: Be brief.}}")
    with testing.connect(["Yes."], file) as hector:
        hector.ask("Ready?")
        hector.script.assert_saw("Be brief.")
        assert hector.folder == tmp_path


@pytest.mark.anyio
async def test_the_same_is_awaited() -> None:
    async with testing.aconnect(["One.", "Two."]) as hector:
        session = await hector.session()
        assert (await session.send("Hi")).text == "One."
        assert "".join([text async for text in session.stream("Hi")]) == "Two."
        hector.script.assert_saw("Hi", request=0)
