// Layers that work along axes: what they compute on small numbers, sequences whose steps are the event's own,
// and what a wrong file is told.

#include <hepml/hepml.hpp>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "check.hpp"
#include "networks.hpp"

using hepml::Error;
using hepml::Model;
using hepml::Session;
using hepml::Status;

namespace {

/// 1, 2, 3 ... in every input, through the layer.
std::vector<float> result(const std::string& text, const std::string& set) {
  const auto model = Model::parse(text, {true, set});
  Session session(model);
  for (std::size_t i = 0; i < model.inputs().size(); ++i) {
    const auto x = session.input(i);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] = static_cast<float>(k + 1);
  }
  const auto y = session.run();
  CHECK(session.status() == Status::ok);
  return {y.begin(), y.end()};
}

void values() {
  struct Case {
    std::vector<std::vector<std::size_t>> shapes;
    std::string layer;
    std::size_t labels;
    std::vector<float> expected;
  };
  const std::vector<Case> cases{
      {{{2, 1, 3}}, R"({"architecture":"transpose","axes":[2,0,1]})", 1, {1, 4, 2, 5, 3, 6}},
      {{{2, 3}}, R"({"architecture":"reshape","shape":[3,1,2]})", 2, {1, 2, 3, 4, 5, 6}},
      {{{2, 3}}, R"({"architecture":"slice","begin":[1,2],"step":[1,-2],"shape":[1,2]})", 2, {6, 4}},
      {{{1, 3}}, R"({"architecture":"broadcast","shape":[2,2,3]})", 3, {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}},
      {{{2, 2}, {1, 2}}, R"({"architecture":"concatenate","axis":0})", 2, {1, 2, 3, 4, 1, 2}},
      {{{2, 2}, {2}}, R"({"architecture":"subtract"})", 2, {0, 0, 2, 2}},
      {{{2}, {2, 2}}, R"({"architecture":"subtract"})", 2, {0, 0, -2, -2}},
      {{{2, 1}}, R"({"architecture":"divide","weights":[2,6],"shape":[1,2],"first":true})", 2, {2, 6, 1, 3}},
      {{{2}, {2}, {2}}, R"({"architecture":"average","weights":[5,6],"shape":[2]})", 2, {2, 3}},
      {{{2, 1, 3}}, R"({"architecture":"reduce","function":"sum","axes":[0,2]})", 1, {21}},
      {{{2, 1, 3}},
       R"({"architecture":"reduce","function":"maximum","axes":[0],"keepdims":true})",
       3,
       {4, 5, 6}},
      {{{2, 1, 3}}, R"({"architecture":"reduce","function":"mean","axes":[0]})", 3, {2.5F, 3.5F, 4.5F}},
      {{{2, 2}, {2, 2}}, R"({"architecture":"matmul"})", 2, {7, 10, 15, 22}},
      {{{2, 2}, {2, 2}}, R"({"architecture":"matmul","transposed":true})", 2, {5, 11, 11, 25}},
      {{{2, 2}},
       R"({"architecture":"standardize","function":"layer","axes":[0],"epsilon":0})",
       2,
       {-1, -1, 1, 1}},
      {{{2, 2}}, R"({"architecture":"softmax","axes":[0,1],"activation":"sparsemax"})", 2, {0, 0, 0, 1}},
      {{{2, 1}, {3, 1}, {3, 1}},
       R"({"architecture":"attention","heads":1,"scale":0,"causal":true})",
       1,
       {1, 1.5F}},
      {{{2, 1}, {3, 1}, {3, 1}}, R"({"architecture":"attention","heads":1,"scale":0})", 1, {2, 2}},
  };
  for (const Case& test : cases) {
    for (const std::string& set : hepml::cpus()) {
      const auto found = result(networks::of_layer(test.shapes, test.layer, test.labels), set);
      bool good = found.size() == test.expected.size();
      for (std::size_t i = 0; good && i < found.size(); ++i)
        good &= std::abs(found[i] - test.expected[i]) < 1e-6F;
      if (!good) std::fprintf(stderr, "%s, %s\n", test.layer.c_str(), set.c_str());
      CHECK(good);
    }
  }
}

/// Rows as large as float32 goes are scaled before they are squared.
void large_rows() {
  const std::string text = networks::of_layer(
      {{3}}, R"({"architecture":"standardize","function":"unit","axes":[0],"epsilon":1e-24})", 3);
  Session session(Model::parse(text));
  const auto x = session.input(0);
  x[0] = 3e30F;
  x[1] = -4e30F;
  x[2] = 0;
  const auto y = session.run();
  CHECK(std::abs(y[0] - 0.6F) < 1e-6F && std::abs(y[1] + 0.8F) < 1e-6F && y[2] == 0);
}

void steps() {
  const std::string between = R"({"architecture":"attention","heads":1,"scale":1})";
  Session session(Model::parse(networks::of_layer({{0, 1}, {0, 1}, {0, 1}}, between, 1)), 4);
  const auto fill = [&](const std::vector<std::size_t>& n) {
    for (std::size_t i = 0; i < n.size(); ++i)
      for (float& x : session.sequence(i, n[i])) x = 1;
    session.run();
  };
  fill({2, 4, 4});
  CHECK(session.status() == Status::ok && session.output(0).size() == 2 && session.output(0)[1] == 1);
  fill({2, 4, 3});  // a key without its value
  CHECK(session.status() == Status::wrong_steps);
  fill({3, 0, 0});
  CHECK(session.status() == Status::ok && session.output(0).size() == 3 && session.output(0)[2] == 0);
  Session sums(Model::parse(networks::of_layer({{0, 2}, {0, 2}}, R"({"architecture":"multiply"})", 2)), 4);
  for (float& x : sums.sequence(0, 3)) x = 2;
  for (float& x : sums.sequence(1, 2)) x = 3;
  sums.run();
  CHECK(sums.status() == Status::wrong_steps);
  for (float& x : sums.sequence(1, 3)) x = 3;
  CHECK(sums.run().size() == 6 && sums.output(0)[5] == 6);
  Session none(Model::parse(networks::of_layer(
                   {{0, 2}}, R"({"architecture":"reduce","function":"mean","axes":[0]})", 2)),
               4);
  none.sequence(0, 0);
  CHECK(none.run().size() == 2 && none.status() == Status::ok && none.output(0)[0] == 0);
}

void refused() {
  struct Case {
    std::vector<std::vector<std::size_t>> shapes;
    std::string layer;
    std::string words;
  };
  const std::string huge = "[134217728,134217728]";
  const std::vector<Case> cases{
      {{{2, 3}}, R"({"architecture":"transpose","axes":[0,0]})", "layers[0].axes"},
      {{{2, 3}}, R"({"architecture":"transpose","axes":[0]})", "order of the axes"},
      {{{2, 3}}, R"({"architecture":"transpose","axes":[0,2]})", "integer from 0 to 1"},
      {{{0, 3}}, R"({"architecture":"transpose","axes":[1,0]})", "any length"},
      {{{2, 3}}, R"({"architecture":"reshape","shape":[7]})", "another size"},
      {{{2, 3}}, R"({"architecture":"reshape","shape":[]})", "layers[0].shape"},
      {{{2, 3}}, R"({"architecture":"reshape","shape":[1,1,1,1,1,1,1,2,3]})", "1 to 8 sizes"},
      {{{2, 3}}, R"({"architecture":"reshape","shape":)" + huge + "}", "too large"},
      {{{2, 3}}, R"({"architecture":"broadcast","shape":)" + huge + "}", "too large"},
      {{{2, 3}}, R"({"architecture":"broadcast","shape":[3]})", "repeat"},
      {{{2, 3}}, R"({"architecture":"slice","begin":[0,0],"step":[1,1],"shape":[3,3]})", "beyond its input"},
      {{{2, 3}}, R"({"architecture":"slice","begin":[0,2],"step":[1,-1],"shape":[1,4]})", "beyond its input"},
      {{{2, 3}},
       R"({"architecture":"slice","begin":[0,0],"step":[1,0.5],"shape":[1,2]})",
       "beyond its input"},
      {{{2, 3}},
       R"({"architecture":"slice","begin":[0,0],"step":[1,1e300],"shape":[1,2]})",
       "beyond its input"},
      {{{2, 3}}, R"({"architecture":"slice","begin":[0],"step":[1],"shape":[1]})", "another rank"},
      {{{0, 3}}, R"({"architecture":"slice","begin":[1,0],"step":[1,1],"shape":[1,3]})", "beyond its input"},
      {{{2, 3}, {2, 4}}, R"({"architecture":"concatenate","axis":0})", "axis 0"},
      {{{2, 3}, {2, 3}}, R"({"architecture":"concatenate","axis":2})", "layers[0].axis"},
      {{{0, 3}, {0, 3}}, R"({"architecture":"concatenate","axis":0})", "any length"},
      {{{2, 3}, {2}}, R"({"architecture":"add"})", "do not match"},
      {{{2, 3}}, R"({"architecture":"add"})", "number of inputs"},
      {{{2}, {2}, {2}}, R"({"architecture":"power"})", "number of inputs"},
      {{{1, 3}, {0, 3}}, R"({"architecture":"add"})", "first input"},
      {{{2}}, R"({"architecture":"add","weights":[1,2,3],"shape":[2]})", "layers[0].weights"},
      {{{2}}, R"({"architecture":"add","weights":[1,2,3]})", "'shape' is missing"},
      {{{2}}, R"({"architecture":"add","weights":[1],"shape":[1],"first":1})", "true or false"},
      {{{2}}, R"({"architecture":"add","weights":[1,2],"shape":)" + huge + "}", "too large"},
      {{{2, 3}}, R"({"architecture":"reduce","function":"median","axes":[0]})", "log_sum_exp"},
      {{{2, 3}}, R"({"architecture":"reduce","function":"sum","axes":[]})", "at least one"},
      {{{2, 3}}, R"({"architecture":"reduce","function":"sum","axes":[1,0]})", "ascending"},
      {{{2, 3}}, R"({"architecture":"reduce","function":"sum","axes":[2]})", "integer from 0 to 1"},
      {{{0, 3}}, R"({"architecture":"reduce","function":"sum","axes":[1]})", "keepdims"},
      {{{2, 3}}, R"({"architecture":"standardize","function":"layer","axes":[0],"epsilon":-1})", "epsilon"},
      {{{2, 3}}, R"({"architecture":"softmax","axes":[0],"activation":"tanh"})", "sparsemax"},
      {{{2, 3}, {2, 3}}, R"({"architecture":"matmul"})", "do not fit"},
      {{{2}, {2, 3}}, R"({"architecture":"matmul"})", "product of vectors"},
      {{{2, 2, 3}, {3, 3, 4}}, R"({"architecture":"matmul"})", "axes in front"},
      {{{2, 3}, {0, 3}}, R"({"architecture":"matmul"})", "any length"},
      {{{2, 3}}, R"({"architecture":"attention","heads":1,"scale":1})", "query, key and value"},
      {{{2, 3}, {2, 3}, {3, 3}},
       R"({"architecture":"attention","heads":1,"scale":1})",
       "differ in their steps"},
      {{{2, 3}, {2, 3}, {2, 3}}, R"({"architecture":"attention","heads":2,"scale":1})", "whole heads"},
      {{{2, 3}, {2, 3}, {2, 3}}, R"({"architecture":"attention","heads":1,"scale":1e31})", "layers[0].scale"},
      {{{2, 3}, {2, 3}, {2, 3}},
       R"({"architecture":"attention","heads":1,"scale":1,"weights":[1]})",
       "3 values"},
      {{{2, 3}, {2, 3}, {2, 3}}, R"({"architecture":"attention","heads":0,"scale":1})", "layers[0].heads"},
      {{{2}},
       R"({"architecture":"dense","weights":[],"bias":[],"activation":{"function":"relu","low":1}})",
       "'alpha'"},
      {{{2}}, R"({"architecture":"dense","weights":[],"bias":[],"activation":"gelv"})", "nearest:  'gelu'"},
  };
  for (const Case& test : cases) {
    const std::string message = ERROR_OF(Model::parse(networks::of_layer(test.shapes, test.layer, 3))).what();
    const bool good = check::contains(message, test.words) && check::contains(message, "layers[0]");
    if (!good) std::fprintf(stderr, "%s\n  gave: %s\n", test.layer.c_str(), message.c_str());
    CHECK(good);
  }
}

}  // namespace

int main() {
  values();
  large_rows();
  steps();
  refused();
  return check::failures == 0 ? 0 : 1;
}
