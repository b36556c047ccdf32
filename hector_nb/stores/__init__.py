"""Where sessions, messages, turns and their events are kept: `base.py` is the port, one file an adapter."""
