"""Search by meaning, alike in every adapter: the cosines between a query's vector and those of memories.

Vectors come as little-endian 32-bit floats of length 1. numpy is imported when the first vector is searched.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hector_nb.stores.keywords import rounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def matrix(vectors: Sequence[bytes], dimension: int) -> "Floats":
    """Vectors as rows."""
    import numpy as np

    return np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), dimension)


def cosines(rows: "Floats", query: bytes) -> "Floats":
    """The cosine of each row with the query, from -1 to 1; NaN stays NaN."""
    import numpy as np

    with np.errstate(all="ignore"):
        found: Floats = np.clip(rows @ np.frombuffer(query, dtype="<f4"), -1.0, 1.0)
    return found


def best(scores: "Floats", most: int) -> list[int]:
    """The places of the best scores, best first, of equal ones the later first; none that is not a number."""
    import numpy as np

    scores = np.where(np.isnan(scores), -np.inf, scores)
    places = np.arange(len(scores))
    if len(scores) > most > 0:
        least = np.partition(scores, -most)[-most]
        places = np.flatnonzero(scores >= least)
    order = np.lexsort((-places, -scores[places]))
    return [int(place) for place in places[order][:most] if scores[place] > -np.inf]


def score(cosine: float) -> float | None:
    """A cosine as it is given back; None where it is not a number."""
    return rounded(float(cosine)) if cosine == cosine else None
