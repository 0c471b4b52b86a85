"""Weight files of TMVA, `*.weights.xml`: read without ROOT, refused by name where they cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hepml.errors import SchemaError, check_path, nearest
from tmva_bridge.header import Header, read_header
from tmva_bridge.methods import READERS, Method
from tmva_bridge.methods.method import Events
from tmva_bridge.pdf import PDF, read_pdf
from tmva_bridge.transforms import read_chain
from tmva_bridge.xmlfile import Element, parse_xml, read_bytes

__all__ = ["EXAMPLE", "example", "parse_weights", "read_description", "read_weights"]

# methods of TMVA that are not read -> why
REFUSED = {
    "SVM": "its support vectors are not read yet",
    "PDEFoam": "its cells are in a ROOT file beside the weights",
    "PDERS": "it keeps its training events in a ROOT file",
    "Category": "it holds other methods, with cuts on expressions",
    "Boost": "it holds other methods",
    "DL": "there are no reference numbers to check it against",
    "DNN": "there are no reference numbers to check it against",
    "DT": "book it as BDT with NTrees=1",
    "BayesClassifier": "it was never completed in TMVA",
    "CFMlpANN": "book it as MLP",
    "TMlpANN": "book it as MLP",
    "PyTorch": "its model is in a file of PyTorch",
    "PyRandomForest": "its model is a pickle, which runs what it holds",
    "PyGTB": "its model is a pickle, which runs what it holds",
    "PyAdaBoost": "its model is a pickle, which runs what it holds",
}


def read_weights(path: str | Path, custom_objects: Mapping[str, Any] | None = None) -> Method:
    """A trained method, from the weight file that TMVA wrote.

    Args:
        path: of a `.weights.xml`.
        custom_objects: of PyKeras: classes and functions that the model needs beyond Keras, by name.

    Returns:
        The method: `.evaluate`, `.proba`, `.rarity`, `.variables`, `.classes`, `.options`.

    Raises:
        InputFileError: absent, cut off, not XML, or beyond what a file may ask for.
        SchemaError: not a weight file, of a method that is not read, or one that TMVA would not write; the message
            names the element and its line, what was expected and what was found.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("TMVA_Fisher.weights.xml").write_text(EXAMPLE)
        >>> method = read_weights("TMVA_Fisher.weights.xml")
        >>> method.kind, method.variables, method.classes
        ('Fisher', ('x', 'y'), ('Signal', 'Background'))
        >>> method.evaluate({"x": [1.0, 0.0], "y": [2.0, 0.0]})
        array([ 4.5, -0.5])
    """
    return parse_weights(read_bytes(check_path(path)), str(path), custom_objects)


def parse_weights(data: bytes, file: str, custom_objects: Mapping[str, Any] | None = None) -> Method:
    """As `read_weights`, from the content of a file; `file` is its name in messages."""
    root = parse_xml(data, file)
    header = replace(read_header(root), custom_objects=custom_objects or {})
    if header.kind not in READERS:
        _refuse(root, header)
    return _method(root, header)


def _method(root: Element, header: Header) -> Method:
    chain = read_chain(root, header)
    absent = header.kind == "PyKeras" and root.find("Weights") is None  # its weights are in a file of Keras
    weights = Element("Weights", {}, root.line, root.file) if absent else root.child("Weights")
    respond = READERS[header.kind](weights, header)
    inverts = header.kind != "KNN"  # its targets are kept as they were
    return Method(header, chain, respond, _densities(root, header), inverts)


def read_description(path: str | Path) -> Method:
    """A method of any kind: its header, its transformations and the densities of its response.

    Its `evaluate` is that of `read_weights`; of a kind that is not read, such as PyKeras, it raises SchemaError.

    Raises:
        InputFileError, SchemaError: as `read_weights`, but for methods that are not read.
    """
    root = parse_xml(read_bytes(check_path(path)), str(path))
    header = read_header(root)
    if header.kind in READERS:
        return _method(root, header)

    def respond(events: Events) -> NDArray[np.float64]:
        _refuse(root, header)

    return Method(header, read_chain(root, header), respond, _densities(root, header))


def _refuse(root: Element, header: Header) -> NoReturn:
    known = ", ".join(READERS)
    raise SchemaError(
        f"weight files of {header.kind or 'no method'} are not read",
        where=f"{root.where}, attribute Method",
        expected=known,
        found=root.get("Method"),
        nearest=[] if header.kind in REFUSED else nearest(header.kind, [*READERS, *REFUSED]),
        fix=REFUSED.get(header.kind, "is it a method of TMVA?"),
    )


def _densities(root: Element, header: Header) -> tuple[PDF, PDF] | None:
    node = root.find("MVAPdfs")
    pdfs = node.every("PDF") if node else []
    if not pdfs or header.analysis != "Classification":
        return None
    if len(pdfs) != 2:
        root.wrong("another number of densities", expected="two PDF in MVAPdfs, or none", found=len(pdfs))
    return read_pdf(pdfs[0], normalised=True), read_pdf(pdfs[1], normalised=True)


def example() -> Method:
    """A tiny method, for examples: Fisher of x and y, -0.5 + x + 2 y.

    Example:
        >>> example().variables
        ('x', 'y')
    """
    return parse_weights(EXAMPLE.encode(), "example of Fisher")


_PDF = """<PDF MinNSmooth="0" MaxNSmooth="0" InterpolMethod="0" KDE_type="1" KDE_iter="1" KDE_border="1" \
KDE_finefactor="1"><Histogram NBins="2" XMin="-5" XMax="5" HasEquidistantBins="1">{}</Histogram></PDF>"""
EXAMPLE = f"""<?xml version="1.0"?>
<MethodSetup Method="Fisher::Fisher">
  <GeneralInfo>
    <Info name="TMVA Release" value="4.2.1 [262657]"/>
    <Info name="AnalysisType" value="Classification"/>
  </GeneralInfo>
  <Options><Option name="VarTransform">None</Option></Options>
  <Variables NVar="2">
    <Variable VarIndex="0" Expression="x" Label="x" Type="F"/>
    <Variable VarIndex="1" Expression="y" Label="y" Type="F"/>
  </Variables>
  <Classes NClass="2"><Class Name="Signal" Index="0"/><Class Name="Background" Index="1"/></Classes>
  <Transformations NTransformations="0"/>
  <MVAPdfs>{_PDF.format("1 3")}{_PDF.format("1 1")}</MVAPdfs>
  <Weights NCoeff="3">
    <Coefficient Index="0" Value="-0.5"/>
    <Coefficient Index="1" Value="1"/>
    <Coefficient Index="2" Value="2"/>
  </Weights>
</MethodSetup>
"""
