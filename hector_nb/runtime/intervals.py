"""Times, in seconds, on which several parts of the engine agree."""

LOOK_EVERY = 5.0
"""After so long whoever waits for a change looks at the store again, even if nothing was announced."""
DEAD_AFTER = 10.0
"""Without a heartbeat for so long a process counts as dead."""
