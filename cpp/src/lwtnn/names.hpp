#pragma once

#include <lwtnn/NNLayerConfig.hh>

#include <utility>

// The words of lwtnn's files and the enumerators of its headers.
namespace lwt::names {

template <class E>
using Row = std::pair<const char*, E>;

constexpr Row<Activation> activations[] = {
    {"linear", Activation::LINEAR},
    {"sigmoid", Activation::SIGMOID},
    {"rectified", Activation::RECTIFIED},
    {"softmax", Activation::SOFTMAX},
    {"tanh", Activation::TANH},
    {"hard_sigmoid", Activation::HARD_SIGMOID},
    {"elu", Activation::ELU},
    {"leakyrelu", Activation::LEAKY_RELU},
    {"swish", Activation::SWISH},
    {"abs", Activation::ABS},
    {"sigmoid_legacy", Activation::SIGMOID_LEGACY},
    {"hard_sigmoid_legacy", Activation::HARD_SIGMOID_LEGACY},
    {"tanh_legacy", Activation::TANH_LEGACY},
    {"rectified_legacy", Activation::RECTIFIED_LEGACY},
    {"none", Activation::NONE},  // never in a file
};

constexpr Row<Architecture> architectures[] = {
    {"dense", Architecture::DENSE},         {"normalization", Architecture::NORMALIZATION},
    {"maxout", Architecture::MAXOUT},       {"highway", Architecture::HIGHWAY},
    {"lstm", Architecture::LSTM},           {"gru", Architecture::GRU},
    {"simplernn", Architecture::SIMPLERNN}, {"conv1d", Architecture::CONV1D},
    {"embedding", Architecture::EMBEDDING}, {"none", Architecture::NONE},
};

constexpr Row<Component> components[] = {
    {"i", Component::I}, {"o", Component::O}, {"c", Component::C},
    {"f", Component::F}, {"z", Component::Z}, {"r", Component::R},
    {"h", Component::H}, {"t", Component::T}, {"carry", Component::CARRY},
};

constexpr Row<Padding> paddings[] = {
    {"valid", Padding::VALID}, {"same", Padding::SAME}, {"causal", Padding::CAUSAL}};

using Type = NodeConfig::Type;
constexpr Row<Type> types[] = {
    {"input", Type::INPUT},
    {"input_sequence", Type::INPUT_SEQUENCE},
    {"feed_forward", Type::FEED_FORWARD},
    {"concatenate", Type::CONCATENATE},
    {"sequence", Type::SEQUENCE},
    {"time_distributed", Type::TIME_DISTRIBUTED},
    {"sum", Type::SUM},
    {"add", Type::ADD},
};

/// "" for a value that is no enumerator.
template <class E, std::size_t N>
const char* name_of(const Row<E> (&table)[N], E value) {
  for (const auto& [name, known] : table) {
    if (known == value) return name;
  }
  return "";
}

}  // namespace lwt::names
