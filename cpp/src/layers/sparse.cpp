#include "layers/sparse.hpp"

#include <algorithm>
#include <cstring>

namespace hepml {

using layers::Reach;
using layers::View;

namespace {

constexpr double dense_from = 0.75;  // of the pixels: computing all of them is then as fast

std::uint64_t all(std::size_t n) noexcept {
  return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
}

/// Bit c of the result: is a bit set among the places that output place c depends on?
std::uint64_t reached(std::uint64_t bits, const Reach& reach, std::size_t n_out) noexcept {
  if (bits == 0) return 0;
  std::uint64_t out = 0;
  if (reach.step == 1) {
    for (std::size_t k = 0; k < reach.reach; ++k)
      out |= k >= reach.before ? bits >> std::min<std::size_t>(k - reach.before, 63)
                               : bits << std::min<std::size_t>(reach.before - k, 63);
    return out & all(n_out);
  }
  for (std::size_t c = 0; c < n_out; ++c) {
    const std::size_t end = c * reach.step + reach.reach;
    if (end <= reach.before) continue;
    const std::size_t first = c * reach.step > reach.before ? c * reach.step - reach.before : 0;
    const std::uint64_t window = all(end - reach.before) & ~all(first);
    if ((bits & window) != 0) out |= std::uint64_t{1} << c;
  }
  return out;
}

}  // namespace

Sparse::Sparse(const Network& network, const Plan& plan, float* arena, const std::vector<View>& tensors)
    : kernels_(network.kernels), place_(network.tensors.size(), nothing) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < network.tensors.size(); ++i) {
    if (!network.tensors[i].sparse) continue;
    const Plan::Place& at = plan.tensors[i];
    std::memcpy(arena + at.background, arena + at.whole, at.size * sizeof(float));
    Image image;
    image.view = image.background = tensors[i];
    image.background.data += at.background - at.whole;
    image.active.assign(image.view.rows, 0);
    image.before = image.active;
    most = std::max(most, image.view.rows * image.view.columns);
    place_[i] = images_.size();
    images_.push_back(std::move(image));
  }
  pixels_.resize(most);
}

void Sparse::start(std::size_t tensor, const float* raw) noexcept {
  Image& image = images_[place_[tensor]];
  const std::size_t n = image.view.channels;
  image.full = true;
  for (std::size_t row = 0; row < image.view.rows; ++row) {
    std::uint64_t bits = n == 1 ? kernels_->filled(raw, image.view.columns) : 0;
    for (std::size_t column = 0; n != 1 && column < image.view.columns; ++column) {
      bool filled = false;
      for (std::size_t c = 0; c < n; ++c) filled |= raw[column * n + c] != 0.0F;
      bits |= static_cast<std::uint64_t>(filled) << column;
    }
    raw += image.view.columns * n;
    image.active[row] = bits;
    image.full &= bits == all(image.view.columns);
  }
}

/// The background again at the pixels of the event before that are not of this one.
void Sparse::restore(Image& image) noexcept {
  const std::size_t n = image.view.channels;
  for (std::size_t row = 0; row < image.view.rows; ++row) {
    std::uint64_t bits = image.before[row] & ~image.active[row];
    for (; bits != 0; bits &= bits - 1) {
      const auto column = static_cast<std::size_t>(__builtin_ctzll(bits));
      std::memcpy(image.view.data + row * image.view.row_stride + column * n,
                  image.background.data + row * image.background.row_stride + column * n, n * sizeof(float));
    }
    image.before[row] = image.active[row];
  }
}

void Sparse::run(const layers::Operation& operation, std::size_t source, std::size_t target) noexcept {
  const Image& from = images_[place_[source]];
  Image& to = images_[place_[target]];
  to.full = from.full;
  if (from.full) {
    std::fill(to.active.begin(), to.active.end(), all(to.view.columns));
    to.before = to.active;
    operation.run(&from.view, to.view, nullptr);
    return;
  }
  const Reach rows = operation.rows();
  const Reach columns = operation.columns();
  std::size_t n = 0;
  for (std::size_t row = 0; row < to.view.rows; ++row) {
    std::uint64_t bits = 0;
    const std::size_t end = std::min(row * rows.step + rows.reach, rows.before + from.view.rows);
    for (std::size_t r = std::max(row * rows.step, rows.before); r < end; ++r)
      bits |= from.active[r - rows.before];
    bits = reached(bits, columns, to.view.columns);
    to.active[row] = bits;
    for (; bits != 0; bits &= bits - 1)
      pixels_[n++] = {static_cast<std::uint16_t>(row), static_cast<std::uint16_t>(__builtin_ctzll(bits))};
  }
  if (static_cast<double>(n) > dense_from * static_cast<double>(to.view.rows * to.view.columns)) {
    operation.run(&from.view, to.view, nullptr);
    to.before = to.active;
    return;
  }
  restore(to);
  if (n != 0) operation.run_at(from.view, to.view, pixels_.data(), n);
}

}  // namespace hepml
