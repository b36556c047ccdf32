"""Language models: `base.py` is the port, one file an adapter."""
