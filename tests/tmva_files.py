"""Weight files for tests: TMVA's own, changed in one place, and small ones written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CASES = ("cls_tutorial", "cls_plain_weighted", "multiclass", "reg")


def weight_files(folder: Path) -> list[Path]:
    return sorted(path for case in CASES for path in (folder / "tmva" / case / "weights").glob("*.xml"))


def title(path: Path) -> str:
    return path.name.removeprefix("TMVA_").removesuffix(".weights.xml")


def written(
    path: Path,
    method: str,
    weights: str,
    *,
    options: Mapping[str, str] | None = None,
    variables: tuple[str, ...] = ("x", "y"),
    analysis: str = "Classification",
    classes: tuple[str, ...] = ("Signal", "Background"),
    targets: tuple[str, ...] = (),
    transformations: str = '<Transformations NTransformations="0"/>',
    release: str = "4.2.1 [262657]",
    pdfs: str = "",
) -> Path:
    """A file as TMVA writes it, with these weights."""
    if analysis == "Regression":
        classes, targets = ("Regression",), targets or ("t",)

    def items(names: tuple[str, ...], kind: str, index: str) -> str:
        return "".join(
            f'<{kind} {index}="{i}" Expression="{name}" Label="{name}" Title="{name}" Unit="" Internal="{name}" '
            f'Type="F" Min="0.00000000e+00" Max="1.00000000e+00"/>'
            for i, name in enumerate(names)
        )

    settings = "".join(
        f'<Option name="{name}" modified="Yes">{value}</Option>' for name, value in (options or {}).items()
    )
    named = "".join(f'<Class Name="{name}" Index="{i}"/>' for i, name in enumerate(classes))
    goals = f'<Targets NTrgt="{len(targets)}">{items(targets, "Target", "TargetIndex")}</Targets>' if targets else ""
    path.write_text(
        f"""<?xml version="1.0"?>
<MethodSetup Method="{method}::{method}">
<GeneralInfo><Info name="TMVA Release" value="{release}"/><Info name="ROOT Release" value="6.38/00 [402944]"/>
<Info name="AnalysisType" value="{analysis}"/></GeneralInfo>
<Options>{settings}</Options>
<Variables NVar="{len(variables)}">{items(variables, "Variable", "VarIndex")}</Variables>
<Spectators NSpec="0"/>
<Classes NClass="{len(classes)}">{named}</Classes>
{goals}
{transformations}
<MVAPdfs>{pdfs}</MVAPdfs>
{weights}
</MethodSetup>
""",
        encoding="utf-8",
    )
    return path


def fisher(*coefficients: float) -> str:
    rows = "".join(f'<Coefficient Index="{i}" Value="{value}"/>' for i, value in enumerate(coefficients))
    return f'<Weights NCoeff="{len(coefficients)}">{rows}</Weights>'


def ld(*outputs: tuple[float, ...]) -> str:
    rows = "".join(
        f'<Coefficient IndexOut="{i}" IndexCoeff="{j}" Value="{value}"/>'
        for i, output in enumerate(outputs)
        for j, value in enumerate(output)
    )
    return f'<Weights NOut="{len(outputs)}" NCoeff="{len(outputs[0])}">{rows}</Weights>'


def network(*layers: list[list[float]]) -> str:
    """An MLP: for each layer the weights of its neurons, bias last, to the next layer."""
    sizes = [len(layer) for layer in layers] + [len(layers[-1][0])]
    text = ""
    for i, layer in enumerate(layers):
        neurons = "".join(f'<Neuron NSynapses="{len(row)}">{" ".join(map(repr, row))}</Neuron>' for row in layer)
        text += f'<Layer Index="{i}" NNeurons="{sizes[i]}">{neurons}</Layer>'
    last = '<Neuron NSynapses="0"/>' * sizes[-1]
    text += f'<Layer Index="{len(layers)}" NNeurons="{sizes[-1]}">{last}</Layer>'
    return f'<Weights><Layout NLayers="{len(sizes)}">{text}</Layout></Weights>'


def node(pos: str, *children: str, **attributes: object) -> str:
    values = {
        "depth": 0,
        "NCoef": 0,
        "IVar": -1,
        "Cut": 0.0,
        "cType": 1,
        "res": 0.0,
        "rms": 0,
        "purity": 0.5,
        "nType": 1,
    }
    values |= {"nType": 0} if children else {}
    words = " ".join(f'{name}="{value}"' for name, value in (values | attributes).items())
    return f'<Node pos="{pos}" {words}>{"".join(children)}</Node>'


def forest(*trees: tuple[float, str], analysis: int = 0, more: str = "") -> str:
    text = "".join(
        f'<BinaryTree type="DecisionTree" boostWeight="{weight}" itree="{i}">{root}</BinaryTree>'
        for i, (weight, root) in enumerate(trees)
    )
    return f'<Weights NTrees="{len(trees)}" AnalysisType="{analysis}" {more}>{text}</Weights>'


def density(  # noqa: PLR0917
    contents: list[float],
    low: float,
    high: float,
    method: int,
    smooth: int = 0,
    edges: list[float] | None = None,
    **kde: float,
) -> str:
    kernel = {"KDE_type": 1, "KDE_iter": 1, "KDE_border": 1, "KDE_finefactor": 1.0} | kde
    words = " ".join(f'{name}="{value}"' for name, value in kernel.items())
    text = " ".join(map(repr, contents))
    binning = (
        f'<HistogramBinning NBins="{len(contents)}">{" ".join(map(repr, edges))}</HistogramBinning>' if edges else ""
    )
    return (
        f'<PDF Name="p" MinNSmooth="{smooth}" MaxNSmooth="{smooth}" InterpolMethod="{method}" {words}>'
        f'<Histogram Name="h" NBins="{len(contents)}" XMin="{low}" XMax="{high}" '
        f'HasEquidistantBins="{int(edges is None)}">{text}</Histogram>{binning}</PDF>'
    )


def selection(*items: tuple[str, str], outputs: tuple[tuple[str, str], ...] | None = None) -> str:
    def side(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
        rows = "".join(f'<{name} Type="{kind}" Label="{label}" Expression="{label}"/>' for kind, label in pairs)
        return f'<{name} N{name}s="{len(pairs)}">{rows}</{name}>'

    return f"<Selection>{side('Input', items)}{side('Output', outputs or items)}</Selection>"


def ranges(*sets: list[tuple[float, float]]) -> str:
    return "".join(
        f'<Class ClassIndex="{i}"><Ranges>'
        + "".join(f'<Range Index="{j}" Min="{low}" Max="{high}"/>' for j, (low, high) in enumerate(one))
        + "</Ranges></Class>"
        for i, one in enumerate(sets)
    )


def chain(*transforms: str) -> str:
    return f'<Transformations NTransformations="{len(transforms)}">{"".join(transforms)}</Transformations>'
