"""Configuration: `schema.py` says what may stand in a file, the rest finds, reads and checks files."""
