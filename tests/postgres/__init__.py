"""A PostgreSQL server for tests, with a fresh database for each that asks."""
