"""What the chat needs of the kernel that it runs in, if it runs in one."""

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any


def shell() -> Any:
    """The IPython shell of this process, None where there is none."""
    from IPython.core.getipython import get_ipython

    return get_ipython()


def in_kernel() -> bool:
    """Whether there is a notebook that can show widgets."""
    return hasattr(shell(), "kernel")


def kernel_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop of the kernel's main thread; None outside of a kernel."""
    if not in_kernel():
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        io_loop = getattr(shell().kernel, "io_loop", None)
        return getattr(io_loop, "asyncio_loop", None)


def is_recorded() -> bool:
    """Whether a program compares the outputs of cells, or updates are not wanted."""
    return (
        os.environ.get("HECTOR_NB_STREAM") == "0"
        or "PYTEST_VERSION" in os.environ
        or "PYTEST_CURRENT_TEST" in os.environ
    )


def notebook_variables() -> Mapping[str, Any]:
    """The notebook's variables."""
    found = shell()
    return dict(found.user_ns) if found is not None else {}


def within_cell() -> Callable[[Callable[[], None]], None]:
    """Runs something so that its prints appear where the present cell's do."""
    found = shell()
    kernel = getattr(found, "kernel", None)
    if kernel is None:
        return lambda work: work()
    parent = kernel.get_parent()

    def run(work: Callable[[], None]) -> None:
        before = found.parent_header if isinstance(getattr(found, "parent_header", None), dict) else None
        found.set_parent(parent)
        try:
            work()
        finally:
            if before is not None:
                found.set_parent(before)

    return run


def post_comm_message(comm: Any, content: Mapping[str, Any]) -> bool:
    """Send a custom message of a widget as one that no cell asked for; False where this kernel has no such way.

    A comm sends in the name of the request that the kernel serves at that moment. From another thread that would be some cell which has
    nothing to do with it; besides, the copied header is half of what a short message weighs.
    """
    kernel = getattr(comm, "kernel", None)
    session, socket = getattr(kernel, "session", None), getattr(kernel, "iopub_socket", None)
    if session is None or socket is None or not hasattr(comm, "topic"):
        return False
    data = {"method": "custom", "content": content}
    session.send(socket, "comm_msg", {"comm_id": comm.comm_id, "data": data}, ident=comm.topic)
    return True
