"""Write the table of docs/guided.md from docs/guided_search.json, what `hepml guide` wrote as guided.json.

python scripts/guided_table.py [--check] [GUIDED.json]
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from hepml.cli.guide import table

ROOT = Path(__file__).parents[1]
RESULT, PAGE = ROOT / "docs" / "guided_search.json", ROOT / "docs" / "guided.md"
PLACE = re.compile(r"(?<=<!-- guided search -->\n).*?(?=\n<!-- end -->)", re.DOTALL)


def main() -> None:
    """Writes it, or with --check compares it."""
    check = "--check" in sys.argv
    for name in (name for name in sys.argv[1:] if name != "--check"):
        shutil.copyfile(name, RESULT)
    page = PAGE.read_text(encoding="utf-8")
    text = PLACE.sub(lambda _: table(json.loads(RESULT.read_text(encoding="utf-8"))), page)
    if check:
        sys.exit(0 if text == page else "docs/guided.md is not what docs/guided_search.json says")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
