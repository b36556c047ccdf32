"""Where `hector serve` listens, and to whom."""

from pathlib import Path
from typing import Any

import pytest

from hector_nb.config.loader import LoadedConfig
from hector_nb.config.schema import Config
from hector_nb.errors import ConfigError
from hector_nb.transports.listen import Listen, where


def loaded(folder: Path = Path("/nowhere"), **server: Any) -> LoadedConfig:
    return LoadedConfig(config=Config.model_validate({"server": server}), path=None, named=False, folder=folder)


def test_by_default_it_is_loopback_with_a_token_made_for_the_occasion() -> None:
    first, second = where(loaded(), {}), where(loaded(), {})
    assert (first.host, first.port, first.base_url) == ("127.0.0.1", 8080, "/")
    assert first.shown_token is not None
    assert first.users == {first.shown_token: "local"}
    assert len(first.shown_token) >= 32
    assert first.shown_token != second.shown_token
    assert first.address(8080) == f"http://127.0.0.1:8080/agents?token={first.shown_token}"


def test_what_is_asked_for_goes_before_the_environment_and_that_before_the_file() -> None:
    file = loaded(host="0.0.0.0", port=1, token="of-the-file")
    assert where(file, {}).users == {"of-the-file": "local"}
    assert where(file, {"HECTOR_TOKEN": "of-the-environment"}).users == {"of-the-environment": "local"}
    chosen = where(file, {"HECTOR_TOKEN": "x"}, host="127.0.0.1", port=0, token="asked-for", base_url="x/y")
    assert chosen.users == {"asked-for": "local"}
    assert (chosen.host, chosen.port, chosen.base_url) == ("127.0.0.1", 0, "/x/y/")


def test_a_token_that_was_chosen_is_not_printed() -> None:
    listen = where(loaded(), {}, token="secret")
    assert listen.address(80) == "http://127.0.0.1:80/agents"


def test_users_by_token_make_no_other_token() -> None:
    assert where(loaded(tokens={"t-of-ada": "ada"}), {}).users == {"t-of-ada": "ada"}
    assert where(loaded(tokens={"t-of-ada": "ada"}), {}, token="mine").users == {"t-of-ada": "ada", "mine": "local"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_no_token_is_for_loopback(host: str) -> None:
    assert where(loaded(token="ignored"), {"HECTOR_TOKEN": "ignored"}, host=host, no_token=True).users == {}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "example.org"])
def test_no_token_is_refused_elsewhere(host: str) -> None:
    with pytest.raises(ConfigError, match="everybody"):
        where(loaded(), {}, host=host, no_token=True)


def test_no_token_contradicts_a_token() -> None:
    with pytest.raises(ConfigError, match="contradicts"):
        where(loaded(), {}, token="x", no_token=True)
    with pytest.raises(ConfigError, match="contradicts"):
        where(loaded(tokens={"x": "ada"}), {}, no_token=True)


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("localhost", "localhost")]
)
def test_the_address_can_be_called(host: str, shown: str) -> None:
    assert Listen(host=host, port=0, certfile="x").address(7) == f"https://{shown}:7/agents"


def test_certificates_are_found_from_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").touch()
    assert where(loaded(tmp_path, certfile="cert.pem"), {}).certfile == str(tmp_path / "cert.pem")
    with pytest.raises(ConfigError, match=r"server\.keyfile: there is no file"):
        where(loaded(tmp_path, certfile="cert.pem", keyfile="no.pem"), {})
