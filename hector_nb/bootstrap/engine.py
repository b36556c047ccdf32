"""The engine that a configuration describes, and who is told what it does."""

import hashlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from hector_nb.bootstrap.agents import ModelMaker, make_agents
from hector_nb.bootstrap.stores import make_store
from hector_nb.config.loader import LoadedConfig, load_config
from hector_nb.runtime.nested import NestedTurns
from hector_nb.runtime.runtime import Runtime
from hector_nb.stores.base import Store
from hector_nb.telemetry.base import Telemetry
from hector_nb.telemetry.log import TurnLog
from hector_nb.telemetry.several import Several
from hector_nb.tools.base import ToolSource


async def open_runtime(
    loaded: LoadedConfig | None = None,
    *,
    telemetry: Telemetry | None = None,
    store: Store | None = None,
    make: ModelMaker | None = None,
    given: Mapping[str, ToolSource] = MappingProxyType({}),
) -> Runtime:
    """The engine that a configuration describes, opened on the running event loop.

    `telemetry` is told what it does; unset: that of a process which nobody asks for metrics. Tests put something in place of what the
    configuration names: another `store`, what `make`s its models, `given` tools by their names.

    Raises:
        ConfigError: the configuration cannot be used.
        StoreError: the database cannot be opened.
    """
    loaded = loaded or load_config()
    store, turns = store or make_store(loaded), NestedTurns()
    agents = await make_agents(loaded, os.environ, outputs=store.get_output, turns=turns, make=make, given=given)
    runtime = turns.runtime = Runtime(
        store=store, agents=agents, place=place_of(loaded), telemetry=telemetry or make_telemetry()
    )
    await runtime.aopen()
    return runtime


def make_telemetry(*, metrics: bool = False) -> Telemetry:
    """Who is told of turns: the log, OpenTelemetry where it is installed, and Prometheus in servers (`metrics`)."""
    told: list[Telemetry] = [TurnLog()]
    if metrics:
        from hector_nb.telemetry.metrics import Metrics

        told.append(Metrics())
    if find_spec("opentelemetry") is not None and find_spec("opentelemetry.trace") is not None:
        from hector_nb.telemetry.spans import Spans

        told.append(Spans())
    return Several(told)


def place_of(loaded: LoadedConfig) -> str:
    """Where this configuration's tools are: processes of one place may make calls that another of them was allowed to make."""
    return hashlib.sha256(f"{loaded.path}\n{loaded.folder.absolute()}".encode()).hexdigest()[:12]
