#include "layers/sparse.hpp"

#include <algorithm>
#include <cstring>

namespace hepml {

using layers::Reach;
using layers::View;

namespace {

constexpr std::size_t word_bits = 64;

std::size_t words(std::size_t n) noexcept {
  return (n + word_bits - 1) / word_bits;
}

/// The bits of word `word` of a row in which all of n pixels are set.
std::uint64_t all(std::size_t n, std::size_t word) noexcept {
  const std::size_t more = n - word * word_bits;
  return more >= word_bits ? ~std::uint64_t{0} : (std::uint64_t{1} << more) - 1;
}

/// 64 bits of a row of n words from bit `first` on, which may be before its start; zeros outside.
std::uint64_t bits_from(const std::uint64_t* row, std::ptrdiff_t n, std::ptrdiff_t first) noexcept {
  const auto shift = static_cast<std::size_t>(first) % word_bits;
  const std::ptrdiff_t word = (first - static_cast<std::ptrdiff_t>(shift)) / 64;
  std::uint64_t bits = word >= 0 && word < n ? row[word] >> shift : 0;
  if (shift != 0 && word >= -1 && word + 1 < n) bits |= row[word + 1] << (word_bits - shift);
  return bits;
}

/// Of the lowest bit that is set.
std::size_t column_of(std::uint64_t bits, std::size_t word) noexcept {
  return word * word_bits + static_cast<std::size_t>(__builtin_ctzll(bits));
}

/// Bit c of the result: is a bit set among the places that output place c depends on?
void reached(const std::vector<std::uint64_t>& row, const Reach& reach, std::size_t n_out,
             std::uint64_t* out) noexcept {
  const auto n = static_cast<std::ptrdiff_t>(row.size());
  // A bit for each place in which a window may begin, a word at a time.
  const auto begins = [&](std::size_t word) {
    const auto first =
        static_cast<std::ptrdiff_t>(word * word_bits) - static_cast<std::ptrdiff_t>(reach.before);
    const std::ptrdiff_t end = std::min(first + static_cast<std::ptrdiff_t>(reach.reach), n * 64);
    std::uint64_t bits = 0;
    for (std::ptrdiff_t at = std::max(first, std::ptrdiff_t{-63}); at < end; ++at)
      bits |= bits_from(row.data(), n, at);
    return bits;
  };
  if (reach.step == 1) {
    for (std::size_t word = 0; word < words(n_out); ++word) out[word] = begins(word) & all(n_out, word);
    return;
  }
  std::fill_n(out, words(n_out), 0);
  std::uint64_t bits = 0;
  for (std::size_t c = 0, at = 0, word = static_cast<std::size_t>(-1); c < n_out; ++c, at += reach.step) {
    if (at / word_bits != word) bits = begins(word = at / word_bits);
    out[c / word_bits] |= (bits >> at % word_bits & 1) << c % word_bits;
  }
}

}  // namespace

Sparse::Sparse(const Network& network, const Plan& plan, float* arena, const std::vector<View>& tensors)
    : kernels_(network.kernels), place_(network.tensors.size(), nothing) {
  std::size_t most = 0, widest = 0;
  for (std::size_t i = 0; i < network.tensors.size(); ++i) {
    if (!network.tensors[i].sparse) continue;
    const Plan::Place& at = plan.tensors[i];
    std::memcpy(arena + at.background, arena + at.whole, at.size * sizeof(float));
    Image image;
    image.view = image.background = tensors[i];
    image.background.data += at.background - at.whole;
    image.words = words(image.view.columns);
    image.active.assign(image.view.rows * image.words, 0);
    image.before = image.active;
    widest = std::max(widest, image.words);
    most = std::max(most, image.view.rows * image.view.columns);
    place_[i] = images_.size();
    images_.push_back(std::move(image));
  }
  pixels_.resize(most);
  row_.reserve(widest);
}

void Sparse::start(std::size_t tensor, const float* raw) noexcept {
  Image& image = images_[place_[tensor]];
  const std::size_t n = image.view.channels, columns = image.view.columns;
  image.full = true;
  std::uint64_t* active = image.active.data();
  for (std::size_t row = 0; row < image.view.rows; ++row) {
    for (std::size_t word = 0; word < image.words; ++word) {
      const std::size_t end = std::min(columns - word * word_bits, word_bits);
      std::uint64_t bits = n == 1 ? kernels_->filled(raw, end) : 0;
      for (std::size_t column = 0; n != 1 && column < end; ++column) {
        bool filled = false;
        for (std::size_t c = 0; c < n; ++c) filled |= raw[column * n + c] != 0.0F;
        bits |= static_cast<std::uint64_t>(filled) << column;
      }
      raw += end * n;
      *active++ = bits;
      image.full &= bits == all(columns, word);
    }
  }
}

/// The background again at the pixels of the event before that are not of this one.
void Sparse::restore(Image& image) noexcept {
  const std::size_t n = image.view.channels;
  std::size_t i = 0;
  for (std::size_t row = 0; row < image.view.rows; ++row) {
    for (std::size_t word = 0; word < image.words; ++word, ++i) {
      std::uint64_t bits = image.before[i] & ~image.active[i];
      for (; bits != 0; bits &= bits - 1) {
        const std::size_t column = column_of(bits, word);
        std::memcpy(image.view.data + row * image.view.row_stride + column * n,
                    image.background.data + row * image.background.row_stride + column * n,
                    n * sizeof(float));
      }
    }
  }
  image.before = image.active;
}

void Sparse::run(const layers::Operation& operation, std::size_t source, std::size_t target) noexcept {
  const Image& from = images_[place_[source]];
  Image& to = images_[place_[target]];
  if (from.full) {
    to.full = true;
    for (std::size_t i = 0; i < to.active.size(); ++i)
      to.before[i] = to.active[i] = all(to.view.columns, i % to.words);
    operation.run(&from.view, to.view, nullptr);
    return;
  }
  const Reach rows = operation.rows();
  const Reach columns = operation.columns();
  std::size_t n = 0;
  for (std::size_t row = 0; row < to.view.rows; ++row) {
    row_.assign(from.words, 0);
    std::uint64_t any = 0;
    const std::size_t end = std::min(row * rows.step + rows.reach, rows.before + from.view.rows);
    for (std::size_t r = std::max(row * rows.step, rows.before); r < end; ++r) {
      const std::uint64_t* bits = from.active.data() + (r - rows.before) * from.words;
      for (std::size_t word = 0; word < from.words; ++word) any |= row_[word] |= bits[word];
    }
    std::uint64_t* active = to.active.data() + row * to.words;
    if (any == 0) {
      std::fill_n(active, to.words, 0);
      continue;
    }
    reached(row_, columns, to.view.columns, active);
    for (std::size_t word = 0; word < to.words; ++word)
      n += static_cast<std::size_t>(__builtin_popcountll(active[word]));
  }
  const std::size_t pixels = to.view.rows * to.view.columns;
  to.full = n == pixels;
  if (static_cast<double>(n) > operation.dense_from() * static_cast<double>(pixels)) {
    operation.run(&from.view, to.view, nullptr);
    to.before = to.active;
    return;
  }
  restore(to);
  if (n == 0) return;
  const std::uint64_t* active = to.active.data();
  kernels::Pixel* pixel = pixels_.data();
  for (std::size_t row = 0; row < to.view.rows; ++row) {
    for (std::size_t word = 0; word < to.words; ++word) {
      for (std::uint64_t bits = *active++; bits != 0; bits &= bits - 1)
        *pixel++ = {static_cast<std::uint16_t>(row), static_cast<std::uint16_t>(column_of(bits, word))};
    }
  }
  operation.run_at(from.view, to.view, pixels_.data(), n);
}

}  // namespace hepml
