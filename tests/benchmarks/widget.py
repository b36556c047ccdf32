"""What a chat's answer costs on the kernel's websocket, and how far the last paint is behind the model.

    python -m tests.benchmarks.widget

A scripted model writes 2,000 tokens at several speeds in a real kernel; messages are counted as the Jupyter server sends them.
"""

import json
import tempfile
import time
from pathlib import Path

from tests.frontends import scripts
from tests.frontends.kernel import Kernel
from tests.frontends.widget.test_kernel import Page

TOKENS = 2000
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "and",
    "then",
    "sleeps",
    "under",
    "some",
    "old",
    "tree",
    "near",
    "our",
    "house",
]
SPEEDS = (50, 100, 500, 2000)
"""Tokens a second."""


def main() -> None:
    """Measure and print."""
    for speed in SPEEDS:
        scripts.SCRIPTS[f"speed{speed}"] = [script(speed)]
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(Path(folder))
        try:
            for speed in SPEEDS:
                _measure(kernel, speed)
        finally:
            kernel.close()


def script(speed: int) -> list[object]:
    """A scripted model's words: tokens in small groups, as a network brings them."""
    group = max(1, speed // 50)
    steps: list[object] = []
    for start in range(0, TOKENS, group):
        steps.append("".join(f"{WORDS[number % len(WORDS)]} " for number in range(start, min(start + group, TOKENS))))
        steps.append({"wait_ms": 1000 * group / speed})
    return steps


def _measure(kernel: Kernel, speed: int) -> None:
    page = Page(kernel, f"speed{speed}")
    page.patience = 2 * TOKENS / speed + 30
    began = time.monotonic()
    page.do("send", text="Go on")
    first = None
    while not page.state["turns"] or page.last["status"] != "done":
        page.until_change()
        first = first or (time.monotonic() - began if page.text else None)
    painted = time.monotonic() - began
    answer = len(page.text.encode())
    alone = page.last["seconds"]
    print(
        json.dumps(
            {
                "tokens_per_second": speed,
                "answer_bytes": answer,
                "bytes": page.bytes,
                "times": round(page.bytes / answer, 1),
                "messages": page.n,
                "first_paint_s": round(first or 0, 3),
                "last_paint_s": round(painted, 2),
                "behind_model_percent": round(100 * (painted / alone - 1), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
