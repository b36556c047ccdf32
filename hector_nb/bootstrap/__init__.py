"""The composition root: a configuration becomes a running engine. The only room that names concrete adapters."""
