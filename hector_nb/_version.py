"""The version, in one place; no other module may be imported from here."""

__version__ = "0.1.0"
