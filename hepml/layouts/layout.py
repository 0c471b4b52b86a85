"""A layout: the branches, units and grids of one kind of ROOT file, read from YAML.

hepml ships layouts for Delphes; a user's own file has the same form (see examples/layouts). A branch is given by name
or as a list of alternatives, of which the first that exists is used; `optional` lists columns that may be absent. Names
need not repeat the parent: `ECalTowers.ET` finds `ECalTowers/ECalTowers.ET` of a split tree, the field `ECalTowers.ET`
of an RNTuple and the separate array `ECalTowers_ET` that uproot writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from hepml.errors import SchemaError, nearest
from hepml.geometry import PAPER, Geometry
from hepml.layouts.yamlfile import read_yaml

__all__ = ["Block", "Column", "Layout", "Where", "layout_names", "load_layout"]

SHIPPED = ("delphes-2011.01984", "delphes")  # in the order in which files are recognised
_ENERGY = {"keV": 1e-6, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3}
_ANGLE = {"rad": 1.0, "deg": 0.017453292519943295}
_SIDES = ("eta_lo", "eta_hi", "phi_lo", "phi_hi")
_TOWER_COLUMNS = ("et", "e", "part", "eta", "phi", "px", "py", "pz", "x", "y", "z", "edges", *_SIDES)
_OBJECT_COLUMNS = ("pt", "e", "eta", "phi", "px", "py", "pz")


@dataclass(frozen=True)
class Column:
    """One branch: its possible names, and whether it may be absent."""

    names: tuple[str, ...]
    optional: bool = False

    @classmethod
    def parse(cls, text: str | list[str], optional: bool = False) -> Column:
        """From a name or a list of names."""
        return cls((text,) if isinstance(text, str) else tuple(text), optional)


@dataclass(frozen=True)
class Where:
    """Keep only the entries of a collection whose value in `column` (its size, if `absolute`) is one of `values`."""

    column: Column
    values: tuple[int, ...]
    absolute: bool = False


@dataclass(frozen=True)
class Block:
    """A collection of towers or objects.

    Attributes:
        columns, fields: the branches.
        where: keep some entries of the collection only.
        index: a branch with positions in the collection: these, in this order, are the objects (podio's subsets).
        energy, angle: factors to GeV and radians.
        required: whether a tree without it does not fit.
    """

    columns: Mapping[str, Column]
    fields: Mapping[str, Column] = field(default_factory=dict)
    where: Where | None = None
    index: Column | None = None
    energy: float = 1.0
    angle: float = 1.0
    required: bool = True

    def all_columns(self) -> Iterator[tuple[str, Column]]:
        """Every column with its key, the fields as `fields.<name>`, the selection as `where` and `index`."""
        yield from self.columns.items()
        yield from ((f"fields.{name}", column) for name, column in self.fields.items())
        if self.where is not None:
            yield "where", self.where.column
        if self.index is not None:
            yield "index", self.index


@dataclass(frozen=True)
class Layout:
    """Where the towers, objects and numbers of an event are in a tree.

    Attributes:
        name: of the layout; `path` is its YAML file.
        trees: names of the tree, first choice first; empty means the file's only tree.
        towers: "ecal" and "hcal", or empty for files that hold objects only.
        objects: "electron", "muon", "jet", "track", "particle" (generator), or the user's own.
        event: columns "run", "lumi", "event", "weight", "group", "pileup".
        seed: the collection whose branches enter the checksum of a sample.
        geometry: grids and windows; the paper's unless the file says otherwise.
    """

    name: str
    path: str
    description: str = ""
    trees: tuple[str, ...] = ()
    towers: Mapping[str, Block] = field(default_factory=dict)
    objects: Mapping[str, Block] = field(default_factory=dict)
    event: Mapping[str, Column] = field(default_factory=dict)
    seed: str = "electron"
    geometry: Geometry = PAPER

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """Every collection with its place in the YAML file."""
        yield from ((f"towers.{name}", block) for name, block in self.towers.items())
        yield from ((f"objects.{name}", block) for name, block in self.objects.items())


def layout_names() -> tuple[str, ...]:
    """Names of the layouts that hepml ships, in the order in which files are recognised."""
    return SHIPPED


@cache
def _shipped(name: str) -> Layout:
    with as_file(files("hepml.layouts") / f"{name}.yaml") as path:
        return _from_file(path)


def load_layout(layout: str | Path | Layout) -> Layout:
    """A shipped layout by name, or the user's own from a YAML file.

    Args:
        layout: one of `layout_names()`, a path ending in .yaml or .yml, or a Layout, which is returned.

    Raises:
        SchemaError: no layout of that name, or the file does not follow the schema.
        InputFileError: the file is absent or not text.

    Example:
        >>> load_layout("delphes").towers["ecal"].columns["part"].names
        ('Tower.Eem',)
    """
    if isinstance(layout, Layout):
        return layout
    name = str(layout)
    if name in SHIPPED:
        return _shipped(name)
    if name.endswith((".yaml", ".yml")) or Path(name).is_file():
        return _from_file(Path(name))
    raise SchemaError(
        f"no layout is named {name!r}",
        expected=", ".join(SHIPPED) + ", or a YAML file",
        nearest=nearest(name, SHIPPED),
        fix="pass one of these names, or the path of a file that ends in .yaml",
    )


def _from_file(path: Path) -> Layout:
    content = read_yaml(path, "hepml.layouts", "schema.json")
    units = content.get("units", {})
    towers, objects = (
        {name: _block(value, units, known, f"{kind}.{name}", path) for name, value in content.get(kind, {}).items()}
        for kind, known in (("towers", _TOWER_COLUMNS), ("objects", _OBJECT_COLUMNS))
    )
    if not towers and not objects:
        raise SchemaError("the layout names neither towers nor objects", where=path)
    for key, block in towers.items():
        _check_towers(block, f"towers.{key}", path)
    for key, block in objects.items():
        _check_objects(block, f"objects.{key}", path)
    seed = content.get("seed") or next(iter(objects), "")
    if seed and seed not in objects:
        raise SchemaError(
            f"the seed {seed!r} is not one of the objects", where=path, expected=", ".join(objects) or "no seed"
        )
    tree = content.get("tree", [])
    event = content.get("event", {})
    optional = event.pop("optional", [])
    _check_optional(optional, event, "event", path)
    return Layout(
        name=content["name"],
        path=str(path),
        description=content.get("description", ""),
        trees=(tree,) if isinstance(tree, str) else tuple(tree),
        towers=towers,
        objects=objects,
        event={key: Column.parse(value, key in optional) for key, value in event.items()},
        seed=seed,
        geometry=_geometry(content.get("geometry", {})),
    )


def _block(content: dict[str, Any], units: dict[str, str], known: tuple[str, ...], place: str, path: Path) -> Block:
    own = {**units, **content.get("units", {})}
    where = content.get("where")
    optional = content.get("optional", [])
    columns, fields = [key for key in known if key in content], content.get("fields", {})
    _check_optional(optional, [*columns, *fields], place, path)
    return Block(
        columns={key: Column.parse(content[key], key in optional) for key in columns},
        fields={key: Column.parse(value, key in optional) for key, value in fields.items()},
        where=where
        and Where(Column.parse(where["branch"]), tuple(where["values"]), bool(where.get("absolute", False))),
        index=Column.parse(content["index"]) if "index" in content else None,
        energy=_ENERGY[own.get("energy", "GeV")],
        angle=_ANGLE[own.get("angle", "rad")],
        required=content.get("required", True),
    )


def _geometry(content: dict[str, Any]) -> Geometry:
    record = PAPER.to_dict()
    for key, value in content.items():
        record[key] = {**record[key], **value} if isinstance(value, dict) else value
    return Geometry.from_dict(record)


def _check_optional(optional: list[str], columns: Iterable[str], place: str, path: Path) -> None:
    for name in optional:
        if name not in columns:
            raise SchemaError(
                f"{place} lists {name!r} as optional, but has no such column",
                where=path,
                expected=", ".join(columns) or "nothing",
                nearest=nearest(name, columns),
                fix="list columns by their names in the layout, not by those of branches",
            )


def _check_towers(block: Block, place: str, path: Path) -> None:
    has = {key for key, column in block.columns.items() if not column.optional}
    direction = {"eta", "phi"} <= has or {"px", "py", "pz"} <= has or {"x", "y", "z"} <= has
    energy = bool(has & {"et", "e"}) or {"px", "py", "pz"} <= has
    if not direction or not energy or ("part" in block.columns and "e" not in has):
        raise SchemaError(
            f"{place} does not say where a tower is or what it holds",
            where=path,
            expected="et or e (e, if there is a part), and eta and phi, or px, py, pz, or x, y, z",
            found=", ".join(sorted(has)) or "nothing",
        )
    sides = [side for side in _SIDES if side in block.columns]
    if sides and len(sides) < len(_SIDES):
        raise SchemaError(
            f"{place} does not name all four sides of a tower",
            where=path,
            expected=", ".join(_SIDES) + ", or none of them",
            found=", ".join(sides),
        )


def _check_objects(block: Block, place: str, path: Path) -> None:
    has = {key for key, column in block.columns.items() if not column.optional}
    if not ({"px", "py", "pz"} <= has or ({"eta", "phi"} <= has and has & {"pt", "e"})):
        raise SchemaError(
            f"{place} does not say where an object is or what its momentum is",
            where=path,
            expected="eta, phi and pt (or e), or px, py, pz",
            found=", ".join(sorted(has)) or "nothing",
        )
