"""Where sessions, messages, turns and their events are kept: `base.py` is the port, made of the `base_*.py` beside it; the rest are adapters."""
