#pragma once

// lwtnn's applications include this file. What it declares there (Stack, ReductionStack, the layer classes,
// get_activation and the matrix helpers) are the insides of lwtnn's evaluator: hepml has another one, and
// offers none of them. The same holds for Graph.hh, Source.hh and InputPreprocessor.hh. Use
// LightweightNeuralNetwork, LightweightRNN, LightweightGraph or generic::FastGraph.

#include "lwtnn/NNLayerConfig.hh"
