"""Write hepml/efp/graphs.json: EnergyFlow's identifiers (n, d, k) and complexity c of hepml's own canonical graphs.

    python scripts/efp_graphs.py

All connected multigraphs of at most 8 edges. Needs the extra `energyflow`.
"""

from __future__ import annotations

import json
from pathlib import Path

import energyflow

from hepml.efp.graphs import canonical, connected, size

OUTPUT = Path(__file__).parents[1] / "hepml" / "efp" / "graphs.json"


def main() -> None:
    """Each graph of the enumeration is one of EnergyFlow's, and the other way round."""
    ours = {(size(edges), edges) for d in range(9) for edges in connected(d)}
    chosen = energyflow.EFPSet("d<=8", "p==1")
    rows: dict[str, list[int | str]] = {}
    for spec, edges in zip(chosen.specs.tolist(), chosen.graphs(), strict=True):
        n, d, k, c = (spec[chosen.cols.tolist().index(letter)] for letter in "ndkc")
        found = canonical(n, edges)
        ours.remove((n, found))
        rows[f"{n}_{d}_{k}"] = [c, " ".join(f"{i}{j}" for i, j in found)]
    if ours:
        raise SystemExit(f"EnergyFlow lacks {sorted(ours)}")
    names = sorted(rows, key=lambda name: [*map(int, name.split("_"))])
    lines = [f"{json.dumps(name)}:{json.dumps(rows[name], separators=(',', ':'))}" for name in names]
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(rows)} graphs in {OUTPUT}")


if __name__ == "__main__":
    main()
