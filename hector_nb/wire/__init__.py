"""The one JSON form of events and errors on every wire."""
