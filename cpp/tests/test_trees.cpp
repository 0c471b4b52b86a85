// Ensembles of trees: decisions on thresholds, missing values, sums and links, and every malformed field.

#include <hepml/hepml.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "networks.hpp"

namespace {

using hepml::Error;
using hepml::Model;
using hepml::Session;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

// Two trees on two variables: x0 <= 0.1 (double, between two floats), then x1 <= 2; and a single leaf.
const std::string layer =
    R"({"architecture":"trees","comparison":"less_equal","precision":"float64","base":[0.5],"divisor":1,)"
    R"("link":"sigmoid","factor":1,"missing":true,"sizes":[5,1],"outputs":[0,0],"feature":[0,-1,1,-1,-1,-1],)"
    R"("threshold":[0.1,0,2,0,0,0],"left":[1,0,3,0,0,0],"right":[2,0,4,0,0,0],"missing_left":[0,0,1,0,0,0],)"
    R"("value":[0,1,0,10,100,0.25]})";

std::string with(const std::string& from, const std::string& to) {
  std::string text = layer;
  const auto at = text.find(from);
  CHECK(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

Model parse(const std::string& text, std::size_t n_out = 1) {
  return Model::parse(networks::chain(0, 0, 2, {text}, n_out));
}

struct Answer {
  float logit, leaf;
};

Answer ask(Session& session, float a, float b) {
  session.input("x")[0] = a;
  session.input("x")[1] = b;
  session.run();
  return {session.logits()[0], session.leaves()[0]};
}

void decisions() {
  const auto model = parse(layer);
  CHECK(model.outputs()[0].n_trees == 2);
  CHECK(model.n_parameters() == 12);
  Session session(model);
  const float below = std::nextafterf(0.1F, 0.0F);  // 0.1F itself is above 0.1
  CHECK(ask(session, below, 9).logit == 1.75F);
  CHECK(session.leaves()[0] == 1);
  CHECK(session.leaves("y")[1] == 0);
  CHECK(std::abs(session.output(0)[0] - static_cast<float>(1 / (1 + std::exp(-1.75)))) < 1e-7F);
  CHECK(ask(session, 0.1F, 2).logit == 10.75F);
  CHECK(ask(session, 0.1F, std::nextafterf(2, 3)).logit == 100.75F);
  CHECK(ask(session, -1e30F, 0).leaf == 1);
  CHECK(ask(session, 1e30F, -0.0F).leaf == 3);
  CHECK(ask(session, nan, nan).leaf == 3);  // right, then left
  CHECK(session.status() == hepml::Status::ok);
  CHECK(std::isnan(ask(session, infinity, 0).logit));
  CHECK(std::isnan(session.leaves()[1]));
  CHECK(session.status() == hepml::Status::not_finite);
  CHECK(ask(session, 0, 0).leaf == 1);

  const auto strict = parse(with("less_equal", "less"));
  Session other(strict);
  CHECK(ask(other, below, 0).leaf == 1);
  CHECK(ask(other, 1, 2).leaf == 4);
  CHECK(ask(other, 1, std::nextafterf(2, 0)).leaf == 3);

  const auto none = parse(with("\"missing\":true", "\"missing\":false"));
  Session refuses(none);
  CHECK(std::isnan(ask(refuses, nan, 0).logit));
  CHECK(refuses.status() == hepml::Status::not_finite);
}

/// NaN that a layer before the trees makes, or that something else reads too.
void missing_values_elsewhere() {
  const std::string dense = networks::dense({1, 0, 0, 1}, {0, 0}, "\"linear\"");
  Session session(Model::parse(networks::chain(0, 0, 2, {dense, layer}, 1)));
  CHECK(ask(session, 1, 2).leaf == 3);
  CHECK(std::isnan(ask(session, nan, 2).logit));
  CHECK(session.status() == hepml::Status::not_finite);
}

void sums() {
  const std::string wide = with(R"("base":[0.5])", R"("base":[0,0])");
  std::string text = wide;
  text.replace(text.find(R"("outputs":[0,0],)"), 16, "");
  text.replace(text.find(R"([0,1,0,10,100,0.25])"), 19, "[0,0,1,2,0,0,3,4,5,6,1,1]");
  text.replace(text.find("\"divisor\":1"), 11, "\"divisor\":2");
  text.replace(text.find("sigmoid"), 7, "softmax");
  Session session(parse(text, 2));
  CHECK(ask(session, 0, 0).logit == 1);
  CHECK(session.logits()[1] == 1.5F);
  CHECK(std::abs(session.output(0)[1] - static_cast<float>(1 / (1 + std::exp(-0.5)))) < 1e-7F);

  // float32 sums in order: 1 + 1e8 - 1e8 is 0
  std::string narrow = with("float64", "float32");
  narrow.replace(narrow.find("[0,1,0,10,100,0.25]"), 19, "[0,1e8,0,1,1,-1e8]");
  narrow.replace(narrow.find("[0.5]"), 5, "[1]");
  Session small(parse(narrow));
  CHECK(ask(small, 0, 0).logit == 0);
  CHECK(small.output(0)[0] == 0.5F);
}

void refused(const std::string& text, const std::string& where, std::size_t n_out = 1) {
  try {
    parse(text, n_out);
    std::fprintf(stderr, "not refused: %s\n", where.c_str());
    CHECK(false);
  } catch (const Error& error) {
    if (!check::contains(error.where(), where)) std::fprintf(stderr, "%s\n", error.what());
    CHECK(check::contains(error.where(), where));
  }
}

void malformed() {
  refused(with("less_equal", "lesser"), "layers[0].comparison");
  refused(with("float64", "float16"), "layers[0].precision");
  refused(with("sigmoid", "probit"), "layers[0].link");
  refused(with("\"missing\":true", "\"missing\":1"), "layers[0].missing");
  refused(with("\"divisor\":1", "\"divisor\":0"), "layers[0].divisor");
  refused(with("\"factor\":1", "\"factor\":-1"), "layers[0].factor");
  refused(with("[0.5]", "[]"), "layers[0].base");
  refused(with("\"sizes\":[5,1]", "\"sizes\":[]"), "layers[0].sizes");
  refused(with("\"sizes\":[5,1]", "\"sizes\":[5,0]"), "layers[0].sizes[1]");
  refused(with("\"sizes\":[5,1]", "\"sizes\":[5,2]"), "layers[0].feature");
  refused(with("\"sizes\":[5,1]", "\"sizes\":[16777217,1]"), "layers[0].sizes[0]");
  refused(with("\"outputs\":[0,0]", "\"outputs\":[0,1]"), "layers[0].outputs[1]");
  refused(with("\"outputs\":[0,0]", "\"outputs\":[0]"), "layers[0].outputs");
  refused(with("\"feature\":[0,", "\"feature\":[2,"), "layers[0].feature[0]");
  refused(with("\"feature\":[0,", "\"feature\":[-2,"), "layers[0].feature[0]");
  refused(with("\"feature\":[0,", "\"feature\":[0.5,"), "layers[0].feature[0]");
  refused(with("\"left\":[1,", "\"left\":[0,"), "layers[0].left[0]");        // a cycle
  refused(with("\"left\":[1,0,3", "\"left\":[1,0,1"), "layers[0].left[2]");  // backwards
  refused(with("\"left\":[1,0,3", "\"left\":[1,0,5"), "layers[0].left[2]");  // in the next tree
  refused(with("\"right\":[2,", "\"right\":[1,"), "layers[0].right[0]");     // two parents
  refused(with("\"right\":[2,", "\"right\":[null,"), "layers[0].right");
  refused(with("0,-1,1,-1,-1,-1]", "0,-1,1,-1,-1,0]"), "layers[0].left[5]");  // no room for children
  refused(with("\"missing_left\":[0", "\"missing_left\":[2"), "layers[0].missing_left[0]");
  refused(with("\"threshold\":[0.1", "\"threshold\":[\"a\""), "layers[0].threshold");
  refused(with(",0.25]", "]"), "layers[0].value");
  refused(with("0.25]", "4e38]"), "layers[0].value");
  refused(with("[0,1,0,10,100,0.25]", "[0,3e38,0,10,100,3e38]"), "layers[0].value");
  refused(layer, "y", 2);  // labels
}

/// A forest against a slow walk, with more trees than are walked at a time.
void many_trees() {
  networks::Random random(11);
  constexpr std::size_t n_trees = 37, depth = 6, size = (1U << (depth + 1)) - 1;
  std::vector<float> feature, threshold, left, right, missing, value;
  for (std::size_t tree = 0; tree < n_trees; ++tree) {
    for (std::size_t i = 0; i < size; ++i) {
      const bool leaf = 2 * i + 2 >= size;
      feature.push_back(leaf ? -1.0F : random.next() < 0 ? 0.0F : 1.0F);
      threshold.push_back(leaf ? 0.0F : random.next());
      left.push_back(leaf ? 0.0F : static_cast<float>(2 * i + 1));
      right.push_back(leaf ? 0.0F : static_cast<float>(2 * i + 2));
      missing.push_back(!leaf && random.next() < 0 ? 1.0F : 0.0F);
      value.push_back(leaf ? random.next() : 0.0F);
    }
  }
  std::string text =
      R"({"architecture":"trees","comparison":"less_equal","precision":"float32","base":[0.25],"divisor":1,)"
      R"("link":"identity","factor":1,"missing":true,"sizes":)" +
      networks::list(std::vector<float>(n_trees, static_cast<float>(size))) + R"(,"outputs":)" +
      networks::list(std::vector<float>(n_trees, 0.0F)) + R"(,"feature":)" + networks::list(feature) +
      R"(,"threshold":)" + networks::list(threshold) + R"(,"left":)" + networks::list(left) + R"(,"right":)" +
      networks::list(right) + R"(,"missing_left":)" + networks::list(missing) + R"(,"value":)" +
      networks::list(value) + "}";
  Session session(parse(text));
  for (int event = 0; event < 500; ++event) {
    const float x[2] = {event % 7 == 0 ? nan : random.next(), event % 5 == 0 ? nan : random.next()};
    float sum = 0.25F;
    std::vector<float> leaves;
    for (std::size_t tree = 0; tree < n_trees; ++tree) {
      std::size_t node = 0;
      while (feature[tree * size + node] >= 0) {
        const std::size_t place = tree * size + node;
        const float v = x[feature[place] == 0 ? 0 : 1];
        const bool go_left = std::isnan(v) ? missing[place] == 1 : v <= threshold[place];
        node = 2 * node + (go_left ? 1 : 2);
      }
      leaves.push_back(static_cast<float>(node));
      sum += value[tree * size + node];
    }
    CHECK(ask(session, x[0], x[1]).logit == sum);
    CHECK(std::vector<float>(session.leaves().begin(), session.leaves().end()) == leaves);
  }
}

}  // namespace

int main() {
  decisions();
  missing_values_elsewhere();
  sums();
  malformed();
  many_trees();
  return check::failures == 0 ? 0 : 1;
}
