"""What an answer costs in a notebook: a real JupyterLab, a real browser, a model that says 2,000 tokens in four seconds.

    python -m tests.benchmarks.notebook [--tokens N] [--seconds S]

Each way is compared with the same chunks at the same times out of a bare `print`, and with the same turn that nobody displays. Bytes are
those of the kernel's websocket from the start of the cell to its end (the most of all runs); a paint is a change of the cell's outputs in
the page (the best of all runs, for other work on the machine only ever adds).
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, WebSocket

from tests.frontends import scripts
from tests.frontends.kernel import Kernel
from tests.frontends.lab import Lab, NotebookPage, browser

_LIMIT_BYTES = 350_000
_LIMIT_PAINT = 1.10
_LIMIT_LOAD = 0.3
_WATCH = """cell => {
    const area = document.querySelectorAll('.jp-Cell')[cell];
    window.painted = {frames: 0, last: 0};
    window.watch?.disconnect();
    window.watch = new MutationObserver(() => requestAnimationFrame(() => {
        const text = area.querySelector('.jp-OutputArea')?.innerText ?? '';
        window.painted.frames += 1;
        const ended = text.includes('That is all.');
        // What the cell has shown before is still there at first.
        window.painted.anew ||= !ended;
        if (window.painted.anew && ended) window.painted.last ||= performance.now();
    }));
    window.watch.observe(area, {childList: true, subtree: true, characterData: true});
    document.addEventListener('keydown', event => {
        if (event.key === 'Enter') window.painted.started ??= performance.now();
    }, {capture: true});
}"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one cell has cost."""

    seconds: float
    frames: int
    size: int


class Wire:
    """Counts what the kernel's websocket brings."""

    def __init__(self) -> None:
        self.frames = self.size = 0

    def listen(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framereceived", self._count)

    def _count(self, payload: str | bytes) -> None:
        self.frames += 1
        self.size += len(payload.encode() if isinstance(payload, str) else payload)


def words(count: int) -> list[str]:
    """An answer such as models give: paragraphs, a list, some code; about seven bytes a token."""
    chunks = []
    for number in range(count - 4):
        chunks.append(f"word{number % 100:02} " if number % 40 else "\n\n- **item** ")
        if number % 400 == 399:
            chunks[-1] = "\n\n```python\nx = 1\n```\n\n"
    return [*chunks, "\n\n", "That ", "is ", "all."]


def measure(page: NotebookPage, wire: Wire, cell: int) -> Cost:
    """Run a cell whose output ends with the last words of the answer."""
    page.page.evaluate(_WATCH, cell)
    wire.frames = wire.size = 0
    page.run(cell)
    page.page.wait_for_function("() => window.painted.last > 0")
    painted = page.page.evaluate("() => window.painted")
    return Cost(seconds=(painted["last"] - painted["started"]) / 1000, frames=wire.frames, size=wire.size)


def answers(lab: Lab, chromium: Browser, chunks: list[str], wait: float, runs: int) -> None:
    """The magic against a bare print and against the model alone."""
    own = (
        "import time, hector_nb\nhector = hector_nb.connect()\nsession = hector.session('long')\n"
        "def model():\n    started = time.perf_counter()\n    session.send('go')\n    return time.perf_counter() - started\n"
        f"chunks = {chunks!r}"
    )
    bare = f"for chunk in chunks:\n    time.sleep({wait})\n    print(chunk, end='', flush=True)"
    cells = ["%load_ext hector_nb", own, "%hector Hi", "print(model(), 'That is', 'all.')", bare, "%%hector long\ngo"]
    wire = Wire()
    page = NotebookPage(chromium, lab.write("long.ipynb", cells), on_websocket=wire.listen)
    for cell in range(3):
        page.run(cell)
    ideal, printed, ours = [], [], []
    for _ in range(runs):
        measure(page, wire, 3)
        ideal.append(float(page.outputs(3).split()[0]))
        printed.append(measure(page, wire, 4))
        ours.append(measure(page, wire, 5))
    alone = min(ideal)
    size = len("".join(chunks).encode())
    print(f"an answer of {len(chunks):,} tokens, {size:,} bytes; the model alone takes {alone:.2f} s")
    for name, costs in (("bare print", printed), ("%%hector", ours)):
        best = min(costs, key=lambda cost: cost.seconds)
        print(
            f"  {name:<10} {best.frames:>5} frames {best.size / 1000:>7.0f} KB = {best.size / size:.0f} × the answer, "
            f"last paint {best.seconds:.2f} s = {best.seconds / alone:.2f} × the model"
        )
    worst = max(cost.size for cost in ours)
    verdict("bytes", worst / 1000, _LIMIT_BYTES / 1000, "KB")
    verdict("last paint", min(cost.seconds for cost in ours) / alone, _LIMIT_PAINT, "× the model")


def loading(folder: Path, runs: int) -> None:
    """`%load_ext` in new kernels, against an import of what it builds on."""
    ours, bare = [], []
    timed = "import time; s = time.perf_counter(); {}; print(time.perf_counter() - s)"
    for number in range(runs):
        home = folder / f"load{number}"
        home.mkdir()
        kernel = Kernel(home)
        bare.append(float(kernel.run(timed.format("import sqlite3, asyncio, concurrent.futures.process")).stdout))
        ours.append(float(kernel.run(timed.format("get_ipython().run_line_magic('load_ext', 'hector_nb')")).stdout))
        kernel.close()
    print(
        f"loading: %load_ext {statistics.median(ours):.3f} s, three modules of Python's own {statistics.median(bare):.3f} s"
    )
    verdict("%load_ext", statistics.median(ours), _LIMIT_LOAD, "s")


def verdict(what: str, value: float, limit: float, unit: str) -> None:
    print(f"  {what}: {value:.2f} {unit}, at most {limit:g}: {'kept' if value <= limit else 'MISSED'}")


def main() -> None:
    """Everything, in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    chunks = words(options.tokens)
    wait = options.seconds / len(chunks)
    steps = [step for chunk in chunks for step in (chunk, {"wait_ms": 1000 * wait})]
    scripts.SCRIPTS["long"] = [json.loads(json.dumps(steps))]
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        try:
            with browser() as chromium:
                started = time.monotonic()
                answers(lab, chromium, chunks, wait, options.runs)
                print(f"  ({time.monotonic() - started:.0f} s)")
        finally:
            lab.close()
        loading(Path(folder), options.runs)


if __name__ == "__main__":
    main()
