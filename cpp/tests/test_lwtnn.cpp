// The drop-in classes, as applications written against lwtnn use them. Built with HEPML_LWTNN.

#include <lwtnn/Exceptions.hh>
#include <lwtnn/LightweightGraph.hh>
#include <lwtnn/LightweightNeuralNetwork.hh>
#include <lwtnn/NanReplacer.hh>
#include <lwtnn/Stack.hh>
#include <lwtnn/lightweight_nn_streamers.hh>
#include <lwtnn/parse_json.hh>
#if __has_include(<Eigen/Dense>)
#include <lwtnn/generic/FastGraph.hh>
#endif

#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"

namespace {

using lwt::NNConfigurationException;
using lwt::NNEvaluationException;
using lwt::OutputRankException;

template <class E>
std::string thrown(const std::function<void()>& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "nothing was thrown";
}

const std::string sequential =
    R"({"inputs":[{"name":"a","offset":-1,"scale":2,"default":5},{"name":"b","offset":0.5,"scale":1}],)"
    R"("layers":[{"architecture":"dense","weights":[1,2,3,-4],"bias":[0.5,0],"activation":"rectified"},)"
    R"({"architecture":"dense","weights":[1,1],"bias":[],"activation":{"function":"leakyrelu","alpha":0.1}}],)"
    R"("outputs":["score"],"miscellaneous":{"author":"me"}})";

void sequential_networks() {
  const auto config = lwt::parse_json(std::istringstream(sequential));  // a temporary
  CHECK(config.inputs.size() == 2 && config.inputs[0].offset == -1 && config.inputs[1].name == "b");
  CHECK(config.defaults.at("a") == 5 && config.defaults.count("b") == 0);
  CHECK(config.miscellaneous.at("author") == "me");
  CHECK(config.layers[0].weights.size() == 4 && config.layers[0].architecture == lwt::Architecture::DENSE);
  CHECK(config.layers[1].activation.function == lwt::Activation::LEAKY_RELU);
  CHECK(config.layers[1].activation.alpha == 0.1 && std::isnan(config.layers[0].activation.alpha));
  const lwt::LightweightNeuralNetwork net(config.inputs, config.layers, config.outputs);
  // a' = 2, b' = 1: 4.5 and 2
  const auto out = net.compute({{"a", 2}, {"b", 0.5}, {"other", 9}});
  CHECK(out.size() == 1 && out.at("score") == 6.5);
  CHECK(check::contains(thrown<NNEvaluationException>([&] { net.compute({{"a", 2}}); }), "'b'"));
  CHECK(check::contains(thrown<NNConfigurationException>([&] {
                          const lwt::LightweightNeuralNetwork bad(config.inputs, config.layers, {"x", "y"});
                        }),
                        "2 outputs"));
  CHECK(check::contains(
      thrown<NNConfigurationException>([] { lwt::parse_json(std::istringstream("{\"inputs\":[]}")); }),
      "layers"));
  CHECK(check::contains(thrown<NNConfigurationException>([] { lwt::parse_json(std::istringstream("{")); }),
                        "not JSON"));
  // Values that float32 cannot tell apart are preprocessed in double precision.
  const lwt::LightweightNeuralNetwork far({{"a", -1e9, 1}, {"b", 0, 1}}, config.layers, config.outputs);
  CHECK(std::abs(far.compute({{"a", 1e9 + 2}, {"b", 1}}).at("score") - 6.5) < 1e-5);
  lwt::LayerConfig none = config.layers[0];
  none.activation.function = lwt::Activation::NONE;
  CHECK(check::contains(thrown<NNConfigurationException>([&] {
                          const lwt::LightweightNeuralNetwork bad(config.inputs, {none}, {"x", "y"});
                        }),
                        "activation"));
  std::ostringstream text;
  text << config.layers[1] << config.inputs[0];
  CHECK(check::contains(text.str(), "weights: [1, 1]\nbias: []\n") &&
        check::contains(text.str(), "leakyrelu"));
  CHECK(check::contains(text.str(), "a -- offset: -1 scale: 2"));
}

void replaced_values() {
  const double infinity = std::numeric_limits<double>::infinity();
  const lwt::NanReplacer::ValueMap in{{"a", NAN}, {"b", infinity}, {"c", -infinity}, {"d", NAN}, {"e", 1}};
  const lwt::NanReplacer::ValueMap defaults{{"a", 1}, {"b", 2}, {"c", 3}, {"e", 4}};
  const auto all = lwt::NanReplacer(defaults, lwt::rep::all).replace(in);
  CHECK(all.at("a") == 1 && all.at("b") == 2 && all.at("c") == 3 && std::isnan(all.at("d")) &&
        all.at("e") == 1);
  const auto nan = lwt::NanReplacer(defaults).replace(in);
  CHECK(nan.at("a") == 1 && nan.at("b") == infinity);
  CHECK(lwt::NanReplacer(defaults, lwt::rep::ninf).replace(in).at("c") == 3);
}

/// A vector and a sequence of one name; outputs: a vector, a convolution (sequence node) and its steps apart.
const std::string graph =
    R"({"inputs":[{"name":"in","variables":[{"name":"a","offset":0,"scale":1}]}],)"
    R"("input_sequences":[{"name":"in","variables":[{"name":"u","offset":1,"scale":1},{"name":"v","offset":0,"scale":2}]}],)"
    R"("nodes":[{"type":"concatenate","sources":[1,3]},{"type":"input","sources":[0],"size":1},)"
    R"({"type":"input_sequence","sources":[0],"size":2},{"type":"sequence","sources":[2],"layer_index":1},)"
    R"({"type":"feed_forward","sources":[0],"layer_index":0},{"type":"time_distributed","sources":[3],"layer_index":2},)"
    R"({"type":"sum","sources":[2]}],)"
    R"("layers":[{"architecture":"dense","weights":[1,10],"bias":[0],"activation":"linear"},)"
    R"({"architecture":"conv1d","weights":[1,0,1,0],"bias":[0],"dilation_rate":1,"padding":"causal","activation":"linear"},)"
    R"({"architecture":"dense","weights":[2],"bias":[1],"activation":"linear"}],)"
    R"("outputs":{"each":{"labels":["e"],"node_index":5},"steps":{"labels":["s"],"node_index":3},)"
    R"("vector":{"labels":["x"],"node_index":4}}})";

const lwt::LightweightGraph::SeqNodeMap steps{{"in", {{"u", {0, 1, 2}}, {"v", {1, 1, 5}}}}};

void graphs() {
  std::istringstream stream(graph);
  const auto config = lwt::parse_json_graph(stream);
  CHECK(config.nodes[4].index == 0 && config.nodes[0].index == -1 && config.nodes[2].index == 2);
  CHECK(config.layers[1].conv1d.padding == lwt::Padding::CAUSAL);
  CHECK(check::contains(thrown<NNConfigurationException>([&] { const lwt::LightweightGraph bad(config); }),
                        "3 outputs"));
  CHECK(check::contains(
      thrown<NNConfigurationException>([&] { const lwt::LightweightGraph bad(config, "y"); }), "vector"));
  const lwt::LightweightGraph net(config, "vector");
  // [1, 0] is the tap before, [1, 0] that of now, of (u + 1, 2 v): u-weights 1, 0 -> the step before
  const auto sums = net.scan({}, steps, "steps").at("s");  // nobody asks for the vector
  CHECK(sums.size() == 3 && sums[0] == 0 && sums[1] == 1 + 2 && sums[2] == 2 + 2);
  CHECK(net.compute({}, steps, "steps").at("s") == sums[2]);
  CHECK(net.compute({{"in", {{"a", 7}}}}, steps).at("x") == 7 + 10 * sums[2]);
  CHECK(net.scan({}, steps, "each").at("e")[1] == 2 * sums[1] + 1);
  CHECK(check::contains(thrown<OutputRankException>([&] { net.compute({}, steps, "each"); }), "scan"));
  CHECK(check::contains(thrown<OutputRankException>([&] { net.scan({{"in", {{"a", 7}}}}, steps); }),
                        "compute"));
  CHECK(check::contains(thrown<NNEvaluationException>([&] { net.compute({}, steps); }), "'in' is missing"));
  CHECK(
      check::contains(thrown<NNEvaluationException>([&] { net.compute({}, {}, "steps"); }), "sequence 'in'"));
  CHECK(
      check::contains(thrown<NNEvaluationException>([&] { net.compute({}, steps, "z"); }), "no output 'z'"));
  CHECK(check::contains(
      thrown<NNEvaluationException>([&] { net.scan({}, {{"in", {{"u", {1}}, {"v", {1, 2}}}}}, "steps"); }),
      "differ"));
  CHECK(net.compute({}, {{"in", {{"u", {}}, {"v", {}}}}}, "steps").at("s") == 0);
  const std::vector<double> many(1000, 1);  // beyond the default number of steps
  CHECK(net.scan({}, {{"in", {{"u", many}, {"v", many}}}}, "steps").at("s")[999] == 4);
  CHECK(net.compute({{"in", {{"a", 1}}}}, {{"in", {{"u", many}, {"v", many}}}}).at("x") == 41);
  auto wrong = config;
  wrong.outputs["vector"].labels = {"x", "y"};
  CHECK(check::contains(
      thrown<NNConfigurationException>([&] { const lwt::LightweightGraph bad(wrong, "vector"); }),
      "2 labels for 1 units"));
  wrong = config;
  wrong.nodes[0].sources = {1, 4};
  CHECK(check::contains(
      thrown<NNConfigurationException>([&] { const lwt::LightweightGraph bad(wrong, "vector"); }), "cycle"));
}

/// Only lwtnn's exceptions come out of its interface.
void beyond_the_limits() {
  using Type = lwt::NodeConfig::Type;
  constexpr std::size_t units = 8192;
  lwt::LayerConfig layer;
  layer.architecture = lwt::Architecture::DENSE;
  layer.activation = {lwt::Activation::LINEAR, 1e261};  // what was in memory: LINEAR has no alpha
  layer.weights.assign(units, 1);
  layer.bias.assign(units, 0);
  lwt::GraphConfig config;
  config.input_sequences = {{"in", {{"a", 0, 1}}, {}, {}}};
  config.nodes = {{Type::INPUT_SEQUENCE, {0}, 1}, {Type::TIME_DISTRIBUTED, {0}, 0}};
  config.layers = {layer};
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < units; ++i) labels.push_back(std::to_string(i));
  config.outputs = {{"out", {labels, 1}}};
  const lwt::LightweightGraph net(config);
  CHECK(net.scan({}, {{"in", {{"a", {1, 2}}}}}).at("5")[1] == 2);
  const std::vector<double> long_one(20000, 1);
  CHECK(check::contains(thrown<NNEvaluationException>([&] { net.scan({}, {{"in", {{"a", long_one}}}}); }),
                        "too much memory"));
  config.layers[0].weights[7] = std::numeric_limits<double>::quiet_NaN();
  CHECK(check::contains(thrown<NNConfigurationException>([&] {
                          const lwt::LightweightGraph bad(config);
                          bad.scan({}, {{"in", {{"a", {1}}}}});
                        }),
                        "not a number of float32"));
}

/// n residual adds: each node is evaluated once, not 2^n times.
void deep_graphs() {
  lwt::GraphConfig config;
  using Type = lwt::NodeConfig::Type;
  config.inputs = {{"in", {{"a", 0, 1}}, {}, {}}};
  config.nodes = {{Type::INPUT, {0}, 1}};
  for (std::size_t i = 0; i < 60; ++i) config.nodes.push_back({Type::ADD, {i, i}, -1});
  config.outputs = {{"out", {{"x"}, 60}}};
  const lwt::LightweightGraph net(config);
  CHECK(net.compute({{"in", {{"a", 1}}}}).at("x") == std::ldexp(1.0, 60));
}

void threads() {
  std::istringstream stream(graph);
  const lwt::LightweightGraph net(lwt::parse_json_graph(stream), "vector");
  std::vector<std::thread> workers;
  std::vector<int> wrong(8);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    workers.emplace_back([&net, &wrong, t] {
      for (int i = 0; i < 500; ++i) {
        const double x = static_cast<double>(t) + i;
        if (net.compute({{"in", {{"a", x}}}}, steps).at("x") != x + 40) ++wrong[t];
      }
    });
  }
  for (auto& worker : workers) worker.join();
  for (const int n : wrong) CHECK(n == 0);
}

#if __has_include(<Eigen/Dense>)
template <class T>
void fast_graph() {
  std::istringstream stream(graph);
  const auto config = lwt::parse_json_graph(stream);
  lwt::InputOrder order;
  order.scalar = {{"unused", {"q"}}, {"in", {"z", "a"}}};
  order.sequence = {{"in", {"v", "u"}}};
  const lwt::generic::FastGraph<T> net(config, order, "vector");
  lwt::VectorX<T> scalar(2);
  scalar << 100, 7;
  lwt::MatrixX<T> sequence(2, 3);
  sequence << 1, 1, 5, 0, 1, 2;
  CHECK(net.compute({scalar, scalar}, {sequence})(0) == 47);
  CHECK(net.compute({}, {sequence}, 3)(0) == 4);  // any node, by its index
  CHECK(net.compute({}, {sequence}, 6)(1) == 14);
  CHECK(check::contains(thrown<OutputRankException>([&] { net.compute({}, {sequence}, 5); }), "sequence"));
  CHECK(check::contains(thrown<NNEvaluationException>([&] { net.compute({}, {sequence}); }), "input 1"));
  CHECK(check::contains(thrown<NNEvaluationException>([&] { net.compute({}, {sequence}, 99); }), "node 99"));
  const lwt::MatrixX<T> low = sequence.topRows(1);
  CHECK(check::contains(thrown<NNEvaluationException>([&] { net.compute({}, {low}, 3); }), "'u'"));
  order.sequence = {{"in", {"v"}}};
  CHECK(check::contains(thrown<NNConfigurationException>(
                            [&] { const lwt::generic::FastGraph<T> bad(config, order, "vector"); }),
                        "'u'"));
  const lwt::generic::FastInputPreprocessor<T> one({{"a", 1, 2}, {"b", 0, 1}}, {"b", "c", "a"});
  lwt::VectorX<T> three(3);
  three << 4, 5, 6;
  CHECK(one(three)(0) == 14 && one(three)(1) == 4);
  const lwt::generic::FastInputVectorPreprocessor<T> each({{"u", 1, 2}}, {"v", "u"});
  CHECK(each(sequence)(0, 2) == 6);
}
#endif

}  // namespace

int main() {
  sequential_networks();
  replaced_values();
  graphs();
  beyond_the_limits();
  deep_graphs();
  threads();
#if __has_include(<Eigen/Dense>)
  fast_graph<float>();
  fast_graph<double>();
#endif
  check::speak_german();
  sequential_networks();
  graphs();
  return check::failures == 0 ? 0 : 1;
}
