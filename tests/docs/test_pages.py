"""The pages of docs/ say what is so: their Python runs in page order, prints what they show, and their YAML is valid.

- ```python blocks of a page run one after another in one namespace, in an empty folder that holds copies of the bundled
  sample as electrons.root and jets.root, the files of the pages' commands.
- A ```text output block is what the Python block before it prints, exactly; a plain ```text block is not compared.
- A ```yaml block is what it says (`format:`): layout, samples file, analysis; a first line `# NAME.yaml` saves it.
- A ```cpp block that begins with `// NAME.cpp` is a program: it is compiled against the installed library and run.
"""

import contextlib
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hepml import _core
from hepml.layouts import load_layout
from hepml.samples import load_samples
from hepml.workflow import load_analysis

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def has(page: Path, *kinds: str) -> bool:
    return any(kind in kinds for kind, _ in blocks(page))


def name_of(body: str, mark: str, suffix: str) -> str | None:
    first = re.match(rf"{mark} ([\w-]+\.{suffix})\b", body)
    return first[1] if first else None


def run(page: Path, body: str, names: dict[str, Any]) -> str:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(body, page.name, "exec"), names)
    return shown.getvalue()


@pytest.fixture
def folder(tmp_path: Path, sample: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, path in sample.items():
        shutil.copyfile(path, tmp_path / f"{name}.root")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if has(page, "python")], ids=lambda page: page.stem)
def test_python_of_a_page_runs_and_prints_what_the_page_shows(page: Path, folder: Path) -> None:
    if any(kind == "python" and "import ROOT" in body for kind, body in blocks(page)):
        pytest.importorskip("ROOT", reason="ROOT is not installed: pip install 'hepml[root]'")
    names: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for kind, body in blocks(page):
        if kind == "yaml" and (name := name_of(body, "#", "yaml")):
            (folder / name).write_text(body, encoding="utf-8")
        elif kind == "cpp" and (name := name_of(body, "//", "cpp")):
            printed = compiled_and_run(folder, name, body)
        elif kind == "python":
            printed = run(page, body, names)
        elif kind == "text output":
            assert printed == body


def compiled_and_run(folder: Path, name: str, body: str) -> str:
    """The output of a program of a page, built against the installed library."""
    source, program = folder / name, folder / Path(name).stem
    source.write_text(body, encoding="utf-8")
    installed = Path(_core.__file__).parent
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{installed / 'include'}"]
    libraries = [installed / "lib" / f"lib{name}.a" for name in ("hepml_lwtnn", "hepml")]
    subprocess.run(["g++", *flags, source, *libraries, "-pthread", "-o", program], check=True)
    return subprocess.run([program], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("page", [page for page in PAGES if has(page, "yaml")], ids=lambda page: page.stem)
def test_yaml_of_a_page_follows_its_schema(page: Path, folder: Path) -> None:
    for number, (kind, body) in enumerate(blocks(page)):
        if kind != "yaml":
            continue
        file = folder / f"block{number}.yaml"
        file.write_text(body, encoding="utf-8")
        if "format: hepml-layout" in body:
            assert load_layout(file).towers
        elif "format: hepml-samples" in body:
            assert load_samples(file).samples
        elif "format: hepml-analysis" in body:
            assert load_analysis(file).steps
        else:
            pytest.fail(f"{page.name}: a yaml block that is no layout, samples file or analysis")


def test_every_page_is_listed() -> None:
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= listed


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.stem in {"reading", "images", "data", "training", "evaluation", "errors", "cpp"}],
    ids=lambda page: page.stem,
)
def test_tables_of_a_page_have_their_columns(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for table in re.findall(r"(?:^\|.*\|$\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1, table
