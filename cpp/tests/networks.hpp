#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

// Network files as text, with reproducible random weights.
namespace networks {

class Random {
 public:
  explicit Random(std::uint32_t seed) : state_(seed * 2654435761U + 1U) {}
  /// Uniform in [-1, 1), a float32.
  float next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return static_cast<float>(state_ >> 8) * 0x1p-23F - 1.0F;
  }
  std::vector<float> many(std::size_t n, float scale = 1.0F) {
    std::vector<float> values(n);
    for (float& value : values) value = scale * next();
    return values;
  }

 private:
  std::uint32_t state_;
};

inline std::string list(const std::vector<float>& values) {
  std::string text = "[";
  char buffer[32];
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::snprintf(buffer, sizeof buffer, "%s%.9g", i == 0 ? "" : ",", static_cast<double>(values[i]));
    text += buffer;
  }
  return text + "]";
}

inline std::string pair(std::size_t a, std::size_t b) {
  return "[" + std::to_string(a) + "," + std::to_string(b) + "]";
}

inline std::string labels(std::size_t n) {
  std::string text = "[";
  for (std::size_t i = 0; i < n; ++i) text += (i == 0 ? "\"o" : ",\"o") + std::to_string(i) + "\"";
  return text + "]";
}

inline std::string variables(const std::string& prefix, std::size_t n) {
  std::string text = "[";
  for (std::size_t i = 0; i < n; ++i) {
    text += (i == 0 ? "{\"name\":\"" : ",{\"name\":\"") + prefix + std::to_string(i) +
            "\",\"offset\":0,\"scale\":1}";
  }
  return text + "]";
}

inline std::string dense(const std::vector<float>& weights, const std::vector<float>& bias,
                         const std::string& act) {
  return R"({"architecture":"dense","weights":)" + list(weights) + R"(,"bias":)" + list(bias) +
         R"(,"activation":)" + act + "}";
}

/// A chain of layers on one vector (rows == 0) or image, as a graph file.
inline std::string chain(std::size_t rows, std::size_t columns, std::size_t channels,
                         const std::vector<std::string>& layers, std::size_t n_out,
                         const std::string& more = "") {
  const bool image = rows != 0;
  const std::size_t size = image ? rows * columns * channels : channels;
  std::string text = R"({"inputs":[{"name":"x",)";
  text += image ? R"("shape":[)" + std::to_string(rows) + "," + std::to_string(columns) + "," +
                      std::to_string(channels) + R"(],"offset":0,"scale":1,"variables":[]}])"
                : R"("variables":)" + variables("v", channels) + "}]";
  text +=
      R"(,"input_sequences":[],"nodes":[{"type":"input","sources":[0],"size":)" + std::to_string(size) + "}";
  std::string all;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    text += R"(,{"type":"feed_forward","sources":[)" + std::to_string(i) + R"(],"layer_index":)" +
            std::to_string(i) + "}";
    all += (i == 0 ? "" : ",") + layers[i];
  }
  return text + R"(],"layers":[)" + all + R"(],"outputs":{"y":{"labels":)" + labels(n_out) +
         R"(,"node_index":)" + std::to_string(layers.size()) + "}}" + more + "}";
}

inline std::string sizes(const std::vector<std::size_t>& list) {
  std::string text = "[";
  for (std::size_t i = 0; i < list.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(list[i]);
  return text + "]";
}

/// Inputs of these shapes ({0, n} is a sequence of any length) into one layer.
inline std::string of_layer(const std::vector<std::vector<std::size_t>>& shapes, const std::string& layer,
                            std::size_t n_labels) {
  std::string inputs, sequences, nodes, sources;
  std::size_t n_inputs = 0, n_sequences = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const auto& shape = shapes[i];
    const std::string name = R"({"name":"x)" + std::to_string(i) + R"(",)";
    const bool sequence = shape.size() == 2;
    std::size_t size = 1;
    for (const std::size_t n : shape) size *= n;
    if (sequence) {
      sequences += (n_sequences == 0 ? "" : ",") + name +
                   (shape[0] == 0 ? "" : R"("steps":)" + std::to_string(shape[0]) + ",") + R"("variables":)" +
                   variables("v", shape[1]) + "}";
    } else if (shape.size() == 1) {
      inputs += (n_inputs == 0 ? "" : ",") + name + R"("variables":)" + variables("v", size) + "}";
    } else {
      inputs += (n_inputs == 0 ? "" : ",") + name + R"("shape":)" + sizes(shape) + R"(,"variables":[]})";
    }
    nodes += R"({"type":")" + std::string(sequence ? "input_sequence" : "input") + R"(","sources":[)" +
             std::to_string(sequence ? n_sequences++ : n_inputs++) + R"(],"size":)" +
             std::to_string(sequence ? shape[1] : size) + "},";
    sources += (i == 0 ? "" : ",") + std::to_string(i);
  }
  return R"({"inputs":[)" + inputs + R"(],"input_sequences":[)" + sequences + R"(],"nodes":[)" + nodes +
         R"({"type":"layer","sources":[)" + sources + R"(],"layer_index":0}],"layers":[)" + layer +
         R"(],"outputs":{"y":{"labels":)" + labels(n_labels) + R"(,"node_index":)" +
         std::to_string(shapes.size()) + "}}}";
}

/// A network on all eight tokens of the paper's geometry: towers of convolutions, concatenation, dense
/// layers.
inline std::string tagger_network(const std::string& more_in_block = "", std::uint32_t seed = 1) {
  struct Token {
    const char* name;
    std::size_t rows, channels;
  };
  const Token tokens[] = {{"et", 31, 1}, {"ht", 32, 1},  {"ee", 31, 1},     {"he", 32, 1},
                          {"hl", 0, 7},  {"mass", 0, 1}, {"et_mass", 0, 1}, {"ee_mass", 0, 1}};
  Random random(seed);
  std::string inputs, nodes, layers, sources;
  std::size_t n_nodes = 0, n_layers = 0, width = 0, n_inputs = 0;
  const auto node = [&](const std::string& body) {
    nodes += (n_nodes == 0 ? "{" : ",{") + body + "}";
    return n_nodes++;
  };
  const auto layer = [&](std::size_t source, const std::string& body) {
    layers += (n_layers == 0 ? "" : ",") + body;
    return node(R"("type":"feed_forward","sources":[)" + std::to_string(source) + R"(],"layer_index":)" +
                std::to_string(n_layers++));
  };
  for (const Token& token : tokens) {
    const bool image = token.rows != 0;
    const std::size_t size = image ? token.rows * token.rows : token.channels;
    const std::string name = token.name;
    inputs += (n_inputs == 0 ? "" : ",") + (R"({"name":")" + name + R"(",)") +
              (image ? R"("shape":[)" + std::to_string(token.rows) + "," + std::to_string(token.rows) +
                           R"(,1],"offset":0,"scale":0.05,"variables":[]})"
                     : R"("variables":)" + variables(name + "_", token.channels) + "}");
    std::size_t at = node(R"("type":"input","sources":[)" + std::to_string(n_inputs++) + R"(],"size":)" +
                          std::to_string(size));
    if (image) {
      at = layer(at, R"({"architecture":"conv2d","kernel_size":[3,3],"filters":3,"strides":[1,1],)"
                     R"("dilation_rate":[1,1],"padding":"same","weights":)" +
                         list(random.many(27, 0.5F)) + R"(,"bias":)" + list(random.many(3, 0.1F)) +
                         R"(,"activation":"rectified"})");
      at = layer(at, R"({"architecture":"maxpooling2d","pool_size":[4,4],"strides":[4,4],"padding":"same"})");
      at = layer(at, R"({"architecture":"flatten"})");
    }
    sources += (sources.empty() ? "" : ",") + std::to_string(at);
    width += image ? 8 * 8 * 3 : token.channels;
  }
  std::size_t at = node(R"("type":"concatenate","sources":[)" + sources + "]");
  at = layer(at, dense(random.many(width * 16, 0.05F), random.many(16, 0.1F), "\"rectified\""));
  at = layer(at, dense(random.many(16, 0.3F), {0.0F}, "\"sigmoid\""));
  const std::string grid = R"("eta_min":-2.5,"eta_max":2.5)";
  return R"({"inputs":[)" + inputs + R"(],"input_sequences":[],"nodes":[)" + nodes + R"(],"layers":[)" +
         layers + R"(],"outputs":{"output":{"labels":["signal"],"node_index":)" + std::to_string(at) +
         R"(}},"hepml":{"format_version":1,"model_id":"abc","convention":null,"geometry":{"ecal":{"name":"ecal","n_eta":200,"n_phi":252,)" +
         grid + R"(},"hcal":{"name":"hcal","n_eta":50,"n_phi":62,)" + grid +
         R"(},"ecal_window":31,"hcal_window":8,"hcal_expand":4,"search":8})" + more_in_block + "}}";
}

/// A polynomial of the images: its name without _k_<kappa>_b_<beta>, and its edges.
struct Polynomial {
  const char* graph;
  std::size_t n;
  const char* edges;
  const char* kappa;
  const char* beta;
  bool normed = true;
};

inline std::string efps(const std::vector<Polynomial>& columns) {
  std::string text;
  for (const Polynomial& one : columns) {
    const std::string graph = one.graph, kappa = one.kappa, beta = one.beta;
    text += (text.empty() ? "" : ",") + (R"({"name":")" + graph + "_k_" + kappa + "_b_" + beta) +
            R"(","calorimeter":")" + (graph[0] == 'e' ? "ecal" : "hcal") + R"(","n":)" +
            std::to_string(one.n) + R"(,"edges":)" + one.edges + R"(,"kappa":)" + kappa + R"(,"beta":)" +
            beta + R"(,"normed":)" + (one.normed ? "true}" : "false}");
  }
  return R"("efps":{"version":1,"columns":[)" + text + "]}";
}

/// A dense network on polynomials of the images of the paper's geometry.
inline std::string efp_network(const std::vector<Polynomial>& columns, std::uint32_t seed = 1) {
  Random random(seed);
  const std::size_t n = columns.size();
  std::string text = chain(0, 0, n,
                           {dense(random.many(16 * n), random.many(16), "\"tanh\""),
                            dense(random.many(16), {0.0F}, "\"sigmoid\"")},
                           1);
  const auto name = text.find(R"("x")");
  text.replace(name, 3, R"("efp")");
  const std::string from = variables("v", n);
  std::string to = "[";
  for (const Polynomial& one : columns)
    to += (to.size() == 1 ? "" : ",") +
          (R"({"name":")" + std::string(one.graph) + "_k_" + one.kappa + "_b_") + one.beta +
          R"(","offset":0,"scale":1})";
  text.replace(text.find(from), from.size(), to + "]");
  const std::string tagger = tagger_network();
  const auto geometry = tagger.find(R"("geometry":)");
  text.pop_back();
  return text + R"(,"hepml":{"format_version":1,"model_id":"abc",)" + efps(columns) + "," +
         tagger.substr(geometry);
}

}  // namespace networks
