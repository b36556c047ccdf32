"""Where a user's things are, and who the user is."""

import os
import stat
from pathlib import Path

import pytest

from hector_nb.config.home import cache_folder, current_user, home_folder, store_url, user_config_file
from hector_nb.config.schema import Config
from hector_nb.errors import ConfigError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_folder_is_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "a/b"))
    assert home_folder() == tmp_path / "a/b"
    assert home_folder({"HECTOR_HOME": str(tmp_path / "c")}) == tmp_path / "c"
    assert mode(tmp_path / "a/b") == mode(tmp_path / "c") == 0o700


def test_the_home_folder_may_begin_with_a_tilde_or_be_relative(user, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert home_folder({"HECTOR_HOME": "~/mine"}) == user / "mine"
    assert home_folder({"HECTOR_HOME": "here"}) == tmp_path / "here"


def test_without_the_variable_it_is_the_platforms_folder_for_data(user):
    assert home_folder({}) == user / "data/hector_nb"
    assert home_folder({"HECTOR_HOME": ""}) == user / "data/hector_nb"


def test_the_users_configuration_is_in_the_platforms_folder_for_it(user):
    assert user_config_file() == user / "config/hector_nb/hector.yaml"


def test_the_cache_is_in_the_home_folder(tmp_path):
    environ = {"HECTOR_HOME": str(tmp_path / "a")}
    assert cache_folder(environ) == tmp_path / "a/cache"
    assert mode(tmp_path / "a/cache") == 0o700


def test_an_empty_folder_is_closed_to_others_and_one_in_use_is_left_alone(tmp_path):
    empty, used = tmp_path / "empty", tmp_path / "used"
    for folder in (empty, used):
        folder.mkdir()
        folder.chmod(0o755)
    (used / "file").touch()
    assert mode(home_folder({"HECTOR_HOME": str(empty)})) == 0o700
    assert mode(home_folder({"HECTOR_HOME": str(used)})) == 0o755


def test_a_folder_for_everybody_is_left_alone(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    assert mode(home_folder({"HECTOR_HOME": str(tmp_path / "tmp")})) == 0o1777


def test_a_home_that_cannot_be_made_is_an_error_with_a_hint(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made: Not a directory") as caught:
        home_folder({"HECTOR_HOME": str(tmp_path / "file/home")})
    assert caught.value.hint == "Set HECTOR_HOME to another folder."
    with pytest.raises(ConfigError, match="cannot be made: File exists"):
        home_folder({"HECTOR_HOME": str(tmp_path / "file")})


def test_a_home_that_cannot_be_written_to_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(ConfigError, match="cannot be written to"):
        home_folder({"HECTOR_HOME": str(tmp_path)})


def test_the_default_store_is_a_file_in_the_home_folder(tmp_path):
    environ = {"HECTOR_HOME": str(tmp_path / "a")}
    assert store_url(Config(), environ=environ) == f"sqlite:///{tmp_path}/a/sessions.db"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:///chat.db", "sqlite:///{folder}/chat.db"),
        ("sqlite:///data/chat.db", "sqlite:///{folder}/data/chat.db"),
        ("sqlite:////srv/chat.db", "sqlite:////srv/chat.db"),
        ("sqlite:///~/chat.db", "sqlite:///{user}/chat.db"),
        ("postgresql://u:p@host/db", "postgresql://u:p@host/db"),
    ],
)
def test_a_stores_path_starts_at_the_files_folder(written, meant, folder, user):
    config = Config.model_validate({"storage": {"url": written}})
    assert store_url(config, folder=folder) == meant.format(folder=folder, user=user)


def test_a_stores_path_starts_at_the_working_directory_where_there_is_no_file(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert store_url(Config.model_validate({"storage": {"url": "sqlite:///a.db"}})) == f"sqlite:///{folder}/a.db"


@pytest.mark.parametrize(
    ("environ", "user"),
    [
        ({}, "local"),
        ({"JUPYTERHUB_USER": "ada"}, "ada"),
        ({"HECTOR_USER": "bob", "JUPYTERHUB_USER": "ada"}, "bob"),
        ({"HECTOR_USER": "", "JUPYTERHUB_USER": ""}, "local"),
    ],
)
def test_the_user_is_hectors_then_the_hubs_then_local(environ, user):
    assert current_user(environ) == user


def test_the_process_says_who_the_user_is(monkeypatch):
    monkeypatch.setenv("HECTOR_USER", "eve")
    assert current_user() == "eve"
