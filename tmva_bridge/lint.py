"""Traps that a weight file is in: what gives other numbers than its reader expects.

Each trap is one function in `TRAPS`, which says what of the file is in the trap, or nothing. A trap that changes
numbers without a word is a warning; what its reader should know is a note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tmva_bridge.methods import Method
from tmva_bridge.options import parse_chain
from tmva_bridge.weights import read_description
from tmva_bridge.xmlfile import Element

__all__ = ["TRAPS", "Finding", "Trap", "lint"]

_OF_CLASSES = ("Likelihood", "HMatrix")  # transform signal and background each for its own
_LARGE = 10_000_000  # bytes, which ROOT's XML engine takes at once


@dataclass(frozen=True)
class Trap:
    """A trap.

    Attributes:
        warns: whether numbers change without a word; else it is a note.
        text: what happens, and what to do.
        found: what of the file is in it, or "".
    """

    name: str
    warns: bool
    text: str
    found: Callable[[Method], str]


@dataclass(frozen=True)
class Finding:
    """A trap that a file is in; `what` says by what."""

    trap: Trap
    what: str


def lint(path: str | Path) -> list[Finding]:
    """The traps that a weight file is in, warnings first.

    Args:
        path: of a `.weights.xml`, of any method of TMVA.

    Raises:
        InputFileError, SchemaError: as `read_weights`, but for methods that are not read.

    Example:
        >>> from tmva_bridge.weights import EXAMPLE
        >>> _ = Path("TMVA_Fisher.weights.xml").write_text(EXAMPLE.replace(">None<", ">G_Signal<"))
        >>> lint("TMVA_Fisher.weights.xml")
        Traceback (most recent call last):
            ...
        hepml.errors.SchemaError: the transformation Gauss is missing
        ...
    """
    method = read_description(path)
    found = [Finding(trap, what) for trap in TRAPS if (what := trap.found(method))]
    return sorted(found, key=lambda one: not one.trap.warns)


def _class_suffix(method: Method) -> str:
    text = method.header.option("VarTransform", "None")
    if method.kind in _OF_CLASSES or text.strip().lower() in ("", "none"):
        return ""
    named = [link.class_name for link in parse_chain(text) if link.class_name]
    return f"VarTransform={text}" if any(one != "AllClasses" for one in named) else ""


def _smoothing(method: Method) -> str:
    passes = [pdf.real("MaxNSmooth") for pdf in _pdfs(method) if pdf.whole("InterpolMethod") != 5]
    count = sum(one > 0 for one in passes)
    return f"{count} of {len(passes)} densities, smoothed up to {max(passes):g} times" if count else ""


def _pdfs(method: Method) -> list[Element]:
    """Densities that are smoothed when they are read: of the response and of a Likelihood."""
    root = method.header.element
    found = [pdf for node in [root.find("MVAPdfs")] if node for pdf in node.every("PDF")]
    weights = root.find("Weights")
    if method.kind == "Likelihood" and weights:
        found += [one.child("PDF") for one in weights.every("PDFDescriptor")]
    return found


def _is_network(method: Method) -> bool:
    return method.kind == "MLP"


def _rational_tanh(method: Method) -> str:
    used = _is_network(method) and method.header.option("NeuronType").lower() == "tanh"
    return "NeuronType=tanh" if used and method.header.release >= (4, 2, 1) else ""


def _true_tanh(method: Method) -> str:
    used = _is_network(method) and method.header.option("NeuronType").lower() == "tanh"
    return f"TMVA {_release(method)}" if used and method.header.release < (4, 2, 1) else ""


def _release(method: Method) -> str:
    return ".".join(map(str, method.header.release))


def _old_estimator(method: Method) -> str:
    if not _is_network(method) or method.analysis != "Classification":
        return ""
    estimator = method.header.option("EstimatorType", "MSE" if method.header.release < (4, 1, 0) else "")
    return f"EstimatorType={estimator}, TMVA {_release(method)}" if estimator.upper() == "MSE" else ""


def _gaus_kernel(method: Method) -> str:
    header = method.header
    if method.kind != "KNN" or not header.flag("UseKernel", False):
        return ""
    scaled = int(100 * header.number("ScaleFrac", 0.8)) > 0
    return (
        f"Kernel=Gaus, ScaleFrac={header.option('ScaleFrac', '0.8')}"
        if (scaled and header.option("Kernel", "Gaus").lower() == "gaus")
        else ""
    )


def _integers(method: Method) -> str:
    if method.kind != "Likelihood":
        return ""
    return ", ".join(one.label for one in method.header.variables if one.kind == "I")


def _cuts(method: Method) -> str:
    return method.title if method.kind == "Cuts" else ""


def _log_likelihood(method: Method) -> str:
    folded = method.kind == "Likelihood" and method.header.flag("TransformOutput", False)
    return "TransformOutput" if folded else ""


def _preselection(method: Method) -> str:
    used = method.kind == "BDT" and method.header.flag("DoPreselection", False)
    return "DoPreselection" if used else ""


def _tree_weights(method: Method) -> str:
    grad = method.kind == "BDT" and method.header.option("BoostType").lower() == "grad"
    return "BoostType=Grad" if grad and method.analysis == "Regression" else ""


def _offset(method: Method) -> str:
    node = method.header.element.find("Transformations")
    nodes = node.every("Transform") if node else []
    absent = [one for one in nodes if one.get("Name") == "Normalize" and "UseOffsetOrNot" not in one.attributes]
    return f"{len(absent)} Normalize" if absent else ""


def _spectators(method: Method) -> str:
    return ", ".join(one.expression for one in method.header.spectators)


def _expressions(method: Method) -> str:
    return ", ".join(one.expression for one in method.header.variables if not one.expression.isidentifier())


def _constant(method: Method) -> str:
    node = method.header.element.find("Variables")
    items = node.every("Variable") if node else []
    known = [one for one in items if {"Min", "Max"} <= set(one.attributes)]
    return ", ".join(one.get("Label", "") for one in known if one.real("Min") == one.real("Max"))


def _elsewhere(method: Method) -> str:
    outside = {"PyKeras", "PyTorch", "PyRandomForest", "PyGTB", "PyAdaBoost", "PDEFoam", "PDERS"}
    return f"{method.kind}: {method.header.option('FilenameTrainedModel', '')}" if method.kind in outside else ""


def _without_densities(method: Method) -> str:
    one_number = method.analysis == "Classification" and method.kind != "Cuts"
    return "no MVAPdfs" if one_number and method.densities is None else ""


def _size(method: Method) -> str:
    size = Path(method.header.file).stat().st_size
    return f"{size / 1e6:.0f} MB" if size > _LARGE else ""


TRAPS = (
    Trap(
        "class-suffix",
        True,
        "the class in VarTransform counts in training only: it is not in the file, and every reader transforms with "
        "the parameters of all classes. Train without it, or do not compare with numbers from the training session.",
        _class_suffix,
    ),
    Trap(
        "smoothing",
        True,
        "densities are smoothed when the file is read, by ROOT's TH1::Smooth, which changed: another release of ROOT "
        "gives other responses or probabilities. hepml smooths as ROOT 6.38. Train with NSmooth=0 where it matters.",
        _smoothing,
    ),
    Trap(
        "rational-tanh",
        True,
        "from TMVA 4.2.1 on, tanh of a network is a ratio of polynomials in float32, which leaves [-1, 1] beyond 5: "
        "the same weights with a true tanh, in Keras or elsewhere, give other numbers.",
        _rational_tanh,
    ),
    Trap(
        "gaus-kernel",
        True,
        "the Gaussian kernel of KNN compares scaled neighbours with the event as it is, unscaled: its weights are not "
        "those of the distance. Train with ScaleFrac=0, or without UseKernel.",
        _gaus_kernel,
    ),
    Trap(
        "integer-variable",
        True,
        'TMVA takes bins as they are for variables of type "N", which no variable has: its integers are "I", and '
        "their densities are interpolated. Train with PDFInterpol=Spline0 for these.",
        _integers,
    ),
    Trap(
        "cut-efficiency",
        True,
        "the cuts that are used are those of the bin after the one that the efficiency falls in, and at the edge of a "
        "bin the answer depends on ROOT's release: ask for efficiencies at centres of bins, such as 0.705.",
        _cuts,
    ),
    Trap(
        "old-estimator",
        False,
        "the network was trained with mean squares and a linear output: its response is no probability, and leaves "
        "[0, 1].",
        _old_estimator,
    ),
    Trap("true-tanh", False, "before TMVA 4.2.1, tanh of a network is the true one, later it is not.", _true_tanh),
    Trap(
        "log-likelihood",
        False,
        "TransformOutput: the response is the logit of the likelihood ratio divided by 15, not between 0 and 1.",
        _log_likelihood,
    ),
    Trap(
        "preselection",
        False,
        "DoPreselection: events beyond the stored cuts get -1 or +1 without a look at the trees.",
        _preselection,
    ),
    Trap(
        "first-weight",
        False,
        "the boostWeight of the first tree is the starting value of the regression, not a weight; the others are not "
        "used.",
        _tree_weights,
    ),
    Trap(
        "no-offset-attribute",
        False,
        "Normalize without the attribute UseOffsetOrNot: ROOT 6.38.00 refuses the file; 6.38.02 and hepml read it.",
        _offset,
    ),
    Trap(
        "spectators",
        False,
        "TMVA's Reader wants AddSpectator for each of these, in this order, though it does not use them.",
        _spectators,
    ),
    Trap(
        "expressions",
        False,
        "a Reader does not compute expressions: give it their values, under exactly these names.",
        _expressions,
    ),
    Trap("constant-variable", False, "variables that had one value in the whole training sample.", _constant),
    Trap("model-elsewhere", False, "the model is in another file, which has to travel with this one.", _elsewhere),
    Trap(
        "no-densities",
        False,
        "trained without CreateMVAPdfs: GetProba gives -1, and there is no rarity.",
        _without_densities,
    ),
    Trap("large-file", False, "ROOT's XML engine has failed on files of this size.", _size),
)
