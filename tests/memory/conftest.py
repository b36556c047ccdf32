"""The embedded model for tests of memory."""

from tests.models.conftest import embedded_file, embedded_model

__all__ = ["embedded_file", "embedded_model"]
