"""Events a second from ROOT towers to images, variables and data.h5, against other ways, in turn in one run.

python scripts/bench_convert.py [--events N] [--rounds N] [-o docs/convert_speed.json]

The file: N events of 60 towers on average in five flat branches of float32 (ET, Eta, Phi, Eem, Ehad) and one electron,
zstd. A round runs all ways one after another; the median processor time over rounds is kept, which a busy machine
changes less than wall clock. The loop of RDataFrame is compiled with optimization, fills the same two images around the
same electron, and looks for no hottest cell; ways that are slow read fewer events. Needs the extra `root` and a
compiler.

Wall-clock times of hepml convert, with its threads and without, are taken in turn too, as pairs; and the memory that it
takes at most, in processes of their own: once with N events, once with ten times as many.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import ROOT
import uproot
from machine import commit, machine
from numpy.typing import NDArray

import hepml
from hepml.dataset import convert, output, rows
from hepml.images import images_at
from hepml.ledger import write_json

STEP = 10_000
SMALL = 2_000  # events of a step that stay in the processor's caches
BRANCHES = ["Eta", "Phi", "Eem", "Ehad", "Ele_Eta", "Ele_Phi"]
LAYOUT = """\
format: hepml-layout
version: 1
name: flat
tree: calo
seed: electron
units: {energy: GeV, angle: rad}
towers:
  ecal: {e: Eem, eta: Eta, phi: Phi}
  hcal: {e: Ehad, eta: Eta, phi: Phi}
objects:
  electron: {pt: Ele_PT, eta: Ele_Eta, phi: Ele_Phi}
"""
LOOP = """
#include <ROOT/RDataFrame.hxx>
#include <ROOT/RVec.hxx>
#include <algorithm>
#include <cmath>
#include <vector>

double filled(const char* path) {
  using Column = ROOT::RVec<float>;
  const double pi = 3.14159265358979323846;
  std::vector<float> ecal(31 * 31), hcal(32 * 32);
  double sum = 0;
  const auto fill = [&](const Column& eta, const Column& phi, const Column& eem, const Column& ehad,
                        const Column& eta_0, const Column& phi_0) {
    std::fill(ecal.begin(), ecal.end(), 0.0F);
    std::fill(hcal.begin(), hcal.end(), 0.0F);
    const auto add = [](std::vector<float>& image, int side, double x, double y, double et) {
      const int column = std::floor(x + 0.5 * side), row = std::floor(y + 0.5 * side);
      if (column >= 0 && column < side && row >= 0 && row < side) image[(side - 1 - row) * side + column] += et;
    };
    for (std::size_t i = 0; i < eta.size(); ++i) {
      const double deta = eta[i] - eta_0[0], share = 1 / std::cosh(static_cast<double>(eta[i]));
      double dphi = phi[i] - phi_0[0];
      if (dphi > pi) dphi -= 2 * pi;
      if (dphi < -pi) dphi += 2 * pi;
      add(ecal, 31, deta / 0.025, dphi / (2 * pi / 252), eem[i] * share);
      add(hcal, 32, deta / 0.025, dphi / (2 * pi / 248), ehad[i] * share);
    }
    sum += ecal[480] + hcal[528];
  };
  ROOT::RDataFrame("calo", path).Foreach(fill, {"Eta", "Phi", "Eem", "Ehad", "Ele_Eta", "Ele_Phi"});
  return sum;
}
"""
PEAK = """
import re, sys
from pathlib import Path
from hepml.dataset import convert
convert(sys.argv[1], sys.argv[2], sys.argv[3], layout=sys.argv[4], overwrite=True)
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1e6)
"""


def write_tree(path: Path, n: int, seed: int, towers: int = 60) -> None:
    """Events of Poisson(`towers`) towers around one electron."""
    rng = np.random.default_rng(seed)
    names = ("ET", "Eta", "Phi", "Eem", "Ehad", "Ele_PT", "Ele_Eta", "Ele_Phi")
    with uproot.recreate(path, compression=uproot.ZSTD(3)) as file:
        tree = file.mktree("calo", dict.fromkeys(names, "var * float32"))
        for start in range(0, n, STEP):
            size = min(STEP, n - start)
            counts = rng.poisson(towers, size)
            event = np.repeat(np.arange(size), counts)
            pt, eta_0, phi_0 = 5 + rng.exponential(20, size), rng.uniform(-2, 2, size), rng.uniform(-np.pi, np.pi, size)
            eta = eta_0[event] + rng.normal(0, 0.25, len(event))
            phi = np.mod(phi_0[event] + rng.normal(0, 0.25, len(event)) + np.pi, 2 * np.pi) - np.pi
            et = rng.exponential(1, len(event))
            ecal = rng.random(len(event)) < 0.5
            e = et * np.cosh(eta)
            flat = (et, eta, phi, np.where(ecal, e, 0), np.where(ecal, 0, e))
            columns = [ak.unflatten(values.astype(np.float32), counts) for values in flat]
            ones = np.ones(size, np.int64)
            columns += [ak.unflatten(values.astype(np.float32), ones) for values in (pt, eta_0, phi_0)]
            tree.extend(dict(zip(names, columns, strict=True)))


def flat_columns(path: Path, stop: int) -> Iterator[tuple[NDArray[Any], dict[str, NDArray[Any]]]]:
    """Chunks: the event of each tower, and its ET in both calorimeters and its place seen from the electron."""
    for chunk in uproot.open(f"{path}:calo").iterate(BRANCHES, step_size=2048, entry_stop=stop):
        counts = ak.num(chunk["Eta"]).to_numpy()
        event = np.repeat(np.arange(len(counts)), counts)
        one = {name: ak.flatten(chunk[name]).to_numpy().astype(np.float64) for name in BRANCHES}
        share = 1 / np.cosh(one["Eta"])
        yield (
            counts,
            {
                "event": event,
                "eta": one["Eta"] - one["Ele_Eta"][event],
                "phi": np.mod(one["Phi"] - one["Ele_Phi"][event] + np.pi, 2 * np.pi) - np.pi,
                "ecal": one["Eem"] * share,
                "hcal": one["Ehad"] * share,
            },
        )


SIDES = {"ecal": (31, 2 * np.pi / 252), "hcal": (32, 2 * np.pi / 248)}


def histograms(path: Path, output: Path, n: int) -> None:
    """One np.histogram2d for each event and calorimeter, into gzip."""
    with h5py.File(output, "w") as file:
        sets = {name: gzip_set(file, name, n, side) for name, (side, _) in SIDES.items()}
        at = 0
        for counts, towers in flat_columns(path, n):
            ends = np.cumsum(counts)
            for end, count in zip(ends, counts, strict=True):
                part = slice(end - count, end)
                for name, (side, width) in SIDES.items():
                    reach = (0.5 * side * 0.025, 0.5 * side * width)
                    edges = [np.linspace(-r, r, side + 1) for r in reach]
                    image, _, _ = np.histogram2d(
                        towers["eta"][part], towers["phi"][part], bins=edges, weights=towers[name][part]
                    )
                    sets[name][at] = image
                at += 1


def bincount_images(path: Path, n: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Both images of 2048 events, from one np.bincount each."""
    for counts, towers in flat_columns(path, n):
        made = {}
        for name, (side, width) in SIDES.items():
            column = np.floor(towers["eta"] / 0.025 + 0.5 * side).astype(np.int64)
            row = np.floor(towers["phi"] / width + 0.5 * side).astype(np.int64)
            inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
            pixel = ((towers["event"] * side + row) * side + column)[inside]
            images = np.bincount(pixel, weights=towers[name][inside], minlength=len(counts) * side * side)
            made[name] = images.reshape(-1, side, side).astype(np.float32)
        yield made


def bincounts(path: Path, output: Path, n: int) -> None:
    """The same, into gzip."""
    with h5py.File(output, "w") as file:
        sets = {name: gzip_set(file, name, n, side) for name, (side, _) in SIDES.items()}
        at = 0
        for made in bincount_images(path, n):
            end = at + len(made["ecal"])
            for name, images in made.items():
                sets[name][at:end] = images
            at = end


def gzip_set(file: h5py.File, name: str, n: int, side: int) -> h5py.Dataset:
    return file.create_dataset(name, (n, side, side), "f4", chunks=(128, side, side), compression="gzip")


def images(path: Path, layout: Path, hl: bool) -> None:
    """hepml in memory: candidates and images, and the seven variables."""
    for events in hepml.iterate_events(path, layout=layout, step_size=SMALL):
        made = hepml.make_images(hepml.select_candidates(events, truth=False))
        if hl:
            hepml.high_level(made)


def images_alone(path: Path, layout: Path) -> None:
    """hepml in memory: the images around each electron, without a search for the hottest cell, as the loop."""
    for events in hepml.iterate_events(path, layout=layout, step_size=SMALL, collections="electron"):
        electrons = events.objects["electron"]
        images_at(events, electrons.eta, electrons.phi, energy=False)


def delphes(files: list[Path]) -> None:
    """The same from Delphes files, whose towers have edges."""
    for events in hepml.iterate_events(files, step_size=STEP):
        hepml.high_level(hepml.make_images(hepml.select_candidates(events, truth=False)))


@contextmanager
def at_once(work: Callable[[Any], object]) -> Iterator[Callable[[Any], object]]:
    """As `hepml.dataset.overlap.behind`, without its thread."""
    yield work


def two_threads() -> float:
    """How many times the work of one thread two get done: below 2 where others use the machine."""
    block = bytes(1 << 26)
    taken = []
    for n in (1, 2):
        with ThreadPoolExecutor(n) as threads:
            start = time.perf_counter()
            list(threads.map(lambda _: hashlib.sha256(block).digest(), range(2)))
            taken.append(time.perf_counter() - start)
    return taken[0] / taken[1]


def overlap(job: Callable[[], None], rounds: int) -> dict[str, Any]:
    """Wall-clock seconds without threads over seconds with them, in turn; and what two threads could gain at most."""
    ways = {"threads": (rows.ahead, output.behind), "none": (iter, at_once)}
    ratios, most = [], []
    for _ in range(rounds):
        most.append(two_threads())
        taken = {}
        for name, (ahead, behind) in ways.items():
            setattr(rows, "ahead", ahead)  # noqa: B010
            setattr(output, "behind", behind)  # noqa: B010
            start = time.perf_counter()
            job()
            taken[name] = time.perf_counter() - start
        ratios.append(taken["none"] / taken["threads"])
    setattr(rows, "ahead", ways["threads"][0])  # noqa: B010
    setattr(output, "behind", ways["threads"][1])  # noqa: B010
    span = {"gain": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
    return {**span, "two_threads": statistics.median(most), "load": os.getloadavg()[0]}


def peak(paths: Iterable[Path], layout: Path, data: Path) -> float:
    """GB that a conversion in a process of its own takes at most."""
    arguments = [sys.executable, "-c", PEAK, *map(str, paths), str(data), str(layout)]
    return float(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout)


def memory(paths: list[Path], layout: Path, n: int) -> dict[str, float]:
    """The same for n events and for ten times as many, and the growth."""
    folder = paths[0].parent
    small = peak(paths, layout, folder / "peak.h5")
    large = [folder / f"ten_times_{path.name}" for path in paths]
    for seed, path in enumerate(large):
        write_tree(path, 5 * n, 2 + seed)
    more = peak(large, layout, folder / "peak.h5")
    return {"gb": small, "gb_ten_times": more, "growth": more / small - 1, "events_ten_times": 10 * n}


def processor_time() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(ways: dict[str, tuple[int, Callable[[], Any]]], rounds: int) -> dict[str, dict[str, float]]:
    """Microseconds an event of every way, of the processor and of the clock; a first round is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    passed: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, (n, way) in ways.items():
            start, clock = processor_time(), time.perf_counter()
            way()
            if turn:
                taken[name].append(1e6 * (processor_time() - start) / n)
                passed[name].append(1e6 * (time.perf_counter() - clock) / n)
    return {
        name: {
            "us": statistics.median(values),
            "low": min(values),
            "high": max(values),
            "wall_us": statistics.median(passed[name]),
        }
        for name, values in taken.items()
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delphes", type=Path, nargs="*", default=[], help="Delphes files whose towers have edges")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    n = options.events
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths, layout, loop = (
            [folder / "signal.root", folder / "background.root"],
            folder / "flat.yaml",
            folder / "loop.C",
        )
        layout.write_text(LAYOUT)
        loop.write_text(LOOP)
        for seed, path in enumerate(paths):
            write_tree(path, n // 2, seed)
        if ROOT.gROOT.LoadMacro(f"{loop}+O") != 0:
            raise SystemExit("the loop does not compile")
        first, half, few = str(paths[0]), n // 2, max(n // 50, 1)

        def data_file() -> None:
            convert(paths[0], paths[1], folder / "data.h5", layout=layout, overwrite=True)

        ways: dict[str, tuple[int, Callable[[], Any]]] = {
            "RDataFrame loop, two images": (half, lambda: ROOT.filled(first)),
            "hepml, images around the electrons": (half, lambda: images_alone(paths[0], layout)),
            "hepml, candidates and images": (half, lambda: images(paths[0], layout, False)),
            "hepml, candidates, images, variables": (half, lambda: images(paths[0], layout, True)),
            "histogram2d and gzip": (few, lambda: histograms(paths[0], folder / "slow.h5", few)),
            "bincount and gzip": (few, lambda: bincounts(paths[0], folder / "slow.h5", few)),
            "hepml convert": (n, data_file),
        }
        if options.delphes:
            entries = sum(tree.num_entries for tree in map(uproot.open, (f"{one}:Delphes" for one in options.delphes)))
            ways["hepml, Delphes with edges"] = (entries, lambda: delphes(options.delphes))
        found = measured(ways, options.rounds)
        threads = overlap(data_file, options.rounds)
        peaks = memory(paths, layout, n)
    about = {
        "machine": machine(),
        "commit": commit(Path(__file__).parents[1]),
        "root": str(ROOT.gROOT.GetVersion()),
        "uproot": uproot.__version__,
        "events": n,
        "rounds": options.rounds,
    }
    for name, row in found.items():
        span = f"{row['us']:8.2f} us ({row['low']:.2f}, {row['high']:.2f})"
        print(f"{name:40} {span}, {row['wall_us']:.2f} us by the clock")
    print(threads, peaks)
    if options.output:
        write_json(options.output, {"about": about, "rows": found, "overlap": threads, "memory": peaks}, overwrite=True)


if __name__ == "__main__":
    main()
