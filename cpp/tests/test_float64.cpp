// Layers that compute in double precision: perceptron, tables, weighted_median; and gather. Against plain
// formulas, without a trap on any finite input, and every malformed field.

#include <hepml/hepml.hpp>

#include <algorithm>
#include <cfenv>
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

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  CHECK(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::vector<float> answer(const std::vector<std::string>& layers, const std::vector<float>& x,
                          std::size_t n_out = 1) {
  Session session(Model::parse(networks::chain(0, 0, x.size(), layers, n_out)));
  std::copy(x.begin(), x.end(), session.input("x").begin());
  const auto y = session.run();
  return {y.begin(), y.end()};
}

bool near(float found, double expected, double tolerance = 1e-7) {
  return std::abs(static_cast<double>(found) - expected) <= tolerance * std::max(1.0, std::abs(expected));
}

std::string sublayer(const std::string& weights, const std::string& bias, const std::string& activation,
                     const std::string& join = "sum") {
  return R"({"weights":)" + weights + R"(,"bias":)" + bias + R"(,"join":")" + join + R"(","activation":")" +
         activation + "\"}";
}

std::string perceptron(const std::string& sublayers, const std::string& precision = "float64") {
  return R"({"architecture":"perceptron","precision":")" + precision + R"(","sublayers":[)" + sublayers +
         "]}";
}

void gathers() {
  const auto y = answer({R"({"architecture":"gather","index":[2,0,0,1]})"}, {1, 2, 3}, 4);
  CHECK(y == std::vector<float>{3, 1, 1, 2});
}

void perceptrons() {
  // 1e8 + 1 - 1e8 is 1 in double precision only, and 0 where every partial sum is a float32
  const std::string sum = sublayer("[1e8,1,-1e8]", "[]", "linear");
  CHECK(answer({perceptron(sum)}, {1, 1, 1})[0] == 1);
  CHECK(answer({perceptron(sum, "float32")}, {1, 1, 1})[0] == 0);
  // from the bias on: 0.5 is lost before it is subtracted
  CHECK(answer({perceptron(sublayer("[-1]", "[16777216.5]", "linear"), "float32")}, {16777216})[0] == 0);
  CHECK(answer({perceptron(sublayer("[-1]", "[16777216.5]", "linear"))}, {16777216})[0] == 0.5F);
  CHECK(answer({perceptron(sublayer("[2,-3]", "[-1]", "linear", "square_sum"))}, {1, 1})[0] == 14);
  CHECK(answer({perceptron(sublayer("[2,-3]", "[-1]", "linear", "absolute_sum"))}, {1, 1})[0] == 6);
  CHECK(answer({perceptron(sublayer("[]", "[1,2]", "linear"))}, {3, 4}, 2) == std::vector<float>{4, 6});
  for (const float x : {-30.0F, -3.0F, -0.1F, 0.0F, 0.7F, 5.0F, 40.0F}) {
    const auto z = static_cast<double>(x);
    const auto of = [x](const char* activation) {
      return answer({perceptron(sublayer("[1]", "[]", activation))}, {x})[0];
    };
    CHECK(near(of("sigmoid"), 1 / (1 + std::exp(-z))));
    CHECK(near(of("tanh"), std::tanh(z)));
    CHECK(near(of("rectified"), std::max(z, 0.0)));
    CHECK(near(of("gaussian"), std::exp(-z * z / 2)));
    const double s = z * z;
    const double over = z * (135135 + s * (17325 + s * (378 + s)));
    CHECK(near(of("rational_tanh"), over / (135135 + s * (62370 + s * (3150 + 28 * s))), 1e-6));
  }
  const auto shares = answer({perceptron(sublayer("[]", "[]", "softmax"))}, {1, 3, -2}, 3);
  const double total = std::exp(1.0) + std::exp(3.0) + std::exp(-2.0);
  CHECK(near(shares[0], std::exp(1.0) / total) && near(shares[1], std::exp(3.0) / total) &&
        near(shares[2], std::exp(-2.0) / total));
  // matrices are [out][in]
  const std::string two =
      sublayer("[1,2,3,4,5,6]", "[0,1]", "linear") + "," + sublayer("[1,-1]", "[0]", "linear");
  CHECK(answer({perceptron(two)}, {1, 10, 100})[0] == 321 - 655);
}

std::string tables(const std::string& list, const std::string& function = "identity",
                   const std::string& limits = R"("least":-1e30,"most":1e30)",
                   const std::string& before = "identity") {
  return R"({"architecture":"tables","before":")" + before + R"(","function":")" + function + "\"," + limits +
         R"(,"tables":[)" + list + "]}";
}

const std::string bins = R"({"feature":0,"form":"linear","low":0,"high":4,"values":[1,3,7,5]})";

void look_ups() {
  const auto at = [](const std::string& one, float x) { return answer({tables(one)}, {x})[0]; };
  CHECK(at(bins, 0.5F) == 1 && at(bins, 1.5F) == 3 && at(bins, 1.0F) == 2 && at(bins, 2.25F) == 6);
  CHECK(at(bins, 3.0F) == 6 && at(bins, 0.0F) == 0 && at(bins, 4.0F) == 4 && at(bins, 5.5F) == 1);
  CHECK(at(bins, -1.5F) == -3);
  const std::string step = replaced(bins, "linear", "step");
  CHECK(at(step, 0.99F) == 1 && at(step, 1.0F) == 3 && at(step, 3.99F) == 5 && at(step, -9.0F) == 1 &&
        at(step, 9.0F) == 5);
  const std::string kept = replaced(bins, "\"values\"", "\"minimum\":0.5,\"maximum\":3.5,\"values\"");
  CHECK(at(kept, -9.0F) == 1 && at(kept, 9.0F) == 5 && at(kept, 1.0F) == 2);
  // two equal knots are a jump, and the last piece goes on
  const std::string knots = R"({"feature":0,"form":"linear","knots":[0,1,1,3],"values":[0,2,10,12]})";
  CHECK(at(knots, 0.5F) == 1 && at(knots, 1.0F) == 10 && at(knots, 2.0F) == 11 && at(knots, 4.0F) == 13 &&
        at(knots, -1.0F) == -2);
  const std::string uneven = R"({"feature":0,"form":"step","knots":[0,1,5],"values":[2,4]})";
  CHECK(at(uneven, 0.5F) == 2 && at(uneven, 1.0F) == 4 && at(uneven, 7.0F) == 4 && at(uneven, -1.0F) == 2);
  // where a table is the identity: the quantile and the cumulative of a normal variable
  const std::string same = R"({"feature":0,"form":"linear","knots":[0,1],"values":[0,1]})";
  for (const double z : {-5.5, -3.0, -0.4, 0.0, 1e-4, 1.0, 4.25}) {
    const auto p = static_cast<float>(0.5 * std::erfc(-z / std::sqrt(2.0)));
    const float found = answer({tables(same, "quantile", R"("least":1e-9,"most":0.999999999)")}, {p})[0];
    CHECK(near(static_cast<float>(0.5 * std::erfc(-static_cast<double>(found) / std::sqrt(2.0))),
               static_cast<double>(p), 1e-7));
    CHECK(near(
        answer({tables(same, "identity", R"("least":0,"most":1)", "normal_cdf")}, {static_cast<float>(z)})[0],
        0.5 * std::erfc(-static_cast<double>(static_cast<float>(z)) / std::sqrt(2.0))));
  }
  CHECK(near(answer({tables(same, "quantile", R"("least":5e-9,"most":0.999999995)")}, {7})[0], 5.7307288,
             1e-6));
  const std::string other = replaced(bins, "[1,3,7,5]", "[4,2,2,4]");
  const std::string limits = R"("least":1e-305,"most":1e30)";
  CHECK(near(answer({tables(bins + "," + other, "ratio", limits)}, {1.5F})[0], 0.6));
  CHECK(near(answer({tables(bins + "," + other, "logit", limits)}, {1.5F})[0], std::log(1.5)));
  const std::string pairs = bins + "," + bins + "," + other + "," + other;
  CHECK(near(answer({tables(pairs, "ratio", limits)}, {1.5F})[0], 9.0 / 13.0));
}

std::string median(const std::string& weights, const std::string& reach) {
  return R"({"architecture":"weighted_median","weights":)" + weights + R"(,"reach":)" + reach + "}";
}

void medians() {
  CHECK(answer({median("[1,1,1]", "0")}, {5, 1, 3})[0] == 3);
  CHECK(answer({median("[1,1,5]", "0")}, {5, 1, 9})[0] == 9);
  CHECK(answer({median("[1,1,1,1]", "0")}, {4, 3, 2, 1})[0] == 3);  // more than half
  CHECK(answer({median("[1,1,1,1,1]", "1")}, {50, 1, 3, 5, -7})[0] == 3);
  CHECK(answer({median("[9,1,1]", "1")}, {1, 3, 9})[0] == 2);
  CHECK(std::isnan(answer({perceptron(sublayer("[]", "[]", "linear")), median("[1,1]", "0")},
                          {std::numeric_limits<float>::quiet_NaN(), 1})[0]));
}

/// No finite input traps, not even what overflows on the way.
void no_traps() {
  const std::string big = sublayer("[3e38]", "[3e38]", "linear", "square_sum");
  const std::string like = R"({"feature":0,"form":"linear","low":0,"high":1e-20,"values":[1,3e38]})";
  std::vector<std::string> layers;
  for (const char* activation :
       {"linear", "sigmoid", "tanh", "rational_tanh", "rectified", "gaussian", "softmax"}) {
    layers.push_back(perceptron(sublayer("[1]", "[]", activation)));
    layers.push_back(perceptron(sublayer("[3e38]", "[-3e38]", activation) + "," + big + "," + big));
    layers.push_back(perceptron(big + "," + sublayer("[-3e38]", "[]", activation), "float32"));
  }
  for (const char* function : {"identity", "quantile", "ratio", "logit"}) {
    const std::string limits = std::string(function) == "quantile" ? R"("least":1e-300,"most":0.99999999)"
                                                                   : R"("least":1e-305,"most":3e38)";
    std::string many = like;
    for (int i = 0; i < 9; ++i) many += "," + like;
    layers.push_back(
        tables(std::string(function) == "ratio" || std::string(function) == "logit" ? many : like, function,
               limits));
    layers.push_back(
        tables(std::string(function) == "ratio" || std::string(function) == "logit" ? many : like, function,
               limits, "normal_cdf"));
  }
  for (const std::string& layer : layers) {
    Session session(Model::parse(networks::chain(0, 0, 1, {layer}, 1)));
    for (const float x :
         {0.0F, -0.0F, 1e-45F, 1.0F, -1.0F, 88.0F, -3e3F, 1e6F, 1e19F, -1e30F, 3.4e38F, -3.4e38F}) {
      session.input("x")[0] = x;
      std::feclearexcept(FE_ALL_EXCEPT);
      const float y = session.run()[0];
      const int traps = std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW);
      if (traps != 0 || !std::isfinite(y))
        std::fprintf(stderr, "%g: %g, exceptions %x: %s\n", static_cast<double>(x), static_cast<double>(y),
                     static_cast<unsigned>(traps), layer.c_str());
      CHECK(traps == 0 && std::isfinite(y));
    }
  }
}

void refused(const std::string& layer, const std::string& where, std::size_t n_in = 2) {
  try {
    Model::parse(networks::chain(0, 0, n_in, {layer}, 1));
    std::fprintf(stderr, "not refused: %s\n", layer.c_str());
    CHECK(false);
  } catch (const Error& error) {
    if (!check::contains(error.where(), where)) std::fprintf(stderr, "%s\n", error.what());
    CHECK(check::contains(error.where(), where));
  }
}

void malformed() {
  refused(R"({"architecture":"gather","index":[2]})", "layers[0].index[0]");
  refused(R"({"architecture":"gather","index":[0.5]})", "layers[0].index[0]");
  refused(R"({"architecture":"gather","index":[]})", "layers[0].index");
  refused(R"({"architecture":"gather"})", "layers[0]");
  const std::string unit = sublayer("[1,2]", "[0]", "linear");
  refused(perceptron(unit, "float16"), "layers[0].precision");
  refused(perceptron(""), "layers[0].sublayers");
  refused(perceptron(sublayer("[1,2,3]", "[0]", "linear")), "layers[0].sublayers[0].weights");
  refused(perceptron(unit + "," + unit), "layers[0].sublayers[1].bias");
  refused(perceptron(sublayer("[1,2]", "[0,1]", "linear")), "layers[0].sublayers[0].bias");
  refused(perceptron(sublayer("[1,4e38]", "[0]", "linear")), "layers[0].sublayers[0].weights");
  refused(perceptron(sublayer("[1,2]", "[0]", "swish")), "layers[0].sublayers[0].activation");
  refused(perceptron(sublayer("[1,2]", "[0]", "linear", "product")), "layers[0].sublayers[0].join");
  refused(tables(""), "layers[0].tables");
  refused(tables(bins, "tail"), "layers[0].function");
  refused(tables(bins, "identity", R"("least":-1e30,"most":1e30)", "log"), "layers[0].before");
  refused(tables(bins, "identity", R"("least":1,"most":0)"), "layers[0].most");
  refused(tables(bins, "quantile", R"("least":0,"most":0.5)"), "layers[0].least");
  refused(tables(bins, "quantile", R"("least":0.1,"most":1)"), "layers[0].most");
  refused(tables(bins, "ratio", R"("least":1e-12,"most":1e30)"), "layers[0].tables");
  refused(tables(bins, "identity", R"("least":0)"), "layers[0]");
  const auto with = [](const std::string& from, const std::string& to) {
    return tables(replaced(bins, from, to));
  };
  refused(with("\"feature\":0", "\"feature\":2"), "layers[0].tables[0].feature");
  refused(with("linear", "cubic"), "layers[0].tables[0].form");
  refused(with("\"high\":4", "\"high\":0"), "layers[0].tables[0].high");
  refused(with("[1,3,7,5]", "[]"), "layers[0].tables[0].values");
  refused(with("[1,3,7,5]", "[1,4e38]"), "layers[0].tables[0].values");
  refused(with("\"values\"", "\"minimum\":3,\"maximum\":1,\"values\""), "layers[0].tables[0].maximum");
  refused(with("\"values\"", "\"knots\":[0,1,2],\"values\""), "layers[0].tables[0].knots");
  refused(with("\"values\"", "\"knots\":[0,2,1,3],\"values\""), "layers[0].tables[0].knots[2]");
  refused(with("\"values\"", "\"knots\":[0,0,1,3],\"values\""), "layers[0].tables[0].knots[1]");
  refused(with("\"values\"", "\"knots\":[0,1,3,3],\"values\""), "layers[0].tables[0].knots[3]");
  refused(median("[1]", "0"), "layers[0].weights");
  refused(median("[1,2]", "-1"), "layers[0].reach");
  refused(median("[1,4e38]", "0"), "layers[0].weights");
}

}  // namespace

int main() {
  gathers();
  perceptrons();
  look_ups();
  medians();
  no_traps();
  malformed();
  return check::failures == 0 ? 0 : 1;
}
