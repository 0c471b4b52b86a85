"""The files of a network: its history and its .keras."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from hepml.ledger import atomic_path

__all__ = ["save_model", "write_history"]


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """history.csv: epoch (from 0), loss, val_loss, learning_rate."""
    lines = ["epoch,loss,val_loss,learning_rate"]
    lines += [f"{row['epoch']},{row['loss']!r},{row['val_loss']!r},{row['learning_rate']:.9g}" for row in history]
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def save_model(network: Any, path: Path) -> None:
    """Saves a .keras file whose bytes depend on the network alone: Keras notes the date and addresses in memory."""
    with atomic_path(path, overwrite=True) as temporary:
        network.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        metadata = json.loads(parts["metadata.json"])
        metadata["date_saved"] = ""
        parts["metadata.json"] = json.dumps(metadata).encode()
        numbers: dict[bytes, bytes] = {}
        parts["config.json"] = re.sub(
            rb'("shared_object_id": )(\d+)',
            lambda found: found[1] + numbers.setdefault(found[2], str(len(numbers)).encode()),
            parts["config.json"],
        )
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name, content in parts.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        temporary.write_bytes(buffer.getvalue())
