// Every layer against a plain double-precision loop, for each instruction set of this processor, over many
// shapes.

#include <hepml/hepml.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "check.hpp"
#include "networks.hpp"

namespace {

using networks::Random;
using Doubles = std::vector<double>;

struct Image {
  std::size_t rows, columns, channels;
  Doubles values;
  double at(std::size_t r, std::size_t c, std::size_t k) const {
    return values[(r * columns + c) * channels + k];
  }
};

/// Load the network with each instruction set and compare its answers with the reference.
void compare(const std::string& text, const std::vector<float>& x, const Doubles& expected, double tolerance,
             const std::string& what) {
  double scale = 1.0;
  for (const double value : expected) scale = std::max(scale, std::abs(value));
  for (const std::string& set : hepml::cpus()) {
    const auto model = hepml::Model::parse(text, {true, set});
    CHECK(model.cpu() == set);
    hepml::Session session(model);
    std::copy(x.begin(), x.end(), session.input("x").begin());
    for (int repeat = 0; repeat < 2; ++repeat) {  // the second event must not see the first one's memory
      const auto y = session.run();
      CHECK(y.size() == expected.size());
      double worst = 0;
      for (std::size_t i = 0; i < std::min(y.size(), expected.size()); ++i) {
        const double difference = std::abs(static_cast<double>(y[i]) - expected[i]) / scale;
        worst = std::max(worst, std::isnan(difference) ? 1e9 : difference);
      }
      if (!(worst <= tolerance))
        std::fprintf(stderr, "%s, %s: off by %g\n", what.c_str(), set.c_str(), worst);
      CHECK(worst <= tolerance);
    }
  }
}

Doubles to_doubles(const std::vector<float>& values) {
  return Doubles(values.begin(), values.end());
}

void dense_layers() {
  Random random(1);
  for (const std::size_t n_in : {1, 2, 7, 15, 16, 17, 64, 100, 255, 256, 257, 1872}) {
    for (const std::size_t n_out : {1, 2, 3, 4, 5, 8, 15, 16, 17, 33, 100, 149, 193, 200}) {
      const auto weights = random.many(n_in * n_out, 0.2F);
      const auto bias = random.many(n_out);
      const auto x = random.many(n_in);
      Doubles expected = to_doubles(bias);
      for (std::size_t o = 0; o < n_out; ++o) {
        for (std::size_t i = 0; i < n_in; ++i) {
          expected[o] += static_cast<double>(weights[o * n_in + i]) * static_cast<double>(x[i]);
        }
      }
      const std::string name = "dense " + std::to_string(n_in) + " to " + std::to_string(n_out);
      compare(networks::chain(0, 0, n_in, {networks::dense(weights, bias, "\"linear\"")}, n_out), x, expected,
              1e-6, name);
      // rectified inside of the network is fused into the kernel; at the output it is not
      Doubles twice(1, 0.0);
      for (double& value : expected) value = std::max(value, 0.0);
      for (const double value : expected) twice[0] += value;
      const std::string rectified = networks::dense(weights, bias, "\"rectified\"");
      compare(networks::chain(0, 0, n_in, {rectified}, n_out), x, expected, 1e-6, name + " rectified");
      const std::string total = networks::dense(std::vector<float>(n_out, 1.0F), {}, "\"linear\"");
      compare(networks::chain(0, 0, n_in, {rectified, total}, 1), x, twice, 1e-6, name + " summed");
    }
  }
}

struct Conv {
  std::size_t rows, columns, channels, filters, kernel_rows, kernel_columns, row_step, column_step, dilation;
  bool same;
};

Image convolve(const Conv& c, const Image& x, const std::vector<float>& weights,
               const std::vector<float>& bias) {
  const std::size_t reach_r = (c.kernel_rows - 1) * c.dilation + 1,
                    reach_c = (c.kernel_columns - 1) * c.dilation + 1;
  const auto size = [&](std::size_t n, std::size_t reach, std::size_t step) {
    return c.same ? (n + step - 1) / step : (n - reach) / step + 1;
  };
  Image y{size(c.rows, reach_r, c.row_step), size(c.columns, reach_c, c.column_step), c.filters, {}};
  const auto before = [&](std::size_t n, std::size_t out, std::size_t reach, std::size_t step) {
    const long total = static_cast<long>((out - 1) * step + reach) - static_cast<long>(n);
    return c.same && total > 0 ? total / 2 : 0;
  };
  const long top = before(c.rows, y.rows, reach_r, c.row_step);
  const long left = before(c.columns, y.columns, reach_c, c.column_step);
  for (std::size_t r = 0; r < y.rows; ++r) {
    for (std::size_t q = 0; q < y.columns; ++q) {
      for (std::size_t f = 0; f < c.filters; ++f) {
        double sum = static_cast<double>(bias[f]);
        for (std::size_t i = 0; i < c.kernel_rows; ++i) {
          for (std::size_t j = 0; j < c.kernel_columns; ++j) {
            const long row = static_cast<long>(r * c.row_step + i * c.dilation) - top;
            const long column = static_cast<long>(q * c.column_step + j * c.dilation) - left;
            if (row < 0 || column < 0 || row >= static_cast<long>(c.rows) ||
                column >= static_cast<long>(c.columns)) {
              continue;
            }
            for (std::size_t k = 0; k < c.channels; ++k) {
              sum +=
                  x.at(static_cast<std::size_t>(row), static_cast<std::size_t>(column), k) *
                  static_cast<double>(weights[((i * c.kernel_columns + j) * c.channels + k) * c.filters + f]);
            }
          }
        }
        y.values.push_back(sum);
      }
    }
  }
  return y;
}

void convolutions() {
  std::vector<Conv> cases;
  for (const std::size_t kernel : {1, 2, 3, 5}) {
    for (const std::size_t step : {1, 2, 3}) {
      for (const bool same : {true, false}) {
        for (const std::size_t side : {1, 4, 7, 13, 31}) {
          if (!same && kernel > side) continue;
          const std::size_t channels = 1 + (kernel + side) % 4;
          const std::size_t filters = 1 + (kernel * 7 + step * 11 + side * 5) % 53;
          cases.push_back({side, side, channels, filters, kernel, kernel, step, step, 1, same});
        }
      }
    }
  }
  for (const std::size_t filters : {1, 4, 8, 16, 17, 32, 33, 34, 47, 48, 49, 64, 65, 117}) {
    cases.push_back({9, 14, 3, filters, 3, 3, 1, 1, 1, true});
  }
  cases.push_back({5, 40, 2, 20, 3, 1, 1, 1, 1, true});  // not square
  cases.push_back({40, 5, 2, 20, 1, 4, 2, 1, 1, true});
  cases.push_back({12, 11, 3, 10, 3, 3, 1, 1, 2, true});  // dilated
  cases.push_back({12, 11, 3, 10, 3, 2, 1, 1, 3, false});
  cases.push_back({8, 8, 47, 47, 3, 3, 1, 1, 1, true});
  for (const std::size_t filters : {1, 2, 3, 4}) {  // few filters on one channel: lanes are pixels
    for (const std::size_t columns : {3, 4, 8, 16, 17, 28, 33}) {
      cases.push_back({5, columns, 1, filters, 3, 3, 1, 1, 1, true});
      cases.push_back({7, columns, 1, filters, 3, 2, 2, 1, 1, false});
    }
    cases.push_back({3, 40, 1, filters, 1, 19, 1, 1, 1, true});
    cases.push_back({9, 40, 1, filters, 2, 2, 1, 1, 2, true});
    cases.push_back({6, 40, 1, filters, 3, 3, 1, 2, 1, true});
  }
  Random random(2);
  for (const Conv& c : cases) {
    const auto weights = random.many(c.kernel_rows * c.kernel_columns * c.channels * c.filters, 0.5F);
    const auto bias = random.many(c.filters);
    const auto x = random.many(c.rows * c.columns * c.channels);
    const Image y = convolve(c, {c.rows, c.columns, c.channels, to_doubles(x)}, weights, bias);
    const std::string common =
        R"({"architecture":"conv2d","kernel_size":)" + networks::pair(c.kernel_rows, c.kernel_columns) +
        R"(,"filters":)" + std::to_string(c.filters) + R"(,"strides":)" +
        networks::pair(c.row_step, c.column_step) + R"(,"dilation_rate":)" +
        networks::pair(c.dilation, c.dilation) + R"(,"padding":)" + (c.same ? "\"same\"" : "\"valid\"") +
        R"(,"weights":)" + networks::list(weights) + R"(,"bias":)" + networks::list(bias) +
        R"(,"activation":)";
    const std::string what = "conv2d " + std::to_string(c.rows) + " x " + std::to_string(c.columns) + " x " +
                             std::to_string(c.channels) + " kernel " + std::to_string(c.kernel_rows) +
                             " filters " + std::to_string(c.filters) + " strides " +
                             std::to_string(c.row_step);
    const std::string flatten = R"({"architecture":"flatten"})";
    compare(
        networks::chain(c.rows, c.columns, c.channels, {common + "\"linear\"}", flatten}, y.values.size()), x,
        y.values, 2e-6, what);
    Doubles rectified = y.values;
    for (double& value : rectified) value = std::max(value, 0.0);
    compare(
        networks::chain(c.rows, c.columns, c.channels, {common + "\"rectified\"}", flatten}, y.values.size()),
        x, rectified, 2e-6, what + " rectified");
    // A second convolution reads the first one's border of zeros.
    if (c.same && c.filters < 20 && c.row_step == 1 && c.dilation == 1) {
      const Conv next{y.rows, y.columns, y.channels, 3, 3, 3, 1, 1, 1, true};
      const auto more = random.many(27 * c.filters, 0.5F);
      const Image z = convolve(next, {y.rows, y.columns, y.channels, rectified}, more, {0.1F, 0.2F, 0.3F});
      const std::string second =
          R"({"architecture":"conv2d","kernel_size":[3,3],"filters":3,"strides":[1,1],)"
          R"("padding":"same","weights":)" +
          networks::list(more) + R"(,"bias":[0.1,0.2,0.3],"activation":"linear"})";
      compare(networks::chain(c.rows, c.columns, c.channels, {common + "\"rectified\"}", second, flatten},
                              z.values.size()),
              x, z.values, 4e-6, what + " twice");
    }
  }
}

void pooling() {
  Random random(3);
  for (const bool same : {true, false}) {
    for (const std::size_t side : {1, 2, 5, 8, 31, 66}) {
      for (const std::size_t pool : {1, 2, 3, 4}) {
        for (const std::size_t step : {1, 2, 3}) {
          for (const std::size_t channels : {1, 2, 4, 7, 8, 19}) {
            if (!same && pool > side) continue;
            const auto x = random.many(side * side * channels);
            const Image image{side, side, channels, to_doubles(x)};
            const std::size_t out = same ? (side + step - 1) / step : (side - pool) / step + 1;
            const long total = static_cast<long>((out - 1) * step + pool) - static_cast<long>(side);
            const long before = same && total > 0 ? total / 2 : 0;
            Doubles expected;
            for (std::size_t r = 0; r < out; ++r) {
              for (std::size_t c = 0; c < out; ++c) {
                for (std::size_t k = 0; k < channels; ++k) {
                  double best = -std::numeric_limits<double>::infinity();
                  for (std::size_t i = 0; i < pool; ++i) {
                    for (std::size_t j = 0; j < pool; ++j) {
                      const long row = static_cast<long>(r * step + i) - before;
                      const long column = static_cast<long>(c * step + j) - before;
                      const long n = static_cast<long>(side);
                      if (row < 0 || column < 0 || row >= n || column >= n) continue;
                      best = std::max(
                          best, image.at(static_cast<std::size_t>(row), static_cast<std::size_t>(column), k));
                    }
                  }
                  expected.push_back(best);
                }
              }
            }
            const std::string layer = R"({"architecture":"maxpooling2d","pool_size":)" +
                                      networks::pair(pool, pool) + R"(,"strides":)" +
                                      networks::pair(step, step) + R"(,"padding":)" +
                                      (same ? "\"same\"}" : "\"valid\"}");
            compare(networks::chain(side, side, channels, {layer, R"({"architecture":"flatten"})"},
                                    expected.size()),
                    x, expected, 0.0, "maxpooling2d");
          }
        }
      }
    }
  }
}

void activations() {
  std::vector<float> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(static_cast<float>(i) * 0.01F);
  for (const float extreme :
       {0.0F, -0.0F, 1e-30F, -1e-30F, 88.0F, -88.0F, 100.0F, -100.0F, 1e30F, -1e30F, 0.625F}) {
    x.push_back(extreme);
  }
  const auto alpha = [](const char* name, const char* value) {
    return std::string(R"({"function":")") + name + R"(","alpha":)" + value + "}";
  };
  const auto check = [&x](const std::string& activation, auto function, double absolute = 1e-30) {
    for (const std::size_t n : {std::size_t{1}, std::size_t{5}, std::size_t{16}, x.size()}) {
      for (std::size_t start = 0; start < (n == x.size() ? 1 : 3); ++start) {
        const std::vector<float> part(x.begin() + static_cast<long>(start),
                                      x.begin() + static_cast<long>(std::min(start + n, x.size())));
        Doubles expected;
        for (const float value : part) expected.push_back(function(static_cast<double>(value)));
        // element by element, each relative to itself
        for (const std::string& set : hepml::cpus()) {
          hepml::Session session(hepml::Model::parse(
              networks::chain(0, 0, part.size(), {networks::dense({}, {}, activation)}, part.size()),
              {true, set}));
          std::copy(part.begin(), part.end(), session.input("x").begin());
          const auto y = session.run();
          for (std::size_t i = 0; i < part.size(); ++i) {
            const double difference = std::abs(static_cast<double>(y[i]) - expected[i]);
            const bool good =
                difference <= 2.5e-7 * std::max(std::abs(expected[i]), 1e-3) || difference <= absolute;
            if (!good) {
              std::fprintf(stderr, "%s(%g) = %g, not %g (%s)\n", activation.c_str(),
                           static_cast<double>(part[i]), static_cast<double>(y[i]), expected[i], set.c_str());
            }
            CHECK(good);
          }
        }
      }
    }
  };
  const auto sigmoid = [](double v) { return 1.0 / (1.0 + std::exp(-v)); };
  check("\"linear\"", [](double v) { return v; });
  check("\"rectified\"", [](double v) { return std::max(v, 0.0); });
  check("\"sigmoid\"", sigmoid);
  check("\"tanh\"", [](double v) { return std::tanh(v); });
  check("\"abs\"", [](double v) { return std::abs(v); });
  check("\"hard_sigmoid\"", [](double v) { return std::min(std::max(0.2 * v + 0.5, 0.0), 1.0); }, 1e-7);
  check(alpha("leakyrelu", "0.3"), [](double v) { return v > 0 ? v : static_cast<double>(0.3F) * v; });
  check(alpha("swish", "1"), [&](double v) { return v * sigmoid(v); });
}

void elu_and_softmax() {
  Random random(4);
  for (const std::size_t n : {1, 2, 3, 10, 16, 17, 100}) {
    const auto x = random.many(n, 20.0F);
    Doubles elu, softmax;
    const double top = static_cast<double>(*std::max_element(x.begin(), x.end()));
    double total = 0;
    for (const float value : x) {
      const double v = static_cast<double>(value);
      elu.push_back(v >= 0 ? v : 0.5 * (std::exp(v) - 1));
      softmax.push_back(std::exp(v - top));
      total += softmax.back();
    }
    for (double& value : softmax) value /= total;
    const std::string none = networks::dense({}, {}, R"({"function":"elu","alpha":0.5})");
    compare(networks::chain(0, 0, n, {none}, n), x, elu, 2e-7, "elu");
    compare(networks::chain(0, 0, n, {networks::dense({}, {}, "\"softmax\"")}, n), x, softmax, 2e-7,
            "softmax");
  }
  // softmax of an image: over the channels of each pixel
  const std::vector<float> x{1.0F, 2.0F, 5.0F, 5.0F};
  const std::string one_to_one =
      R"({"architecture":"conv2d","kernel_size":[1,1],"filters":2,"strides":[1,1],)"
      R"("padding":"valid","weights":[1,0,0,1],"bias":[],"activation":"softmax"})";
  const double e = std::exp(1.0);
  compare(networks::chain(2, 1, 2, {one_to_one, R"({"architecture":"flatten"})"}, 4), x,
          {1 / (1 + e), e / (1 + e), 0.5, 0.5}, 2e-7, "softmax of pixels");
}

void normalization() {
  const std::string layer = R"({"architecture":"normalization","weights":[2,-1,0.5],"bias":[1,0,-4]})";
  compare(networks::chain(0, 0, 3, {layer}, 3), {1.0F, 2.0F, 3.0F}, {4.0, -2.0, -0.5}, 0.0, "normalization");
}

}  // namespace

int main() {
  CHECK(hepml::cpus().back() == "generic");
  dense_layers();
  convolutions();
  pooling();
  activations();
  elu_and_softmax();
  normalization();
  return check::failures == 0 ? 0 : 1;
}
