"""Work that kills or hangs the process that does it; in a file of its own, as processes import it by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Deadly", "Hanging"]


@dataclass(frozen=True)
class Deadly:
    """Ends its process as the kernel does when memory is short."""

    def steps(self, each: Any) -> Iterator[None]:
        """No step is made."""
        os.kill(os.getpid(), signal.SIGKILL)
        yield


@dataclass(frozen=True)
class Hanging:
    """Never gives a sign of life."""

    def steps(self, each: Any) -> Iterator[None]:
        """No step is made."""
        time.sleep(600)
        yield
