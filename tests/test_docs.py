"""The pages under `docs/` tell what is so: they are written by the program, or their snippets are run."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hector_nb.config.reference import markdown
from hector_nb.config.schema import Config
from hector_nb.telemetry import metrics
from hector_nb.transports.routes import ROUTES
from tests.transports.test_serve import CONFIG, SCRIPT, start

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OPERATIONS = (DOCS / "operations.md").read_text()
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
    subprocess.run(call, check=True, capture_output=True, timeout=20)
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert list(json.loads(errors.splitlines()[0])) == list(json.loads(SNIPPETS["log"]))


@pytest.mark.parametrize("option", sorted(set(re.findall(r"hector serve [^`\n]*?(--[\w-]+)", OPERATIONS))))
def test_options_that_the_page_names_exist(option: str) -> None:
    command = [sys.executable, "-m", "hector_nb.frontends.cli", "serve", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={"COLUMNS": "200"})
    assert option in done.stdout
