"""llama.cpp within this process: a loaded model file, and one generation at a time or several at once.

Blocking and thread-bound: `local.py` turns it into a `Model`. A model file is loaded once, and freed when nobody holds it
any more. Generations run on plain threads that call back for each chunk; llama.cpp lets further ones wait while all its
slots are busy.
"""

import atexit
import json
import os
import secrets
import threading
import urllib.request
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hector_nb.errors import ModelUnavailable

SLOTS = 4
"""Answers generated at once."""
STEP = 64
"""Prompt tokens computed between two calls back, so that a generation can be stopped while it reads its prompt."""
PROMPT_CACHE_MB = 256
"""Memory for prompts of sessions that lost their slot."""
_MODEL = "`model` takes the path of a .gguf file; without it, the embedded model answers."

_loaded: "weakref.WeakValueDictionary[tuple[Path, int], LoadedModel]" = weakref.WeakValueDictionary()
_loading = threading.Lock()
_running: "set[Generation]" = set()


class LoadedModel:
    """A loaded model.

    Attributes:
        supports_tools: Whether its chat template knows tools; then a grammar holds its calls to their schemas.
        supports_parallel_calls: Whether its chat template knows several calls in one answer.
    """

    def __init__(self, path: Path, context_window: int) -> None:
        try:
            import xllamacpp
        except ImportError as error:
            raise ModelUnavailable(
                "The embedded model needs xllamacpp, which is not installed.",
                hint='Run: pip install "hector_nb[local]"',
            ) from error
        key = secrets.token_urlsafe()
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context_window * SLOTS
        params.n_parallel = SLOTS
        params.n_batch = params.n_ubatch = STEP
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = thread_count()
        params.cache_ram_mib = PROMPT_CACHE_MB
        params.fit_params = params.warmup = False  # each costs a part of a second, during which Python stands still
        params.verbosity = -1
        params.api_keys = [key]  # llama.cpp also listens on a loopback port, which is nobody's business
        params.ui = False
        params.n_threads_http = 1
        try:
            self._server = xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ModelUnavailable(
                f"llama.cpp cannot load {path}.",
                hint="Is it a complete .gguf of a chat model, and is there enough memory?",
            ) from error
        template = _properties(self._server.listening_address, key)
        self.supports_tools = bool(template.get("supports_tools"))
        self.supports_parallel_calls = bool(template.get("supports_parallel_tool_calls"))

    def complete(self, body: bytes, on_chunk: Callable[[str], bool]) -> None:
        """Generate, calling back with each chunk's JSON until that returns true. Returns when all is said.

        Raises:
            ValueError, RuntimeError: llama.cpp did not take the request.
        """
        self._server.handle_chat_completions(body.decode(), on_chunk)


def load(path: Path, context_window: int) -> LoadedModel:
    """The model of this file, loaded unless somebody holds it already.

    Raises:
        ModelUnavailable: llama.cpp is missing, or cannot load the file.
    """
    key = path.resolve(), context_window
    with _loading:
        model = _loaded.get(key)
        if model is None:
            _check(path)
            model = _loaded[key] = LoadedModel(path, context_window)
        return model


class Generation(threading.Thread):
    """One answer under way; starts at once.

    Args:
        model: Who generates.
        body: The request's JSON.
        on_chunk: Called on this thread with each chunk's JSON; true stops the generation.
        on_end: Called on this thread at the end, with the error if there was one.
    """

    def __init__(
        self,
        model: LoadedModel,
        body: bytes,
        on_chunk: Callable[[str], bool],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        super().__init__(name="hector-generation", daemon=True)
        self._model: LoadedModel | None = model
        self._body = body
        self._on_chunk = on_chunk
        self._on_end = on_end
        self._stopped = False
        self.start()

    def stop(self) -> None:
        """Say no more; the thread ends within the time of one step, or once a slot is free."""
        self._stopped = True

    def run(self) -> None:
        """Generate."""
        assert self._model is not None
        _running.add(self)
        error: Exception | None = None
        try:
            if not self._stopped:
                self._model.complete(self._body, self._take)
        except Exception as caught:  # noqa: BLE001 - whatever it is, it belongs to who waits
            error = caught
        finally:
            self._model = None
            _running.discard(self)
            self._on_end(error)

    def _take(self, chunk: Any) -> bool:
        return self._stopped or self._on_chunk(chunk)


def thread_count() -> int:
    """Threads to compute with: half the processors that this process may use.

    llama.cpp's threads wait for each other at every step, so a single one that has to share its processor slows all down:
    on two processors with one other busy process, two threads take 6 to 20 times as long as one (measured).
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        available = min(available, int(quota) // int(period))
    except (OSError, ValueError):
        pass  # not Linux, or no quota
    return max(1, available // 2)


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return
    except OSError as error:
        raise ModelUnavailable(f"The model file {path} cannot be read: {error.strerror}.", hint=_MODEL) from error
    raise ModelUnavailable(f"{path} is not a .gguf model file.", hint=_MODEL)


def _properties(address: str, key: str) -> dict[str, Any]:
    """What llama.cpp knows of the model's chat template."""
    request = urllib.request.Request(f"{address}/props", headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - our own server
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=10) as response:
            capabilities = json.load(response).get("chat_template_caps")
    except (OSError, ValueError) as error:
        raise ModelUnavailable("llama.cpp does not tell what it loaded.") from error
    return capabilities if isinstance(capabilities, dict) else {}


@atexit.register
def _stop_all() -> None:
    """Threads that call back into a Python that is gone would bring the process down."""
    running = list(_running)
    for generation in running:
        generation.stop()
    for generation in running:
        generation.join(timeout=5)
