"""Why a layer of Keras has no handler: the other half of the table in docs/layers.md."""

from __future__ import annotations

__all__ = ["reason_of"]

_RANDOM = "changes images at random while training"
_TEXT = "works on text or on tables of words, which a network file does not carry"
_BACK_END = "wraps a function of one back end, which cannot be read"
_STATE = "is a cell: export the LSTM, GRU or SimpleRNN around it"
REASONS: dict[str, str] = {
    **dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"), _STATE),
    "RNN": "runs a cell that may be anything: use LSTM, GRU or SimpleRNN",
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), "a sequence of images has no form in the file yet"),
    **dict.fromkeys(
        [f"Adaptive{kind}Pooling{n}D" for kind in ("Average", "Max") for n in (1, 2, 3)],
        "windows of differing size; poolings of one size and global ones are there",
    ),
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), _BACK_END),
    "Lambda": "holds code, which is neither read nor run",
    **dict.fromkeys(("Layer", "Wrapper", "InputSpec"), "a base class or a description, not a layer"),
    "InputLayer": "becomes an entry of `inputs` or `input_sequences`",
    "Pipeline": "a list of preprocessing layers: call them one after another",
    **dict.fromkeys(("StringLookup", "TextVectorization", "IntegerLookup", "Hashing", "HashedCrossing"), _TEXT),
    **dict.fromkeys(("CategoryEncoding", "Discretization"), "turns numbers into categories; Embedding takes those"),
    **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), "a Fourier transform of sound"),
    **dict.fromkeys(("CenterCrop", "Resizing"), "preprocessing of pictures: crop or resize before the network"),
    **dict.fromkeys(
        ("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "Equalization", "MaxNumBoundingBoxes"),
        "preprocessing of pictures",
    ),
    **dict.fromkeys(("AugMix", "CutMix", "MixUp", "RandAugment", "Solarization"), _RANDOM),
    "ReversibleEmbedding": "ties an output to an embedding, as language models do",
}


def reason_of(kind: str) -> str:
    """Why the layer of this name is not exported; "" if nobody has said.

    Example:
        >>> reason_of("RandomFlip")
        'changes images at random while training'
    """
    return REASONS.get(kind, _RANDOM if kind.startswith("Random") else "")
