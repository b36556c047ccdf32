"""What stands in the files of a store, as another process sees it: to read them here would drop this process's locks."""

import asyncio
import sys
from pathlib import Path

_COUNT = """
import sys
from pathlib import Path
data = b"".join(Path(name).read_bytes() for name in sys.argv[2:]).lower()
print(*(word for word in sys.argv[1].split(",") if word.encode().lower() in data), sep=",")
"""


async def left_in(path, *words):
    """Those of the words that are in any of the files of the store, in whatever case."""
    # The log first: meanwhile the store may move what is there to the file that is read after it.
    found = sorted(Path(path).parent.glob(f"{Path(path).name}*"), reverse=True)
    files = [str(file) for file in found if file.is_file()]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-E", "-c", _COUNT, ",".join(words), *files, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [word for word in out.decode().strip().split(",") if word]
