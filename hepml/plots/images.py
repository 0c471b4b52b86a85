"""Pictures of calorimeter images: means per class, their difference, single candidates.

Pixels are drawn where they lie: eta to the right, phi upwards, distances from the centre of the window. The published
figures use plasma with a logarithmic norm from 1e-4 to 200 GeV, and so do these (pixels without energy are white).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.geometry import PAPER, Geometry
from hepml.images import SparseImages
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import COLUMN, PAGE, Style, drawing, label

__all__ = ["candidate_images", "image_panel", "mean_image", "mean_images", "pixel_grid"]

Floats = NDArray[np.float64]
Stack = ArrayLike | SparseImages

RANGE = (1e-4, 200.0)
_CALORIMETERS = {"et": "ecal", "ee": "ecal", "ht": "hcal", "he": "hcal"}
_TITLES = {
    "et": "ECal $E_\\mathrm{T}$",
    "ee": "ECal $E$",
    "ht": "HCal $E_\\mathrm{T}$",
    "he": "HCal $E$",
}


def mean_image(images: Stack, weight: ArrayLike | None = None) -> Floats:
    """The weighted mean of images.

    Args:
        images: shape (n, rows, columns) or (n, rows, columns, 1), GeV, or SparseImages.
        weight: shape (n,), or None for 1.

    Returns:
        Shape (rows, columns), GeV, float64.

    Raises:
        DataError: no images, another shape, values that are not finite, weights that add up to nothing.

    Example:
        >>> mean_image(np.ones((4, 31, 31, 1))).shape
        (31, 31)
    """
    n = len(images) if isinstance(images, SparseImages) else len(np.asarray(images))
    if not n:
        raise DataError("nothing to draw: no images", fix="give at least one candidate")
    weights = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    if weights.shape != (n,):
        raise DataError("as many weights as images are needed", expected=(n,), found=weights.shape)
    total = float(weights.sum())
    if total <= 0:
        raise DataError("the weights add up to nothing", expected="a positive sum", found=total)
    if isinstance(images, SparseImages):
        size = images.shape[0] * images.shape[1]
        each = np.repeat(weights, images.counts.astype(np.int64)) * images.value
        mean = np.bincount(images.index, weights=each, minlength=size).reshape(images.shape) / total
    else:
        array = np.asarray(images)
        array = array[..., 0] if array.ndim == 4 and array.shape[-1] == 1 else array
        if array.ndim != 3:
            raise DataError(
                "not a stack of images", expected="(n, rows, columns) or (n, rows, columns, 1)", found=array.shape
            )
        mean = np.tensordot(weights, array.astype(np.float64), axes=1) / total
    if not np.isfinite(mean).all():
        raise DataError("images hold values that are not finite")
    return np.asarray(mean, dtype=np.float64)


def pixel_grid(token: str, shape: tuple[int, int], geometry: Geometry = PAPER) -> tuple[Floats, Floats]:
    """Edges of the pixels in eta (ascending) and phi (descending, as the rows), relative to the window's centre.

    Args:
        token: et, ee (ECal window), ht or he (HCal window).
        shape: rows and columns of the image; HCal cells and their pixels fill the same window.
        geometry: grids and windows.

    Example:
        >>> eta, phi = pixel_grid("et", (31, 31))
        >>> round(float(eta[0]), 4), round(float(phi[0]), 6)
        (-0.3875, 0.386466)
    """
    ecal = _calorimeter(token) == "ecal"
    grid, cells = (geometry.ecal, geometry.ecal_window) if ecal else (geometry.hcal, geometry.hcal_window)
    expected = (cells, cells) if ecal else (geometry.hcal_pixels, geometry.hcal_pixels)
    if shape not in (expected, (cells, cells)):
        raise DataError(f"an image {token!r} of another shape than the geometry's", expected=expected, found=shape)
    half_eta, half_phi = cells * grid.eta_width / 2, cells * grid.phi_width / 2
    return np.linspace(-half_eta, half_eta, shape[1] + 1), np.linspace(half_phi, -half_phi, shape[0] + 1)


def _calorimeter(token: str) -> str:
    if token not in _CALORIMETERS:
        raise DataError(f"no image is named {token!r}", expected=", ".join(_CALORIMETERS), found=token)
    return _CALORIMETERS[token]


def image_panel(
    axes: Axes,
    token: str,
    image: ArrayLike,
    *,
    norm: Normalize | None = None,
    cmap: str = "plasma",
    geometry: Geometry = PAPER,
) -> AxesImage:
    """Draws one image, shape (rows, columns), into a panel; logarithmic in `RANGE` unless a norm is given."""
    pixels = np.asarray(image, dtype=np.float64)
    shape = (pixels.shape[0], pixels.shape[1])
    eta, phi = pixel_grid(token, shape, geometry)
    colours = matplotlib.colormaps[cmap].with_extremes(bad="white")
    drawn = np.where(pixels == 0, np.nan, pixels) if cmap == "plasma" else pixels
    picture = axes.imshow(
        drawn,
        extent=(eta[0], eta[-1], phi[-1], phi[0]),
        origin="upper",
        interpolation="nearest",
        cmap=colours,
        norm=norm or LogNorm(*RANGE, clip=True),
        aspect="auto",
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator([-0.2, 0, 0.2]))
        axis.set_minor_locator(MultipleLocator(0.1))
    axes.tick_params(which="both", color="black")
    axes.set_box_aspect(1)
    return picture


def mean_images(
    signal: Mapping[str, Stack],
    background: Mapping[str, Stack],
    *,
    weights: tuple[ArrayLike | None, ArrayLike | None] = (None, None),
    names: tuple[str, str] = ("Signal", "Background"),
    geometry: Geometry = PAPER,
    style: Style | None = None,
) -> FigureRecord:
    """Mean image of each class and their difference, one row of panels an image.

    Args:
        signal, background: images by token (et, ht, ee, he), arrays (n, rows, columns[, 1]) or SparseImages, GeV;
            the same tokens in both. HCal cells (8x8) are drawn as the pixels that networks see.
        weights: of signal and background candidates.
        names: of the classes.
        geometry: grids and windows of the images.
        style: look and label.

    Returns:
        One table a token: eta and phi of the pixel centres, both means and the difference, GeV.

    Raises:
        DataError: no images, one class without images, other shapes than the geometry's.
    """
    style = style or Style()
    tokens = [token for token in _CALORIMETERS if token in signal and token in background]
    if not tokens or len(tokens) < len({*signal, *background}):
        raise DataError(
            "the same images of both classes are needed",
            expected=", ".join(_CALORIMETERS),
            found=f"{', '.join(signal) or 'none'} and {', '.join(background) or 'none'}",
        )
    means = {
        token: [
            _as_pixels(token, mean_image(images[token], weight), geometry)
            for images, weight in zip((signal, background), weights, strict=True)
        ]
        for token in tokens
    }
    with drawing(style):
        figure, grid, bars = _layout(style, len(tokens), (2, 1))
        top = _largest(means)
        norm = LogNorm(*RANGE, clip=True)
        off = SymLogNorm(linthresh=top * 1e-4, linscale=0.6, vmin=-top, vmax=top, base=10)
        for row, token in zip(grid, tokens, strict=True):
            first, second = means[token]
            for axes, one, name in zip(row, (first, second), names, strict=False):
                main = image_panel(axes, token, one, norm=norm, geometry=geometry)
                axes.set_title(f"{_TITLES[token]}, {name.lower()}")
            other = image_panel(row[2], token, first - second, norm=off, cmap="PuOr_r", geometry=geometry)
            row[2].set_title("Difference")
        _energy_bar(figure, main, bars[0], f"Mean {_quantity(tokens)}")
        _difference_bar(figure, other, bars[1], f"Difference of mean {_quantity(tokens)}", top)
        _outer_labels(grid)
        label(grid[0, 0], style, right=bars[1], above=15)
    counts = {word: _count(images[tokens[0]]) for word, images in (("signal", signal), ("background", background))}
    tables = tuple(_table(token, means[token], geometry, counts) for token in tokens)
    caption = f"Mean images of {counts['signal']} {names[0].lower()} and {counts['background']} {names[1].lower()}."
    return FigureRecord(figure, {"main": grid[0, 0], **_named(grid, tokens)}, tables, caption, style)


def candidate_images(
    images: Mapping[str, ArrayLike],
    *,
    titles: Sequence[str] = (),
    geometry: Geometry = PAPER,
    style: Style | None = None,
) -> FigureRecord:
    """Images of single candidates: a row an image, a column a candidate.

    Args:
        images: by token (et, ht, ee, he), arrays (n, rows, columns[, 1]), GeV; n is 1 to 4 candidates.
        titles: of the candidates.
        geometry: grids and windows of the images.
        style: look and label.

    Returns:
        One table a token: eta and phi of the pixel centres, energy of each candidate, GeV.

    Raises:
        DataError: no candidates, more than four, different numbers of them.
    """
    style = style or Style()
    tokens = [token for token in _CALORIMETERS if token in images]
    stacks = {token: np.asarray(images[token], dtype=np.float64) for token in tokens}
    stacks = {token: one[..., 0] if one.ndim == 4 else one for token, one in stacks.items()}
    counts = {len(one) for one in stacks.values()}
    if len(counts) != 1 or not 1 <= max(counts) <= 4 or len(stacks) < len(images):
        raise DataError("one to four candidates with the same images are needed", found=counts or "no images")
    n = counts.pop()
    pixels = {token: [_as_pixels(token, one, geometry) for one in stack] for token, stack in stacks.items()}
    with drawing(style):
        figure, grid, bars = _layout(style, len(tokens), (n,))
        for row, token in zip(grid, tokens, strict=True):
            for position, (axes, one) in enumerate(zip(row, pixels[token], strict=True)):
                picture = image_panel(axes, token, one, geometry=geometry)
                title = f", {titles[position].lower()}" if position < len(titles) else ""
                axes.set_title(f"{_TITLES[token]}{title}")
        _energy_bar(figure, picture, bars[0], _quantity(tokens))
        _outer_labels(grid)
        label(grid[0, 0], style, right=bars[0], above=15)
    tables = tuple(
        Table(
            f"image {token}",
            [*_places(token, pixels[token][0].shape, geometry)]
            + [Column(f"candidate_{position + 1}", one, "GeV") for position, one in enumerate(pixels[token])],
        )
        for token in tokens
    )
    return FigureRecord(
        figure, {"main": grid[0, 0], **_named(grid, tokens)}, tables, "Images of single candidates.", style
    )


def _as_pixels(token: str, image: Floats, geometry: Geometry) -> Floats:
    """HCal cells divided into pixels of equal energy; everything else as it is."""
    cells, expand = geometry.hcal_window, geometry.hcal_expand
    if _calorimeter(token) == "hcal" and image.shape == (cells, cells) and expand > 1:
        return np.repeat(np.repeat(image, expand, axis=0), expand, axis=1) / expand**2
    return image


def _largest(means: Mapping[str, Sequence[Floats]]) -> float:
    """The power of ten above the largest difference."""
    largest = max(float(np.abs(first - second).max()) for first, second in means.values())
    return float(10 ** np.ceil(np.log10(largest))) if largest > 0 else 1.0


def _layout(style: Style, rows: int, groups: Sequence[int]) -> tuple[Figure, NDArray[Any], list[Axes]]:
    """Square panels with a colour bar after each group of columns, placed by inches: figure, panels, bars."""
    left, gap, bar, after = 0.52, 0.12, 0.11, 0.62
    top, between, bottom = 0.46, 0.44, 0.42
    columns = sum(groups)
    width = style.width or (PAGE if columns > 2 else columns * COLUMN)
    taken = left + (columns - len(groups)) * gap + len(groups) * (0.08 + bar + after)
    side = (width - taken) / columns
    height = top + rows * side + (rows - 1) * between + bottom
    figure = Figure(figsize=(width, height))
    grid = np.empty((rows, columns), dtype=object)
    bars: list[Axes] = []
    x, column = left, 0
    for group in groups:
        for _ in range(group):
            for row in range(rows):
                y = height - top - (row + 1) * side - row * between
                grid[row, column] = figure.add_axes((x / width, y / height, side / width, side / height))
            x, column = x + side + gap, column + 1
        x += 0.08 - gap
        tall = rows * side + (rows - 1) * between
        bars.append(figure.add_axes((x / width, bottom / height, bar / width, tall / height)))
        x += bar + after
    return figure, grid, bars


def _outer_labels(grid: NDArray[Any]) -> None:
    for axes in grid[-1]:
        axes.set_xlabel("Δη")
    for axes in grid[:, 0]:
        axes.set_ylabel("Δφ [rad]")
    for axes in grid[:, 1:].ravel():
        axes.tick_params(labelleft=False)


def _quantity(tokens: Sequence[str]) -> str:
    transverse = {token in ("et", "ht") for token in tokens}
    name = "energy" if len(transverse) == 2 else "$E_\\mathrm{T}$" if True in transverse else "$E$"
    return f"{name} [GeV]"


def _energy_bar(figure: Figure, picture: AxesImage, axes: Axes, name: str) -> None:
    figure.colorbar(picture, cax=axes, label=name)
    axes.yaxis.set_major_locator(FixedLocator([10.0**power for power in range(-4, 3)]))
    axes.yaxis.set_minor_locator(NullLocator())


def _difference_bar(figure: Figure, picture: AxesImage, axes: Axes, name: str, top: float) -> None:
    figure.colorbar(picture, cax=axes, label=name)
    values = [sign * top * 10.0**-power for sign in (-1, 1) for power in (0, 1, 2, 3)] + [0.0]
    axes.yaxis.set_major_locator(FixedLocator(sorted(values)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_signed))


def _signed(value: float, _position: int | None = None) -> str:
    if value == 0:
        return "0"
    sign = "−" if value < 0 else ""
    power = round(np.log10(abs(value)))
    return (
        f"{sign}{abs(value):g}" if -3 <= power <= 3 else f"${'-' if value < 0 else ''}\\mathdefault{{10^{{{power}}}}}$"
    )


def _count(images: Stack) -> int:
    return len(images) if isinstance(images, SparseImages) else len(np.asarray(images))


def _places(token: str, shape: tuple[int, ...], geometry: Geometry) -> list[Column]:
    eta, phi = pixel_grid(token, (shape[0], shape[1]), geometry)
    columns, rows = (eta[1:] + eta[:-1]) / 2, (phi[1:] + phi[:-1]) / 2
    return [
        Column("delta_eta", np.tile(columns, len(rows))),
        Column("delta_phi", np.repeat(rows, len(columns)), "rad"),
    ]


def _table(token: str, means: Sequence[Floats], geometry: Geometry, counts: Mapping[str, int]) -> Table:
    signal, background = means
    columns = [
        *_places(token, signal.shape, geometry),
        Column("signal", signal, "GeV"),
        Column("background", background, "GeV"),
        Column("difference", signal - background, "GeV"),
    ]
    return Table(f"mean image {token}", columns, dict(counts))


def _named(grid: NDArray[Any], tokens: Sequence[str]) -> dict[str, Axes]:
    return {
        f"{token}_{column}": axes for token, row in zip(tokens, grid, strict=True) for column, axes in enumerate(row)
    }
