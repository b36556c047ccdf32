"""The tests, and the programs that they start as modules of this package."""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # jsonschema would parse its grammar for a second
