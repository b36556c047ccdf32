"""A file that nobody named must not run code or send secrets away."""

import hashlib
import json
import stat

import pytest

from hector_nb.config.loader import load_config
from hector_nb.config.trust import is_trusted, trust
from hector_nb.errors import ConfigError

DANGEROUS = """\
llms:
  main:
    provider: openai
    api_key: ${SECRET}
tools:
  server: {type: mcp, command: [rm, -rf, /]}
  add:
    type: function
    function: tools:add
  execute_command:
    shell: true
    require_approval: never
  write_file: {require_approval: rules}
agents:
  a:
    require_approval: never
"""


@pytest.fixture
def file(folder, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    path = folder / "hector.yaml"
    path.write_text(DANGEROUS)
    return path


def refused(folder):
    with pytest.raises(ConfigError) as caught:
        load_config(cwd=folder)
    return list(caught.value.problems)


def test_a_found_file_is_told_each_line_that_needs_trust_and_the_command(file, folder):
    end = f"is used only in a file that you trust; read this one, then run: hector trust {file}"
    assert refused(folder) == [
        f"hector.yaml:4: llms.main.api_key: a ${{VARIABLE}} {end}",
        f"hector.yaml:6: tools.server.type: `type: mcp` {end}",
        f"hector.yaml:8: tools.add.type: `type: function` {end}",
        f"hector.yaml:11: tools.execute_command.shell: `shell: true` {end}",
        f"hector.yaml:12: tools.execute_command.require_approval: `require_approval: never` {end}",
        f"hector.yaml:13: tools.write_file.require_approval: `require_approval: rules` {end}",
        f"hector.yaml:16: agents.a.require_approval: `require_approval: never` {end}",
    ]


def test_a_trusted_file_loads(file, folder):
    digest = trust(file)
    assert digest == hashlib.sha256(DANGEROUS.encode()).hexdigest()
    found = load_config(cwd=folder)
    key = found.config.llms["main"].api_key
    assert key is not None
    assert key.get_secret_value() == "hunter2"
    assert not found.named


def test_trust_ends_with_the_first_change(file, folder):
    trust(file)
    file.write_text(DANGEROUS + "\n")
    assert len(refused(folder)) == 7
    trust(file)
    load_config(cwd=folder)


def test_the_same_content_elsewhere_is_not_trusted(file, folder):
    trust(file)
    assert is_trusted(file, DANGEROUS.encode())
    (folder / "sub").mkdir()
    copy = folder / "sub/hector.yaml"
    copy.write_text(DANGEROUS)
    assert not is_trusted(copy, DANGEROUS.encode())
    assert refused(folder / "sub")


def test_a_link_to_a_trusted_file_is_trusted(file, folder):
    trust(file)
    (folder / "sub").mkdir()
    (folder / "sub/hector.yaml").symlink_to(file)
    load_config(cwd=folder / "sub")


def test_a_file_above_the_working_directory_needs_trust_too(file, folder):
    (folder / "sub").mkdir()
    assert len(refused(folder / "sub")) == 7


def test_a_named_file_needs_no_trust(file, folder, user):
    load_config(file, cwd=folder)
    load_config(environ={"SECRET": "x", "HECTOR_CONFIG": str(file)}, cwd=folder)
    users = user / "config/hector_nb/hector.yaml"
    users.parent.mkdir(parents=True)
    file.rename(users)
    load_config(cwd=folder)


@pytest.mark.parametrize(
    "text",
    [
        "llms: {a: {provider: openai-compatible, base_url: 'http://localhost:1/v1'}}",
        "tools: {execute_command: {allow: [ls], require_approval: always}, write_file: {root: .}}\n",
        "agents: {a: {instruction: 'Write $${NAME}'}} # not ${A_VARIABLE}",
    ],
)
def test_a_harmless_found_file_needs_no_trust(text, folder):
    (folder / "hector.yaml").write_text(text)
    load_config(cwd=folder)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("agents:\n  ${NAME}: {}\n", "agents"),
        ("agents:\n  a: &x {tools: ['${NAME}']}\n", "agents.a.tools[0]"),
        ("agents:\n  a: {description: '${NAME:-x}'}\n", "agents.a.description"),
    ],
)
def test_variables_need_trust_wherever_they_stand(text, path, folder):
    (folder / "hector.yaml").write_text(text)
    (problem,) = refused(folder)
    assert problem.startswith(f"hector.yaml:2: {path}: a ${{VARIABLE}} is used only in a file that you trust")


@pytest.mark.parametrize(
    "text",
    [
        "tools:\n  execute_command: {<<: {shell: yes}}\n",
        "agents:\n  a: {require_approval: &n never}\n",
        "tools:\n  execute_command: {shell: !!bool 'on'}\n",
        "tools:\n  x: {'type': 'mcp', url: 'http://x'}\n",
    ],
)
def test_what_needs_trust_cannot_be_disguised(text, folder):
    (folder / "hector.yaml").write_text(text)
    (problem,) = refused(folder)
    assert problem.startswith("hector.yaml:2: ")
    assert "is used only in a file that you trust" in problem


def test_the_command_can_be_pasted_whatever_the_folder_is_called(folder):
    odd = folder / "a; touch x"
    odd.mkdir()
    (odd / "hector.yaml").write_text("agents: {a: {require_approval: never}}")
    (problem,) = refused(odd)
    assert problem.endswith(f"run: hector trust '{odd}/hector.yaml'")


def test_what_is_trusted_is_kept_for_this_user_alone(file, user):
    digest = trust(file)
    kept = user / "hector/trusted.json"
    assert json.loads(kept.read_text()) == {str(file): digest}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert list(kept.parent.iterdir()) == [kept]


def test_several_files_are_trusted_side_by_side(file, folder):
    other = folder / "other.yaml"
    other.write_text("{}")
    trust(file)
    trust(other)
    assert is_trusted(file, DANGEROUS.encode())
    assert is_trusted(other, b"{}")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 5}'])
def test_nothing_is_trusted_where_the_list_is_broken(content, file, folder, user):
    kept = user / "hector/trusted.json"
    kept.parent.mkdir()
    kept.write_text(content)
    assert not is_trusted(file, DANGEROUS.encode())
    assert refused(folder)
    trust(file)
    load_config(cwd=folder)


def test_a_missing_file_cannot_be_trusted(folder):
    with pytest.raises(ConfigError) as caught:
        trust(folder / "none.yaml")
    assert caught.value.problems == (f"{folder}/none.yaml: cannot be read: No such file or directory",)


def test_a_list_that_cannot_be_replaced_is_an_error(file, user):
    (user / "hector/trusted.json").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"trusted\.json cannot be written: Is a directory"):
        trust(file)
    assert [path.name for path in (user / "hector").iterdir()] == ["trusted.json"]


def test_asking_for_trust_makes_no_folder(file, folder, user):
    refused(folder)
    assert not (user / "hector").exists()


def test_a_folder_that_cannot_be_is_no_reason_to_fail(folder):
    (folder / "hector.yaml").write_text('tools: {read_file: {root: "a\\0b"}}\n')
    assert refused(folder)


def test_a_found_file_keeps_tools_inside_its_folder(folder):
    (folder / "link").symlink_to(folder.parent)
    (folder / "hector.yaml").write_text(
        "tools:\n"
        "  read_file: {root: /etc}\n"
        "  list_files: {root: sub/..}\n"
        "  search:\n"
        "    folders: [docs, ../other, ~/.ssh, link, ./docs/../src]\n"
    )
    end = f"is used only in a file that you trust; read this one, then run: hector trust {folder / 'hector.yaml'}"
    place = "a folder outside of the file's own"
    assert refused(folder) == [
        f"hector.yaml:2: tools.read_file.root: {place} {end}",
        *(f"hector.yaml:5: tools.search.folders[{index}]: {place} {end}" for index in (1, 2, 3)),
    ]
    trust(folder / "hector.yaml")
    load_config(cwd=folder)
