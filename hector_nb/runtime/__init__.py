"""The engine: turns, their event logs, and the service over them."""
