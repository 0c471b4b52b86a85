// The functions of single elements against the C library in double precision, for each instruction set, and
// without a floating-point trap on any finite input.

#include <hepml/hepml.hpp>

#include <cfenv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "networks.hpp"

namespace {

using Function = std::function<double(double)>;

struct Case {
  std::string activation;
  Function function;
  double low = -std::numeric_limits<double>::infinity();  // where it is defined
};

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}
double clip(double x, double low, double high) {
  return std::min(std::max(x, low), high);
}

std::string with(const std::string& function, const std::string& more) {
  return R"({"function":")" + function + R"(",)" + more + "}";
}
std::string plain(const std::string& function) {
  return "\"" + function + "\"";
}

std::vector<Case> cases() {
  const double inf = std::numeric_limits<double>::infinity();
  return {
      {plain("tanh"), [](double x) { return std::tanh(x); }},
      {with("elu", R"("alpha":0.5)"), [](double x) { return x >= 0 ? x : 0.5 * std::expm1(x); }},
      {with("celu", R"("alpha":0.5)"), [](double x) { return x >= 0 ? x : 0.5 * std::expm1(x / 0.5); }},
      {plain("selu"),
       [](double x) { return 1.0507009873554805 * (x >= 0 ? x : 1.6732632423543772 * std::expm1(x)); }},
      {plain("gelu"), [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }},
      {plain("gelu_tanh"),
       [](double x) {
         return x * sigmoid(2 * std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
       }},
      {with("swish", R"("alpha":1)"), [](double x) { return x < -700 ? 0 : x * sigmoid(x); }},
      {plain("mish"), [](double x) { return x * std::tanh(softplus(x)); }},
      {plain("softplus"), softplus},
      {plain("log_sigmoid"), [](double x) { return -softplus(-x); }},
      {plain("softsign"), [](double x) { return x / (1 + std::abs(x)); }},
      {plain("keras_hard_sigmoid"), [](double x) { return clip(x + 3, 0, 6) / 6; }},
      {plain("hard_silu"), [](double x) { return x * clip(x + 3, 0, 6) / 6; }},
      {plain("sparse_plus"), [](double x) { return x <= -1 ? 0
                                                   : x < 1 ? (x + 1) * (x + 1) / 4
                                                           : x; }},
      {plain("sparse_sigmoid"), [](double x) { return clip((x + 1) / 2, 0, 1); }},
      {plain("tanh_shrink"), [](double x) { return std::abs(x) < 1e-3 ? x * x * x / 3 : x - std::tanh(x); }},
      {with("hard_shrink", R"("alpha":0.5)"), [](double x) { return std::abs(x) > 0.5 ? x : 0; }},
      {with("soft_shrink", R"("alpha":0.5)"),
       [](double x) { return x > 0.5    ? x - 0.5
                             : x < -0.5 ? x + 0.5
                                        : 0; }},
      {with("squareplus", R"("alpha":4)"),
       [](double x) { return x > 0 ? (x + std::sqrt(x * x + 4)) / 2 : 2 / (std::sqrt(x * x + 4) - x); }},
      {with("relu", R"("alpha":0.25,"low":0.5,"high":2)"),
       [](double x) { return x > 0.5 ? std::min(x, 2.0) : 0.25 * (x - 0.5); }},
      {with("relu", R"("alpha":0,"low":-1)"), [](double x) { return x > -1 ? x : 0; }},
      {with("clip", R"("low":-1,"high":0.5)"), [](double x) { return clip(x, -1, 0.5); }},
      {with("clip", R"("high":0.5)"), [](double x) { return std::min(x, 0.5); }},
      {with("threshold", R"("alpha":-2,"low":0.25)"), [](double x) { return x > 0.25 ? x : -2; }},
      {plain("exp"), [](double x) { return std::exp(x); }},
      {plain("expm1"), [](double x) { return std::expm1(x); }},
      {plain("log"), [](double x) { return std::log(x); }, 0},
      {plain("log1p"), [](double x) { return std::log1p(x); }, -1},
      {plain("sqrt"), [](double x) { return std::sqrt(x); }, 0},
      {plain("rsqrt"), [](double x) { return 1 / std::sqrt(std::abs(x)); }, 0},
      {plain("square"), [](double x) { return x * x; }},
      {plain("reciprocal"), [](double x) { return 1 / x; }},
      {plain("negative"), [](double x) { return -x; }},
      {plain("sign"), [](double x) { return x > 0   ? 1
                                            : x < 0 ? -1
                                                    : 0; }},
      {plain("erf"), [](double x) { return std::erf(x); }},
      {plain("sinh"), [](double x) { return std::sinh(x); }},
      {plain("cosh"), [](double x) { return std::cosh(x); }},
      {plain("arcsinh"), [](double x) { return std::asinh(x); }},
      {plain("round"), [](double x) { return std::nearbyint(x); }},
      {plain("floor"), [](double x) { return std::floor(x); }},
      {plain("ceil"), [](double x) { return std::ceil(x); }},
      {plain("sin"), [](double x) { return std::sin(x); }},
      {plain("cos"), [](double x) { return std::cos(x); }},
      {plain("tan"), [](double x) { return std::tan(x); }},
      {plain("arctan"), [inf](double x) { return x == inf ? 0 : std::atan(x); }},
  };
}

/// All magnitudes, both signs, and many values where functions bend.
std::vector<float> arguments(int largest) {
  std::vector<float> x{0.0F, -0.0F, 1e-45F, -1e-45F, 88.7F, 88.73F, -103.0F};
  for (int i = -3000; i <= 3000; ++i) x.push_back(static_cast<float>(i) * 0.005F);
  for (int power = -149; power <= largest; ++power) {
    for (const double mantissa : {1.0, 1.37, 1.999}) {
      for (const double sign : {1.0, -1.0})
        x.push_back(static_cast<float>(sign * std::ldexp(mantissa, power)));
    }
  }
  return x;
}

void compare(const Case& test, const std::string& set, const std::vector<float>& x, bool untrapped) {
  const auto model = hepml::Model::parse(
      networks::chain(0, 0, x.size(), {networks::dense({}, {}, test.activation)}, x.size()), {true, set});
  hepml::Session session(model);
  std::copy(x.begin(), x.end(), session.input("x").begin());
  std::feclearexcept(FE_ALL_EXCEPT);
  const auto y = session.run();
  const int traps = untrapped ? std::fetestexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW) : 0;
  if (traps != 0)
    std::fprintf(stderr, "%s, %s: exceptions %x\n", test.activation.c_str(), set.c_str(),
                 static_cast<unsigned>(traps));
  CHECK(traps == 0);
  double worst = 0;
  float at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double argument = static_cast<double>(x[i]);
    if (argument < test.low) {
      CHECK(std::isnan(y[i]));
      continue;
    }
    const double expected = test.function(argument);
    const double largest = static_cast<double>(std::numeric_limits<float>::max());
    if (std::abs(expected) > largest) {  // infinite, or rounded to the largest
      CHECK(std::isinf(y[i]) || static_cast<double>(std::abs(y[i])) > 0.999999 * largest);
      continue;
    }
    const double found = static_cast<double>(y[i]);
    const double difference = std::abs(found - expected) / std::max(std::abs(expected), 1e-6);
    if (!(difference <= worst)) {
      worst = std::isnan(difference) ? 1e9 : difference;
      at = x[i];
    }
  }
  if (!(worst <= 2e-6)) {
    std::fprintf(stderr, "%s, %s: off by %g at %.9g\n", test.activation.c_str(), set.c_str(), worst,
                 static_cast<double>(at));
  }
  CHECK(worst <= 2e-6);
}

/// NaN and infinity inside of the network: 1e30 times 1e30, and their difference.
void not_a_number_stays() {
  for (const Case& test : cases()) {
    const std::string text =
        R"({"inputs":[{"name":"x","variables":)" + networks::variables("v", 1) +
        R"(}],"input_sequences":[],"nodes":[{"type":"input","sources":[0],"size":1},)"
        R"({"type":"layer","sources":[0],"layer_index":0},{"type":"layer","sources":[1,1],"layer_index":1},)"
        R"({"type":"feed_forward","sources":[2],"layer_index":2}],"layers":[)"
        R"({"architecture":"multiply","weights":[1e30],"shape":[1]},{"architecture":"subtract"},)" +
        networks::dense({}, {}, test.activation) + R"(],"outputs":{"y":{"labels":["y"],"node_index":3}}})";
    for (const std::string& set : hepml::cpus()) {
      hepml::Session session(hepml::Model::parse(text, {true, set}));
      session.input("x")[0] = 1e30F;
      session.run();
      const bool good = std::isnan(session.output(0)[0]) && session.status() == hepml::Status::not_finite;
      if (!good)
        std::fprintf(stderr, "%s of NaN: %g\n", test.activation.c_str(),
                     static_cast<double>(session.output(0)[0]));
      CHECK(good);
    }
  }
}

}  // namespace

int main() {
  for (const Case& test : cases()) {
    for (const std::string& set : hepml::cpus()) {
      compare(test, set, arguments(126), true);
      compare(test, set, arguments(127), false);  // twice that may be infinite
    }
  }
  not_a_number_stays();
  return check::failures == 0 ? 0 : 1;
}
