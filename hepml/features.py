"""The seven high-level variables, the masses, and improved variants of both, computed in C++ from the images.

All in double precision from the float32 images. A ratio whose denominator is not positive is 0, a variance below zero
is 0, so that an empty image gives zeros and no candidate gives NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.candidates import Candidates, convention_code, core_geometry
from hepml.errors import DataError, check_kind, check_names, check_whole, nearest
from hepml.images import IMAGE_NAMES, Images

__all__ = [
    "FEATURE_NAMES",
    "MASS_NAMES",
    "hard_selection",
    "high_level",
    "isolation_cones",
    "mass",
    "masses",
    "sigma_etaeta_log",
]

FEATURE_NAMES = ("r_had", "w_eta2", "r_phi", "r_eta", "sigma_etaeta", "iso_03", "iso_04")
MASS_NAMES = ("mass", "et_mass", "ee_mass")

_MASS_KINDS = ("all", "et", "ee")


def high_level(images: Images) -> NDArray[np.float64]:
    r"""The seven variables of each candidate; a window "a x b" is a cells in eta and b in phi around the centre.

    ===  ==============  ==============================================================================
    0    r_had           ET of the HCal image / ET of the ECal image
    1    w_eta2          :math:`\sqrt{\sum E\eta^2/\sum E - (\sum E\eta/\sum E)^2}` in 3 x 5
    2    r_phi           E(3 x 3) / E(3 x 7)
    3    r_eta           E(3 x 7) / E(7 x 7)
    4    sigma_etaeta    :math:`\sqrt{\sum w\,i^2/\sum w}`, :math:`w = |\ln E|`, in 5 x 5, i in cells; cells with
                         E <= 0 are left out
    5    iso_03          E within :math:`\Delta R < 0.3`, the core included, GeV
    6    iso_04          E within :math:`\Delta R < 0.4` as far as the image reaches, GeV
    ===  ==============  ==============================================================================

    With ``convention="2011.01984"`` the cell widths in eta and phi are exchanged in w_eta2 and the cones, as published.

    Args:
        images: from `make_images`.

    Returns:
        float64, shape (n, 7), columns `FEATURE_NAMES`; an empty image gives zeros.

    Example:
        >>> from importlib.resources import files
        >>> import hepml
        >>> events = hepml.open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> images = hepml.make_images(hepml.select_candidates(events))
        >>> high_level(images).shape == (len(images), 7)
        True

    Source:
        arXiv:2011.01984, Sec. III, as coded in its HLVar macro.
    """
    core = _core_geometry(images)
    return np.asarray(_core.high_level(core, convention_code(images.convention), _sparse(images)))


def mass(images: Images, kind: str = "all") -> NDArray[np.float64]:
    r"""Invariant mass of the deposits, each a massless object at the centre of its cell.

    .. math:: M^2 = 2 \sum_{a<b} E_{T,a} E_{T,b} (\cosh\Delta\eta_{ab} - \cos\Delta\phi_{ab})

    The HCal enters as 8 x 8 cells at their true offset from the ECal image; a single cell has no mass.

    Args:
        images: from `make_images`.
        kind: "all" (ET of ECal and HCal: token `mass`), "et" (ET of the ECal: `et_mass`), "ee" (E of the ECal in place
            of its ET: `ee_mass`); the tokens are accepted too.

    Returns:
        float64, shape (n,), GeV; 0 where the square is negative (negative deposits) or the images are empty.

    Raises:
        DataError: another kind.

    Example:
        >>> from importlib.resources import files
        >>> import hepml
        >>> events = hepml.open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> images = hepml.make_images(hepml.select_candidates(events))
        >>> bool((mass(images) >= mass(images, "et")).all())
        True

    Source:
        The variable of arXiv:2011.01984, Sec. III, whose code was not published.
    """
    kinds = {**dict(zip(_MASS_KINDS, range(3), strict=True)), **dict(zip(MASS_NAMES, range(3), strict=True))}
    if kind not in list(kinds):  # a list asks nothing of what it is compared with
        raise DataError(
            f"no mass of kind {kind!r}",
            expected="one of " + ", ".join(map(repr, _MASS_KINDS)),
            nearest=nearest(kind, kinds),
        )
    core = _core_geometry(images)
    return np.asarray(_core.mass(core, kinds[kind], _sparse(images), _offset(images)))


def masses(images: Images) -> NDArray[np.float64]:
    """The three masses of each candidate, each as `mass` has it, together in less time.

    Returns:
        float64, shape (n, 3), columns `MASS_NAMES`, GeV.
    """
    core = _core_geometry(images)
    return np.asarray(_core.masses(core, _sparse(images), _offset(images)))


def hard_selection(images: Images) -> NDArray[np.bool_]:
    """Which candidates resemble electrons: r_had < 0.15 and (ET outside of 3 x 7 cells) / (ET in 3 x 7) < 0.5.

    The named preselection "hard" of `select_candidates`.

    Returns:
        bool, shape (n,); False where the 3 x 7 cells hold no ET.
    """
    return np.asarray(_core.hard_selection(_core_geometry(images), _sparse(images)))


def sigma_etaeta_log(images: Images) -> NDArray[np.float64]:
    r"""Width of the shower in eta, in cells, with logarithmic weights.

    :math:`w_i = \max(0, 4.7 + \ln(E_i/E_{5\times5}))` in 5 x 5 cells about the weighted mean: independent of the unit
    of energy, and deposits below 0.9 % of the cluster do not count.

    Returns:
        float64, shape (n,); 0 where the 5 x 5 cells hold no energy.

    Source:
        CMS, JINST 10 (2015) P06005, Sec. 4.
    """
    return np.asarray(_core.sigma_etaeta_log(_core_geometry(images), _sparse(images)))


def isolation_cones(
    candidates: Candidates,
    radii: Sequence[float] = (0.2, 0.3, 0.4),
    *,
    core: int = 5,
    calorimeters: str | Sequence[str] = ("ecal", "hcal"),
) -> NDArray[np.float64]:
    """ET around a candidate in units of its pT, the core left out; from the towers, so not clipped by the images.

    Args:
        candidates: from `select_candidates`.
        radii: of the cones around the hottest cell's centre; a tower counts if its distance is smaller.
        core: odd number of ECal cells along each axis of the square that is left out; 0 leaves out nothing.
        calorimeters: "ecal", "hcal" or both.

    Returns:
        float64, shape (n, len(radii)); 0 where pT is not positive.

    Raises:
        DataError: no radius, a radius or core that cannot be used, another calorimeter.

    Example:
        >>> from importlib.resources import files
        >>> import hepml
        >>> events = hepml.open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> cones = isolation_cones(hepml.select_candidates(events), (0.1, 0.3))
        >>> bool((cones[:, 0] <= cones[:, 1]).all())
        True
    """
    check_kind(candidates, Candidates, "select_candidates(events)")
    try:
        sizes = np.asarray(radii, dtype=np.float64)
    except (TypeError, ValueError):
        sizes = np.zeros(0)
    if sizes.ndim != 1 or len(sizes) == 0 or not (sizes > 0).all():
        raise DataError("radii that cannot be used", expected="a list of positive numbers", found=repr(radii))
    core = check_whole("core", core)
    if core < 0 or (core % 2 == 0 and core > 0):
        raise DataError("a core that cannot be used", expected="0 or an odd number of cells", found=core)
    names = check_names("calorimeters", calorimeters)
    if not names or not {"ecal", "hcal"}.issuperset(names):
        raise DataError("calorimeters that do not exist", expected="'ecal', 'hcal' or both", found=list(names))
    none = (np.zeros(len(candidates.events) + 1, np.int64), *[np.zeros(0)] * 4)
    ecal, hcal = (
        cells if name in names else none for name, cells in zip(("ecal", "hcal"), candidates.cells, strict=True)
    )
    parts = (np.ascontiguousarray(part) for part in (candidates.row, candidates.cell, candidates.pt))
    return np.asarray(_core.isolation(core_geometry(candidates.geometry), ecal, hcal, *parts, core, sizes))


def _core_geometry(images: Images) -> Any:
    check_kind(images, Images, "make_images(candidates)")
    return core_geometry(images.geometry)


def _offset(images: Images) -> NDArray[np.float64]:
    return np.ascontiguousarray(images.hcal_offset, dtype=np.float64)


def _sparse(images: Images) -> tuple[Any, ...]:
    parts = (images.cells_of(name) for name in IMAGE_NAMES)
    return tuple((part.counts, part.index, part.value) for part in parts)
