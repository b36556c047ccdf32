"""What a chat costs in a real JupyterLab: bytes on the kernel's websocket, how far the last paint is behind the model, and scrolling.

    python -m tests.benchmarks.widget_page

A scripted model writes 2,000 tokens at several speeds; then 300 messages are scrolled from end to end, a step in each frame.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from hector_nb.frontends.widget import bundle
from tests.benchmarks.widget import script
from tests.frontends import scripts
from tests.frontends.browser.chats import Chat, Notebook
from tests.frontends.browser.conftest import context_of
from tests.frontends.lab import Lab, browser

SPEEDS = (100, 500)
"""Tokens a second."""
TURNS = 150
_STEP = 120
"""Pixels of scrolling in a frame."""
_LAST_PAINT = """root => new Promise(done => {
    const began = performance.now();
    let text = '', at = 0, paints = 0;
    const look = now => {
        const answer = root.querySelector('.turn:last-of-type .markdown');
        const is = answer ? answer.textContent : '';
        if (is !== text) { text = is; at = now; paints += 1; }
        if (answer && !root.querySelector('.stop')) done({at: (at - began) / 1000, paints, length: text.length});
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
})"""
_SCROLL = """(root, step) => new Promise(done => {
    const box = root.querySelector('.transcript');
    box.scrollTop = box.scrollHeight;
    const frames = [];
    let last = null;
    const move = now => {
        if (last !== null) frames.push(now - last);
        last = now;
        const before = box.scrollTop;
        box.scrollTop = before - step;
        if (box.scrollTop === before) done({frames, height: box.scrollHeight});
        else requestAnimationFrame(move);
    };
    requestAnimationFrame(move);
})"""


def main() -> None:
    """Measure and print."""
    for speed in SPEEDS:
        scripts.SCRIPTS[f"speed{speed}"] = [script(speed)]
    print(json.dumps({"bundle_bytes": bundle.PLACE.stat().st_size}))
    with tempfile.TemporaryDirectory() as folder, browser() as launched:
        lab = Lab(Path(folder))
        try:
            notebook = Notebook(context_of(launched), lab, "speed.ipynb")
            for speed in SPEEDS:
                _write(notebook, speed)
            _scroll(notebook)
        finally:
            lab.close()


def _write(notebook: Notebook, speed: int) -> None:
    chat, received = notebook.chat(f"speed{speed}"), [0]

    def count(frame: Any) -> None:
        received[0] += len(frame if isinstance(frame, bytes) else frame.encode())

    notebook.sockets[-1].on("framereceived", count)
    chat.send("Go on")
    told = chat.root.evaluate(_LAST_PAINT)
    notebook.sockets[-1].remove_listener("framereceived", count)
    alone = float(chat.foot.inner_text().split("·")[-1].removesuffix("s"))
    print(
        json.dumps(
            {
                "tokens_per_second": speed,
                "answer_characters": told["length"],
                "websocket_bytes": received[0],
                "paints": told["paints"],
                "last_paint_s": round(told["at"], 2),
                "model_s": alone,
                "behind_model_percent": round(100 * (told["at"] / alone - 1), 1),
            }
        )
    )


def _scroll(notebook: Notebook) -> None:
    notebook.run(
        "session = hector_nb.connect().session('coder', 'long')\n"
        f"for number in range({TURNS}):\n    session.send(f'Question {{number}}')"
    )
    chat = notebook.chat("coder", ", session='long'")
    _show_all(chat)
    told = chat.root.evaluate(_SCROLL, _STEP)
    frames = sorted(told["frames"])
    print(
        json.dumps(
            {
                "messages": 2 * TURNS,
                "height_px": told["height"],
                "frames": len(frames),
                "median_ms": round(frames[len(frames) // 2], 1),
                "p95_ms": round(frames[int(0.95 * len(frames))], 1),
                "worst_ms": round(frames[-1], 1),
            }
        )
    )


def _show_all(chat: Chat) -> None:
    while (count := chat.turns.count()) < TURNS:
        chat.button("Show earlier turns").click()
        chat.page.wait_for_function(
            "([root, count]) => root.querySelectorAll('.turn').length > count",
            arg=[chat.root.element_handle(), count],
        )


if __name__ == "__main__":
    main()
