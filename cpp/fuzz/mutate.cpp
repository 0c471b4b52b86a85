#include "mutate.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "layers/layer.hpp"
#include "parse/json.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

using hepml::parse::Member;
using hepml::parse::Value;
using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t n) {
  return n == 0 ? 0 : random() % n;
}

double number(Random& random, double old) {
  constexpr double special[] = {0,
                                1,
                                -1,
                                2,
                                3,
                                0.5,
                                255,
                                4096,
                                65535,
                                65536,
                                1048576,
                                16777216,
                                134217728,
                                4294967296.0,
                                9007199254740992.0,
                                1e30,
                                -1e30,
                                1e-40,
                                1e300};
  switch (below(random, 4)) {
    case 0:
      return special[below(random, std::size(special))];
    case 1:
      return old + 1;
    case 2:
      return old - 1;
    default:
      return old * 2;
  }
}

/// Names that mean something in a network file.
std::string word(Random& random) {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all = hepml::layers::known_layers();
    for (const char* more : {"feed_forward",
                             "sequence",
                             "time_distributed",
                             "concatenate",
                             "add",
                             "sum",
                             "layer",
                             "input",
                             "input_sequence",
                             "same",
                             "valid",
                             "causal",
                             "linear",
                             "rectified",
                             "sigmoid",
                             "tanh",
                             "softmax",
                             "elu",
                             "swish",
                             "leakyrelu",
                             "log_softmax",
                             "sparsemax",
                             "mean",
                             "variance",
                             "norm",
                             "rms",
                             "unit",
                             "maximum",
                             "cells",
                             "steps",
                             "x",
                             "ecal",
                             "hcal",
                             "efp",
                             ""})
      all.emplace_back(more);
    return all;
  }();
  return words[below(random, words.size())];
}

std::string key(Random& random) {
  constexpr const char* keys[] = {"strides",
                                  "dilation_rate",
                                  "groups",
                                  "filters",
                                  "padding",
                                  "axes",
                                  "shape",
                                  "steps",
                                  "weights",
                                  "bias",
                                  "first",
                                  "keepdims",
                                  "size",
                                  "labels",
                                  "sources",
                                  "return_sequences",
                                  "go_backwards",
                                  "mask",
                                  "activation",
                                  "transposed",
                                  "causal",
                                  "window",
                                  "key_heads",
                                  "offset",
                                  "scale",
                                  "default",
                                  "thresholds",
                                  "geometry",
                                  "convention",
                                  "ranges",
                                  "validity",
                                  "levels",
                                  "quantities",
                                  "quantity",
                                  "variable",
                                  "quantiles",
                                  "bins",
                                  "entries",
                                  "not_finite",
                                  "minimum",
                                  "maximum",
                                  "efps",
                                  "columns",
                                  "calorimeter",
                                  "edges",
                                  "kappa",
                                  "beta",
                                  "normed",
                                  "reference",
                                  "values",
                                  "ecal",
                                  "hcal",
                                  "n",
                                  "version"};
  return keys[below(random, std::size(keys))];
}

void change(Value& value, Random& random, Value& other);

/// One place somewhere inside.
void descend(Value& value, Random& random, Value& other) {
  auto* object = std::get_if<Value::Object>(&value.data);
  auto* array = std::get_if<Value::Array>(&value.data);
  if (object != nullptr && !object->empty() && below(random, 8) != 0)
    return descend((*object)[below(random, object->size())].second, random, other);
  if (array != nullptr && !array->empty() && below(random, 8) != 0)
    return descend((*array)[below(random, array->size())], random, other);
  change(value, random, other);
}

/// A part of a value, for another place.
const Value& part(const Value& value, Random& random) {
  const auto* object = std::get_if<Value::Object>(&value.data);
  const auto* array = std::get_if<Value::Array>(&value.data);
  if (object != nullptr && !object->empty() && below(random, 4) != 0)
    return part((*object)[below(random, object->size())].second, random);
  if (array != nullptr && !array->empty() && below(random, 4) != 0)
    return part((*array)[below(random, array->size())], random);
  return value;
}

template <class List>
void change_list(List& list, Random& random) {
  if (list.empty()) return;
  const auto at = list.begin() + static_cast<std::ptrdiff_t>(below(random, list.size()));
  switch (below(random, 4)) {
    case 0:
      list.erase(at);
      break;
    case 1:
      list.insert(at, typename List::value_type(*at));
      break;
    case 2:
      std::iter_swap(at, list.begin());
      break;
    default:
      list.clear();
  }
}

void change(Value& value, Random& random, Value& other) {
  if (below(random, 12) == 0) {
    value = Value(part(other, random));
    return;
  }
  if (auto* numbers = std::get_if<Value::Numbers>(&value.data)) {
    if (numbers->empty() || below(random, 2) == 0) return change_list(*numbers, random);
    double& one = (*numbers)[below(random, numbers->size())];
    one = number(random, one);
  } else if (auto* one = std::get_if<double>(&value.data)) {
    *one = number(random, *one);
  } else if (auto* text = std::get_if<std::string>(&value.data)) {
    *text = word(random);
  } else if (auto* flag = std::get_if<bool>(&value.data)) {
    *flag = !*flag;
  } else if (auto* array = std::get_if<Value::Array>(&value.data)) {
    change_list(*array, random);
  } else if (auto* object = std::get_if<Value::Object>(&value.data)) {
    if (below(random, 2) == 0) return change_list(*object, random);
    object->push_back(Member{key(random), Value(part(other, random))});
  } else {
    value.data = number(random, 1);
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  Random random(seed + 1);
  if (below(random, 2) == 0) return LLVMFuzzerMutate(data, size, max_size);
  std::string text;
  try {
    Value value = hepml::parse::parse_json({reinterpret_cast<const char*>(data), size});
    for (std::size_t n = 1 + below(random, 3); n > 0; --n) {
      Value other(value);
      descend(value, random, other);
    }
    text = hepml::parse::to_text(value);
  } catch (const hepml::Error&) {  // no JSON
    return LLVMFuzzerMutate(data, size, max_size);
  }
  if (text.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
