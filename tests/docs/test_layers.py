"""The table of layers is what the code says, and no layer of Keras is without an answer."""

import importlib.util
from pathlib import Path

from hepml.export.layers.absent import REASONS, reason_of

ROOT = Path(__file__).parents[2]


def script():
    specification = importlib.util.spec_from_file_location("layers_table", ROOT / "scripts" / "layers_table.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_layer_is_exported_or_has_a_reason():
    table = script()
    exported = {*table.HANDLERS, *table.CALL_HANDLERS}
    for name in table.classes():
        if name in exported or getattr(table.keras.layers, name).__name__ in exported:
            assert table.how(name) or name not in exported
        else:
            assert reason_of(name), f"why is {name} not exported?"


def test_no_reason_is_given_for_what_is_exported():
    table = script()
    assert not set(REASONS) & {*table.HANDLERS, *table.CALL_HANDLERS}


def test_the_page_lists_what_this_version_exports():
    table = script()
    page = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    first = page.split("## Not exported")[0]
    listed = {
        name for line in first.splitlines() if line.startswith("| ") for name in line.split(" | ")[0][2:].split(", ")
    }
    assert {*table.HANDLERS, *table.CALL_HANDLERS} == listed - {"layers"}


def test_the_page_of_generated_source_lists_what_the_code_has():
    table = script()
    assert table.SOURCE_PAGE.read_text(encoding="utf-8") == table.source_page(), "run scripts/layers_table.py"
