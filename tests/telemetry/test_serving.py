"""`hector serve` as a process, as those see it who run it: its log and its metrics."""

import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.transports.test_serve import Served, failing, serving

CONFIG = """
llms:
  default: {provider: scripted, model: script.yaml}
  gone: {provider: openai-compatible, model: m, base_url: "http://127.0.0.1:9/v1", api_key: MARKED-KEY, max_retries: 0}
agents:
  assistant: {llm: default}
  broken: {llm: gone}
"""
SCRIPT = 'repeat: true\nreplies:\n  - ["MARKED-ANSWER", " is here"]\n'
TOKEN = "MARKED-TOKEN"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hector.yaml").write_text(CONFIG)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    return tmp_path


def post(served: Served, path: str, body: object, **headers: str) -> tuple[int, str, dict[str, str]]:
    data = json.dumps(body).encode()
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}", **headers}
    request = urllib.request.Request(served.base + path, data, sent)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode(), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def test_the_json_log_has_a_line_for_each_turn_and_each_error_and_never_a_prompt_token_or_key(folder: Path) -> None:
    with serving(folder, f"--port 0 --token {TOKEN} --log-format json") as served:
        _, answer, _ = post(served, "/agents/assistant/messages", {"message": "MARKED-PROMPT"})
        status, _, headers = post(served, "/agents/broken/messages?token=MARKED-TOKEN", {"message": "MARKED-PROMPT"})
        assert status == 502
        assert post(served, "/agents/assistant/messages", {"message": "MARKED-PROMPT", "x": "MARKED"})[0] == 422
        assert post(served, "/agents/assistant/messages", {"message": "no"}, Authorization="Bearer MARKED")[0] == 403
        urllib.request.urlopen(
            f"{served.base}/agents/assistant/messages/stream?message=MARKED-PROMPT&token={TOKEN}"
        ).read()
        code, errors = served.stop()
    assert code == 0
    assert "MARKED" not in errors
    lines = [json.loads(line) for line in errors.splitlines()]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)
    turns = [line for line in lines if line.get("event") == "turn"]
    told = json.loads(answer)
    first, failed = turns[0], turns[1]
    assert (first["turn_id"], first["session_id"]) == (told["turn_id"], told["session_id"])
    assert (first["agent"], first["outcome"], first["finish_reason"]) == ("assistant", "complete", "stop")
    assert first["completion_tokens"] == told["usage"]["completion_tokens"]
    assert first["transport"] == "rest"
    assert first["seconds"] >= first["first_token_seconds"] >= 0
    assert (failed["agent"], failed["model"], failed["outcome"]) == ("broken", "m", "failed")
    assert failed["error"].startswith("model_")
    errors_told = [line for line in lines if line.get("event") == "error"]
    assert [line["status"] for line in errors_told][:3] == [502, 422, 403]
    assert errors_told[0]["request_id"] == headers["Hector-Request-Id"]
    assert errors_told[0]["level"] == "warning"


def test_by_default_the_log_is_text_and_quiet(folder: Path) -> None:
    with serving(folder, f"--port 0 --token {TOKEN}") as served:
        assert post(served, "/agents/assistant/messages", {"message": "Hi"})[0] == 200
        assert served.stop() == (0, "")


def test_the_environment_may_choose_the_format_and_must_choose_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HECTOR_LOG_FORMAT", "xml")
    assert "HECTOR_LOG_FORMAT is 'xml'" in failing(folder, "--port 0")
    monkeypatch.setenv("HECTOR_LOG_FORMAT", "json")
    with serving(folder, f"--port 0 --token {TOKEN}") as served:
        post(served, "/agents/assistant/messages", {"message": "Hi"})
        _, errors = served.stop()
    assert json.loads(errors.splitlines()[0])["event"] == "turn"


def test_metrics_tell_of_turns_tokens_and_sessions_by_state(folder: Path) -> None:
    with serving(folder, f"--port 0 --token {TOKEN}") as served:
        for name in ("one", "two"):
            post(served, "/agents/assistant/sessions", {"session_id": name})
        post(served, "/agents/assistant/sessions/two/end", {})
        post(served, "/agents/assistant/sessions/one/messages/stream", {"message": "MARKED-PROMPT"})
        post(served, "/agents/assistant/sessions/one/messages/stream?events=log", {"message": "As the client reads"})
        request = urllib.request.Request(f"{served.base}/hector/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        text, until = "", time.monotonic() + 30
        while 'hector_sessions{state="ended"} 1.0' not in text and time.monotonic() < until:  # a count is kept for 10 s
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read().decode()
    assert 'hector_turns_total{agent="assistant",outcome="complete"} 2.0' in text
    assert re.search(r'hector_model_tokens_total\{direction="output",model="[^"]+"\} [1-9]', text)
    assert 'hector_sessions{state="active"} 1.0' in text
    assert 'hector_sessions{state="ended"} 1.0' in text
    assert 'hector_request_to_model_seconds_count{transport="sse"} 2.0' in text
    assert 'hector_token_to_reader_seconds_count{transport="sse"} 2.0' in text
    assert 'hector_streams{transport="sse"} 0.0' in text
    assert "MARKED" not in text
    assert "one" not in re.findall(r'"([^"]*)"', text)
