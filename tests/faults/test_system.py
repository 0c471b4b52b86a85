"""S: what the operating system and other processes do to a command. Kills and full disks are in test_kill.py."""

from __future__ import annotations

import json
import locale
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from faults.outcomes import check, inputs, run, spawn, untouched
from faults.table import FAULTS
from faults.works import Deadly, Hanging
from training.conftest import plane

from hepml import _core
from hepml.dataset.processes import Processes
from hepml.errors import InputFileError, MissingExtraError, TrainingError
from hepml.evaluator import Evaluator
from hepml.friends import read_ledger
from hepml.training import train

TRAINING = """
import sys
from hepml import interruption
from hepml.cli import main
from hepml.training import train
sys.path.insert(0, sys.argv[1])
from training.conftest import SMALL, plane

def told(step):
    if not step.batch:
        print("epoch", step.epoch, flush=True)

def command(*_, **__):
    train(output=sys.argv[2], progress=told, **plane(400), **SMALL | {"epochs": 100_000, "patience": 0})

import types
import click
from hepml.cli.main import COMMANDS
sys.modules["endless"] = types.SimpleNamespace(command=click.Command("endless", callback=command))
COMMANDS["endless"] = ("endless", "")
main(["endless"])
"""


@pytest.mark.parametrize(
    ("entry", "sent"), [("S03", signal.SIGTERM), ("S03", signal.SIGINT)], ids=["S03 SIGTERM", "S03 SIGINT"]
)
def test_a_signal_leaves_a_checkpoint_at_once(entry: str, sent: signal.Signals, tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", "import signal; signal.signal(2, signal.default_int_handler)\n" + TRAINING]
    with subprocess.Popen(
        [*command, tests, tmp_path / "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            begun, line = None, ""
            for one in process.stdout:
                line, begun = one, begun or time.monotonic()
                if time.monotonic() - begun > 2.5:  # the state is kept once a second
                    break
            told = int(line.split()[1])
            before = time.time()
            process.send_signal(sent)
            rest = process.stdout.read()
            err = process.stderr.read()
            code = process.wait(timeout=60)
        finally:
            process.kill()
    done = SimpleNamespace(code=code, err=err)
    check(entry, done)  # type: ignore[arg-type]
    written = (tmp_path / "run" / "checkpoint.npz").stat().st_mtime
    assert written - before < 5
    with np.load(tmp_path / "run" / "checkpoint.npz", allow_pickle=False) as file:
        state = json.loads(file["state"].tobytes())["state"]
    last = int((rest or line).splitlines()[-1].split()[1])
    assert 1 <= state["epoch"] <= last
    assert len(state["history"]) == state["epoch"]
    assert told <= last


@pytest.mark.parametrize("entry", ["S05"])
def test_figures_are_drawn_without_a_home_or_a_display(entry: str, tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, hepml\nfrom hepml.plots.monitoring import Drifted, drift_panels\n"
        "from hepml.plots.style import Style\n"
        "one = Drifted('x', np.linspace(0, 1, 5), [.1] * 6, [.2] * 6, 100.0, 0.01)\n"
        "drift_panels([one], style=Style(text='', energy='')).save(sys.argv[1], 'drift')\n"
    )
    bare = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLCONFIGDIR", "MPLBACKEND")}
    shut = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), "/proc/1/none")
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], env=bare | shut, capture_output=True, text=True, check=False
    )
    check(entry, SimpleNamespace(code=done.returncode, err=done.stderr))  # type: ignore[arg-type]
    assert {path.suffix for path in tmp_path.iterdir()} >= {".png", ".pdf"}


@pytest.mark.parametrize("entry", ["S06"])
def test_without_root_everything_but_its_features_works(
    entry: str, few: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hepml.root

    monkeypatch.setitem(sys.modules, "ROOT", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hepml\[root\]'"):
        hepml.root.load.__wrapped__()  # not what an earlier test loaded
    check(entry, run("convert", *inputs(few), "-o", tmp_path / "data.h5"))


@pytest.mark.parametrize("entry", ["S09"])
def test_times_in_the_future_change_nothing(entry: str, few: dict[str, Path], tmp_path: Path) -> None:
    future = time.time() + 30 * 365 * 86400
    copies = {name: Path(shutil.copy(path, tmp_path)) for name, path in few.items()}
    check(entry, run("convert", *inputs(copies), "-o", tmp_path / "now.h5"))
    for path in copies.values():
        os.utime(path, (future, future))
    check(entry, run("convert", *inputs(copies), "-o", tmp_path / "then.h5"))
    os.utime(tmp_path / "now.h5", (future, future))
    check(entry, run("convert", *inputs(copies), "-o", tmp_path / "now.h5", "--resume"))
    assert (tmp_path / "now.h5").read_bytes() == (tmp_path / "then.h5").read_bytes()


@pytest.mark.parametrize("entry", ["S10"])
def test_too_little_memory_is_one_message(entry: str, network, tmp_path: Path) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (60_000_000, 7)}
    with (
        zipfile.ZipFile(tmp_path / "zeros.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("hl.npy", "w", force_zip64=True) as stream,
    ):
        np.lib.format.write_array_header_1_0(stream, header)
        for _ in range(60):
            stream.write(bytes(28_000_000))
    before = resource.getrlimit(resource.RLIMIT_AS)
    path = network("hl")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, before[1]))

    one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with untouched(tmp_path):
        done = spawn(
            "predict", path, tmp_path / "zeros.npz", "-o", tmp_path / "out.npz", "--threads", "1",
            env=one, preexec_fn=limited,
        )  # fmt: skip
        check(entry, done, "Unable to allocate 1.56 GiB")


IN_A_GIBIBYTE = {  # exit code, and what is told
    "convert": ("convert --signal {root} --background {jets} -o {out}/d.h5", 0, ""),
    "merge": ("merge {data} -o {out}/d.h5", 0, ""),
    "skim": ("skim {root} -o {out}/s.root", 0, ""),
    "inspect": ("inspect {root}", 0, ""),
    "predict": ("predict {net} {data} -o {out}/scores.npz --threads 1", 0, ""),
    "apply": ("apply {net} {root} -o {out}/scores", 0, ""),
    "monitor": ("monitor {net} {data} --split train -o {out}/report.json", 0, ""),
    "verify": ("verify {data}", 0, ""),
    "evaluate": ("evaluate {run} {data} -o {out}/e --bootstrap 5 --no-figures", 0, ""),
    "evaluate much": ("evaluate {run} {data} -o {out}/e --bootstrap 1000000 --no-figures", 1, "Unable to allocate"),
    "train": ("train {data} --features hl -o {out}/r --quiet", 1, "not enough memory to load TensorFlow"),
    "export": ("export {run} -o {out}/n.json", 1, "not enough memory to load TensorFlow"),
}


@pytest.mark.parametrize("name", IN_A_GIBIBYTE, ids=lambda name: f"S10 {name}")
def test_a_gibibyte_is_enough_or_it_is_said(name: str, wholes: dict[str, Path], tmp_path: Path) -> None:
    text, code, words = IN_A_GIBIBYTE[name]
    out = tmp_path / "out"
    out.mkdir()
    arguments = [word.format(**wholes, out=out) for word in text.split()]
    one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    before = resource.getrlimit(resource.RLIMIT_AS)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, before[1]))

    done = spawn(*arguments, env=one, preexec_fn=limited)
    assert done.code == code, done.err
    if code:
        check("S10", done, words)
        assert [path for path in out.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("entry", "work", "timeout", "words"),
    [("S11", Deadly(), 100.0, "died"), ("S12", Hanging(), 1.0, "no sign of life for 1 s")],
    ids=["S11 killed", "S12 hung"],
)
def test_a_worker_that_dies_or_hangs_is_reported(
    entry: str, work: Deadly | Hanging, timeout: float, words: str
) -> None:
    each = SimpleNamespace(number=0, file=SimpleNamespace(path="events.root"))
    ((_, result),) = Processes(2, timeout).read([each], work)
    assert isinstance(result, InputFileError)
    done = SimpleNamespace(code=result.exit_code, err=f"{type(result).__name__}: {result}")
    check(entry, done, words, "events.root")  # type: ignore[arg-type]


@pytest.mark.parametrize("entry", ["S07"])
def test_the_compiled_module_asks_for_nothing_that_changes(entry: str) -> None:
    assert FAULTS[entry].code is None
    module = Path(_core.__file__).read_bytes()
    assert b"libstdc++.so" in module  # names of libraries are found in this way
    assert not [name for name in (b"_ARRAY_API", b"libCore.so", b"libpython", b"libnpymath") if name in module]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which a German and a Turkish locale exist."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not installed: it compiles the locales")
    for name in ("de_DE", "tr_TR"):
        asked = ["localedef", "-c", "-i", name, "-f", "UTF-8", folder / f"{name}.UTF-8"]
        made = subprocess.run(asked, capture_output=True, check=False)
        if not (folder / f"{name}.UTF-8").exists():
            pytest.skip(f"no locale {name}: {made.stderr.decode()}")
    return {"LOCPATH": str(folder)}


@pytest.mark.parametrize("name", ["de_DE.UTF-8", "tr_TR.UTF-8"], ids=lambda name: f"S13 {name}")
def test_numbers_and_names_do_not_depend_on_the_locale(name: str, foreign, network, few, tmp_path: Path) -> None:
    code = (
        "import locale, sys\nlocale.setlocale(locale.LC_ALL, '')\n"
        "assert locale.localeconv()['decimal_point'] == ','\n"
        "from hepml.cli import main\nmain(sys.argv[1:])"
    )
    path, outputs = network("hl"), []
    for environment in ({"LC_ALL": "C.UTF-8"}, foreign | {"LC_ALL": name, "LANG": name}):
        output = tmp_path / f"{environment['LC_ALL']}.root"
        start = ["-c", code] if "LOCPATH" in environment else ["-m", "hepml"]
        asked = [sys.executable, *start, "apply", path, few["electrons"], "-o", output]
        done = subprocess.run(asked, env=os.environ | environment, capture_output=True, text=True, check=False)
        check("S13", SimpleNamespace(code=done.returncode, err=done.stderr))  # type: ignore[arg-type]
        outputs.append(read_ledger(output)["result"])
    assert outputs[0] == outputs[1]
    assert locale.setlocale(locale.LC_NUMERIC) == "C"


IN_A_LOCALE = {  # what is written, which must be the same bytes
    "convert": ("convert --signal {root} --background {jets} -o d.h5", "d.h5"),
    "train": ("train {data} --features hl -o r --epochs 1 --set layers=1 --set units=4 --quiet", "r/scores.h5"),
    "evaluate": ("evaluate {run} {data} -o e --bootstrap 5 --no-figures --quiet", "e/metrics.json"),
    "export": ("export {run} -o n.json", "n.json"),
    "predict": ("predict {net} {data} -o s.npz", "s.npz"),
    "monitor": ("monitor {net} {data} --split train -o m.json", "m.json"),
}


@pytest.mark.parametrize("name", ["de_DE.UTF-8", "tr_TR.UTF-8"])
@pytest.mark.parametrize("command", IN_A_LOCALE, ids=lambda command: f"S13 {command}")
def test_outputs_do_not_depend_on_the_locale(
    *, command: str, name: str, foreign, wholes: dict[str, Path], tmp_path: Path
) -> None:
    code = (
        "import locale, sys\nlocale.setlocale(locale.LC_ALL, '')\n"
        "assert locale.localeconv()['decimal_point'] == sys.argv.pop(1)\n"
        "from hepml.cli import main\nmain(sys.argv[1:])"
    )
    text, output = IN_A_LOCALE[command]
    written = []
    for point, environment in ((".", {"LC_ALL": "C.UTF-8"}), (",", foreign | {"LC_ALL": name, "LANG": name})):
        folder = tmp_path / environment["LC_ALL"]
        folder.mkdir()
        asked = [sys.executable, "-c", code, point, *(word.format(**wholes) for word in text.split())]
        more = {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment
        done = subprocess.run(asked, env=os.environ | more, cwd=folder, capture_output=True, text=True, check=False)
        check("S13", SimpleNamespace(code=done.returncode, err=done.stderr))  # type: ignore[arg-type]
        written.append((folder / output).read_bytes())
    assert written[0] == written[1]


FORKED = """
import sys
import tensorflow as tf
from hepml.cli import main
if __name__ == "__main__":
    assert float(tf.reduce_sum(tf.random.stateless_normal((400, 400), (0, 1)) @ tf.ones((400, 400)))) != 0
    main(sys.argv[1:])
"""


@pytest.mark.parametrize("entry", ["S18"])
def test_processes_are_started_after_tensorflow_has_run(entry: str, few: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(FORKED)
    asked = ["convert", *inputs(few), "-o", tmp_path / "data.h5", "--jobs", "2", "--timeout", "100"]
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", *map(str, asked)],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    check(entry, SimpleNamespace(code=done.returncode, err=done.stderr))  # type: ignore[arg-type]
    assert run("convert", *inputs(few), "-o", tmp_path / "one.h5").code == 0
    assert (tmp_path / "data.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()


@pytest.mark.parametrize("entry", ["S19"])
def test_models_come_and_go_while_16_threads_evaluate(entry: str, network) -> None:
    path = network("hl")
    shared = Evaluator(path, threads=1)
    x = np.random.default_rng(0).normal(size=(500, 7)).astype(np.float32)
    expected = shared({"hl": x})["output"]
    over, wrong, rounds = threading.Event(), [], [0] * 16

    def evaluate(number: int) -> None:
        while not over.is_set():
            own = shared if number % 2 else Evaluator(path, threads=1)
            if not np.array_equal(own({"hl": x})["output"], expected):
                wrong.append(number)
            rounds[number] += 1

    threads = [threading.Thread(target=evaluate, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        Evaluator(path, threads=2)  # destroyed at once
    while min(rounds) < 2:
        time.sleep(0.01)
    over.set()
    for thread in threads:
        thread.join()
    assert entry
    assert not wrong


@pytest.mark.parametrize("entry", ["S20"])
def test_a_training_that_collapses_is_begun_anew_and_then_refused(entry: str, tmp_path: Path) -> None:
    changes = {"layers": 3, "units": 8, "learning_rate": 500.0, "epochs": 20, "retries": 1}
    with pytest.raises(TrainingError) as caught:
        train(output=tmp_path / "run", progress=False, **plane(), **changes)
    done = SimpleNamespace(code=caught.value.exit_code, err=f"{type(caught.value).__name__}: {caught.value}")
    check(entry, done, "collapsed 2 times", "lower learning_rate")  # type: ignore[arg-type]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"
    assert not (tmp_path / "run" / "model.keras").exists()
