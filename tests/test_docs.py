"""The pages under `docs/` tell what is so: they are written by the program, or their snippets are run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from hector_nb.config.examples import EXAMPLES
from hector_nb.config.loader import load_config
from hector_nb.config.reference import markdown
from hector_nb.config.schema import Config
from hector_nb.frontends.cli.app import app
from hector_nb.frontends.cli.exits import HELP, Code
from hector_nb.telemetry import metrics
from hector_nb.transports.routes import ROUTES
from tests.transports.test_serve import CONFIG, SCRIPT, start

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OPERATIONS = (DOCS / "operations.md").read_text()
CLI = (DOCS / "cli.md").read_text()
HECTOR = f"{sys.executable} -m hector_nb.frontends.cli"
SNIPPETS = dict(re.findall(r"<!-- ([\w: ]+) -->\n```\w+\n(.*?)```", OPERATIONS, re.DOTALL))


def test_every_snippet_is_known_here() -> None:
    assert OPERATIONS.count("```") == 2 * len(SNIPPETS)
    assert set(SNIPPETS) == {"kubernetes", "prometheus", "run: serve", "log"}


def test_the_configuration_page_is_what_the_program_writes() -> None:
    assert (DOCS / "configuration.md").read_text() == markdown(), (
        "run: hector schema --format markdown > docs/configuration.md"
    )


def test_the_configuration_page_has_every_key() -> None:
    page = markdown()

    def check(block: type, path: str) -> None:
        for key, field in block.model_fields.items():
            assert f"`{key}`" in page or f"{path}{key}" in page, f"{path}{key}"
            for each in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if hasattr(each, "model_fields"):
                    check(each, f"{path}{key}{'.NAME' if key in {'llms', 'agents', 'tools'} else ''}.")

    check(Config, "")


@pytest.mark.parametrize("block", EXAMPLES)
def test_the_example_of_each_block_loads_and_sets_it(tmp_path: Path, block: str) -> None:
    path = tmp_path / "hector.yaml"
    path.write_text(EXAMPLES[block])
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", EXAMPLES[block]), "secret")
    set_here: object = load_config(path, environ={**environ, "ADA_TOKEN": "secret of ada"}).config
    for key in block.split("."):
        set_here = next(iter(set_here.values())) if isinstance(set_here, dict) else getattr(set_here, key)
    assert isinstance(set_here, BaseModel)
    assert set_here.model_fields_set


def test_the_paths_that_are_probed_and_scraped_exist() -> None:
    routes = {pattern for pattern, _ in ROUTES}
    probes = yaml.safe_load(SNIPPETS["kubernetes"])
    assert {probe["httpGet"]["path"] for probe in probes.values()} <= routes
    assert {each["metrics_path"] for each in yaml.safe_load(SNIPPETS["prometheus"])["scrape_configs"]} <= routes


def test_the_page_names_every_metric_with_its_labels() -> None:
    rows = dict(re.findall(r"^\| `(hector_\w+)` \| (.*?) ?\| ", OPERATIONS, re.MULTILINE))
    found = {}
    for each in vars(metrics).values():
        if hasattr(each, "_labelnames"):
            name = each._name + ("_total" if each._type == "counter" else "")
            found[name] = ", ".join(f"`{label}`" for label in each._labelnames)
    assert rows == found


def test_the_log_is_as_the_page_shows_it(tmp_path: Path) -> None:
    (tmp_path / "hector.yaml").write_text(CONFIG)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    settings = SNIPPETS["run: serve"].strip().removeprefix("hector serve ")
    process = start(tmp_path, f"{settings} --port 0 --no-token")
    assert process.stdout
    base = re.search(r"http://[^/]+", process.stdout.readline())
    assert base
    call = ["curl", "-sf", f"{base[0]}/agents/assistant/messages", "--json", '{"message": "Hi"}']
    subprocess.run(call, check=True, capture_output=True, timeout=60)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert list(json.loads(errors.splitlines()[0])) == list(json.loads(SNIPPETS["log"]))


@pytest.mark.parametrize("option", sorted(set(re.findall(r"hector serve [^`\n]*?(--[\w-]+)", OPERATIONS))))
def test_options_that_the_page_names_exist(option: str) -> None:
    command = [sys.executable, "-m", "hector_nb.frontends.cli", "serve", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env={"COLUMNS": "200"})
    assert option in done.stdout


def test_the_page_of_the_command_line_names_every_command() -> None:
    listed = {
        name.split(" [")[0] for name in re.findall(r"^\| `hector ([a-z ]+?)(?: [A-Z\[][^`]*)?` \|", CLI, re.MULTILINE)
    }
    commands = {each.name or each.callback.__name__ for each in app.registered_commands if each.callback}
    for group in app.registered_groups:
        inner = group.typer_instance
        assert inner
        if inner.registered_callback:
            commands.add(str(group.name))
        names = {each.name or each.callback.__name__ for each in inner.registered_commands if each.callback}
        commands |= {f"{group.name} {name}" for name in names}
    assert listed == commands - {"models fetch"}
    assert "`hector models fetch`" in CLI


def test_the_page_has_the_exit_codes() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI, re.MULTILINE)}
    assert listed == {0, *Code} == {int(code) for code in re.findall(r"\b(\d+) [a-z]", HELP)}


def test_the_variables_that_the_page_names_are_all_that_are_read_outside_notebooks() -> None:
    read = {
        name
        for file in (ROOT / "hector_nb").rglob("*.py")
        for name in re.findall(r"\"(HECTOR_(?!NB_)[A-Z_]+)\"", file.read_text())
    }
    assert set(re.findall(r"^\| `(HECTOR_\w+)`", CLI, re.MULTILINE)) == read


def test_the_lines_for_scripts_run(tmp_path: Path) -> None:
    (tmp_path / "hector.yaml").write_text(CONFIG)
    (tmp_path / "script.yaml").write_text(SCRIPT)
    ((_, script),) = re.findall(r"<!-- (run) -->\n```sh\n(.*?)```", CLI, re.DOTALL)
    program = re.sub(r"\bhector (?=call|sessions)", f"{HECTOR} ", script).replace("| python ", f"| {sys.executable} ")
    environ = {**os.environ, "HECTOR_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "HECTOR_USER": "local"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", program],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Quantum computing uses quantum mechanics...\nplan\n"
    assert (tmp_path / "copy.md").read_text().startswith("# Let us plan.")
