"""`hepml doctor`: a broken installation is told in words, with an exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

from hepml.cli import doctor
from hepml.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(["doctor", *arguments])
    return int(stop.value.code or 0), capsys.readouterr().out


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without the imports of the real extras, which take seconds."""
    monkeypatch.setattr(doctor, "EXTRAS", {"test": ["json"]})
    return monkeypatch


def test_a_whole_installation_passes(capsys: pytest.CaptureFixture[str], light: pytest.MonkeyPatch) -> None:
    code, out = run(capsys, "--json")
    facts: dict[str, Any] = json.loads(out)
    assert (code, facts["errors"], facts["extras"]) == (0, {}, {"test": True})
    assert set(facts["self_test"].values()) == {True}
    assert None not in facts["packages"].values()


def test_every_dependency_is_listed() -> None:
    needed = [text for text in requires("hepml") or [] if "extra ==" not in text]
    assert {re.split(r"[^\w.-]", text)[0] for text in needed} == set(doctor.CORE)


def test_an_extra_whose_import_crashes_is_not_there(tmp_path: Path, light: pytest.MonkeyPatch) -> None:
    (tmp_path / "hepml_crashing.py").write_text("import os\nos.abort()\n")
    light.setenv("PYTHONPATH", str(tmp_path))
    light.setattr(doctor, "EXTRAS", {"crashing": ["json", "hepml_crashing"], "absent": ["hepml_absent"]})
    assert doctor.report()["extras"] == {"crashing": False, "absent": False}


def test_a_package_that_is_missing_fails(capsys: pytest.CaptureFixture[str], light: pytest.MonkeyPatch) -> None:
    light.setattr(doctor, "CORE", [*doctor.CORE, "hepml-no-such-package"])
    code, out = run(capsys)
    assert code == 3
    assert "hepml-no-such-package not installed" in out
    assert "FAILED: packages" in out


def test_a_compiled_module_that_is_broken_fails() -> None:
    code = (
        "import sys\nsys.modules['hepml._core'] = None\n"
        "from hepml.cli import doctor\nfrom hepml.cli.main import main\ndoctor.EXTRAS = {}\nmain(['doctor'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (3, "")
    assert "FAILED: evaluator: XOR gives 0, 1, 1, 0 (ModuleNotFoundError:" in done.stdout
