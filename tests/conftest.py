"""Fixtures: the bundled sample, and the real data beside the checkout."""

from __future__ import annotations

import gc
import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def _little_to_collect() -> None:
    """Keras collects garbage before each training: seconds a time, among the millions of objects of other modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data; where it is absent, skips, or fails if $HEPML_REQUIRE_SHARED is set."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        absent = pytest.fail if os.environ.get("HEPML_REQUIRE_SHARED") else pytest.skip  # .ci/run asks for them
        absent("the real data are not beside the checkout (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def sample() -> dict[str, Path]:
    """The ROOT sample that the package carries: "electrons" and "jets"."""
    import hepml

    folder = Path(hepml.__file__).parent / "data"
    return {name: folder / f"sample_{name}.root" for name in ("electrons", "jets")}


@pytest.fixture(scope="session")
def data(sample: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as a data file; nobody writes beside it."""
    from hepml.dataset import convert

    path = tmp_path_factory.mktemp("data") / "data.h5"
    convert(sample["electrons"], sample["jets"], path)
    return path


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """Exported files of small networks, with working points."""
    specification = importlib.util.spec_from_file_location(
        "export_fixtures", Path(__file__).with_name("export") / "conftest.py"
    )
    fixtures = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(fixtures)
    from hepml.export import export_model
    from hepml.models import Settings, build_model

    folder = tmp_path_factory.mktemp("networks")

    def exported(features, **options):
        path = folder / f"{features}{'_'.join(options)}.json"
        if not path.exists():
            specs = [fixtures.spec(token) for token in features.split("_and_")]
            model = build_model(specs, Settings(conv_blocks=2, filters=4, layers=2, units=8), seed=1)
            export_model(model, path, inputs=specs, **{"thresholds": fixtures.THRESHOLDS, **options})
        return path

    return exported
