"""The other process of `hepml.dataset.apart`: looks at an HDF5 file and prints what it finds, a list as JSON.

python -m hepml.dataset.apart_process look FILE SECONDS      meets all that is in the file, except values
python -m hepml.dataset.apart_process damages FILE SECONDS   compares it with its checksums
"""

from __future__ import annotations

import json
import resource
import sys

from hepml.dataset.checksum import damages_inside, look
from hepml.errors import InputFileError

_MEMORY = 8 << 30


def _bound(seconds: int) -> None:
    """Time and memory, so that the process ends whatever the file makes the library do."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, _MEMORY),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _main(what: str, path: str, seconds: str) -> None:
    _bound(int(seconds))
    try:
        outcome = {"look": look, "damages": damages_inside}[what](path)
    except InputFileError as error:
        # who opens it to look at it tells more
        outcome = [] if what == "look" else [f"structure ({error.parts.get('found', error.problem)})"]
    print(json.dumps(outcome))


if __name__ == "__main__":
    _main(*sys.argv[1:])
