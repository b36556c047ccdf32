"""Several nodes over one PostgreSQL: real processes that share nothing but the database."""
