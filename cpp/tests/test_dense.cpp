// Weights in 16 bits against the same as floats: the same bits, for each instruction set, whatever the shape.

#include <hepml/hepml.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "check.hpp"
#include "kernels/select.hpp"
#include "layers/layer.hpp"
#include "networks.hpp"

namespace {

using hepml::kernels::DenseArgs;
using hepml::kernels::Kernels;
using hepml::kernels::View;
using hepml::layers::Floats;
using networks::Random;

constexpr std::size_t most_rows = 48;

float to_bfloat16(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  bits &= 0xFFFF0000U;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

std::vector<float> bfloat16s(std::vector<float> values) {
  for (float& value : values) value = to_bfloat16(value);
  return values;
}

Floats packed(const Kernels& kernels, const std::vector<float>& weights, std::size_t n_in, std::size_t n_out,
              bool halves) {
  Floats to(kernels.dense_size(n_in, n_out, halves));
  kernels.pack_dense(weights.data(), n_in, n_out, halves, to.data());
  return to;
}

/// One event, and some at once.
void compare(const Kernels& kernels, std::size_t n_in, std::size_t n_out, bool rectified) {
  Random random(static_cast<unsigned>(n_in * 1000 + n_out));
  const auto weights = bfloat16s(random.many(n_in * n_out, 0.3F));
  const Floats bias = hepml::layers::padded(random.many(n_out), n_out, kernels.width);
  const Floats wide = packed(kernels, weights, n_in, n_out, false);
  const Floats narrow = packed(kernels, weights, n_in, n_out, true);
  const DenseArgs args{wide.data(), bias.data(), n_in, n_out, rectified};
  const DenseArgs of_halves{narrow.data(), bias.data(), n_in, n_out, rectified, true};
  const std::size_t x_stride = (n_in + 15) / 16 * 16;
  const std::size_t y_stride = (n_out + 15) / 16 * 16;
  std::vector<float> x = random.many(most_rows * x_stride, 2.0F);
  x[n_in / 2] = std::numeric_limits<float>::quiet_NaN();
  x[x_stride] = 1e30F;
  std::vector<float> one(n_out), other(n_out);
  for (std::size_t row = 0; row < 3; ++row) {
    kernels.dense(args, x.data() + row * x_stride, one.data());
    kernels.dense(of_halves, x.data() + row * x_stride, other.data());
    CHECK(std::memcmp(one.data(), other.data(), n_out * sizeof(float)) == 0);
  }
  for (const std::size_t rows : {1, 6, 13, 48}) {
    Floats y(most_rows * y_stride + 16), z(most_rows * y_stride + 16);
    const View from{x.data(), rows, 1, n_in, x_stride};
    kernels.dense_rows(args, from, {y.data(), rows, 1, n_out, y_stride});
    kernels.dense_rows(of_halves, from, {z.data(), rows, 1, n_out, y_stride});
    bool same = true;
    for (std::size_t row = 0; row < rows; ++row) {
      same &= std::memcmp(y.data() + row * y_stride, z.data() + row * y_stride, n_out * sizeof(float)) == 0;
    }
    if (!same) std::fprintf(stderr, "%s: %zu -> %zu, %zu rows\n", kernels.name, n_in, n_out, rows);
    CHECK(same);
  }
}

/// Where it is not faster, or would change a result, weights stay floats.
void choice(const Kernels& kernels) {
  const bool ever = std::string(kernels.name) != "generic";
  Random random(4);
  auto weights = bfloat16s(random.many(300 * 300));
  CHECK(kernels.dense_halves(weights.data(), 300, 300) == ever);
  CHECK(kernels.dense_size(300, 300, true) * 2 == kernels.dense_size(300, 300, false));
  CHECK(!kernels.dense_halves(weights.data(), 30, 300));
  CHECK(!kernels.dense_halves(weights.data(), 22500, 4));
  for (const std::size_t i : {std::size_t{0}, weights.size() / 2, weights.size() - 1}) {
    const float before = weights[i];
    weights[i] = 1.00390625F + 0.000030517578125F;  // 1 + 2^-8 + 2^-15
    CHECK(!kernels.dense_halves(weights.data(), 300, 300));
    weights[i] = before;
  }
}

/// In a network: all outputs but one are those of weights that a single one keeps from 16 bits.
void network(const Kernels& kernels) {
  Random random(5);
  constexpr std::size_t n_in = 301, n_out = 303;
  auto weights = bfloat16s(random.many(n_in * n_out, 0.1F));
  const auto bias = random.many(n_out);
  const auto model = [&] {
    const std::string layer = networks::dense(weights, bias, "\"rectified\"");
    return hepml::Model::parse(networks::chain(0, 0, n_in, {layer}, n_out), {true, kernels.name});
  };
  const auto narrow = model();
  weights.back() = 0.3F;
  const auto wide = model();
  hepml::Session one(narrow), other(wide);
  const auto x = random.many(n_in, 2.0F);
  for (hepml::Session* session : {&one, &other})
    std::copy(x.begin(), x.end(), session->input(std::size_t{0}).begin());
  CHECK(std::memcmp(one.run().begin(), other.run().begin(), (n_out - 1) * sizeof(float)) == 0);
}

}  // namespace

int main() {
  for (const Kernels* kernels : hepml::kernels::available()) {
    for (const std::size_t n_in : {1, 2, 3, 4, 5, 6, 7, 9, 15, 63, 64, 65, 66, 127, 131, 202}) {
      for (const std::size_t n_out :
           {5, 8, 16, 17, 33, 49, 65, 77, 81, 97, 113, 129, 145, 161, 177, 193, 210})
        compare(*kernels, n_in, n_out, n_out % 2 == 0);
    }
    choice(*kernels);
    network(*kernels);
  }
  return check::failures == 0 ? 0 : 1;
}
