#include "training/tower.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "kernels/select.hpp"

namespace hepml::training {
namespace {

constexpr std::size_t group_size = 8;  // events that are worked on together

// the kernel's side of the transformation: G g G^T
constexpr float G[4][3] = {{1, 0, 0}, {0.5F, 0.5F, 0.5F}, {0.5F, -0.5F, 0.5F}, {0, 0, 1}};

std::size_t padded(std::size_t n, std::size_t width) {
  return (n + width - 1) / width * width;
}

/// The 3x3 neighbourhood of every true pixel is true.
void dilate(std::vector<std::uint8_t>& image, std::size_t rows, std::size_t columns) {
  std::vector<std::uint8_t> wide(image);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t i = r * columns + c;
      if (image[i] == 0) continue;
      if (c > 0) wide[i - 1] = 1;
      if (c + 1 < columns) wide[i + 1] = 1;
    }
  }
  image = wide;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t i = r * columns + c;
      if (wide[i] == 0) continue;
      if (r > 0) image[i - columns] = 1;
      if (r + 1 < rows) image[i + columns] = 1;
    }
  }
}

}  // namespace

Tower::Tower(std::size_t rows, std::size_t columns, std::size_t blocks, std::size_t filters,
             std::size_t threads)
    : kernels_(kernels::select()), filters_(filters), n_threads_(threads) {
  if (rows == 0 || columns == 0 || blocks == 0 || filters == 0 || threads == 0) {
    throw std::invalid_argument("a tower needs rows, columns, blocks, filters and threads");
  }
  const std::size_t width = kernels_.width;
  for (std::size_t number = 0; number < 2 * blocks; ++number) {
    Layer layer;
    layer.first = number == 0;
    layer.pooled = number % 2 == 1;
    layer.rows = rows;
    layer.columns = columns;
    layer.tile_rows = (rows + 1) / 2;
    layer.tile_columns = (columns + 1) / 2;
    layer.n_in = layer.first ? 1 : filters;
    layer.n_out = filters;
    layer.in_stride = layer.first ? 1 : padded(filters, width);
    layer.out_stride = padded(filters, width);
    const std::size_t n_tiles = layer.tile_rows * layer.tile_columns;
    layer.weights_.resize((layer.first ? 9 : 16 * layer.n_in) * layer.out_stride);
    layer.transposed_.resize(layer.first ? 0 : 16 * layer.n_out * layer.in_stride);
    layer.empty_.resize(4 * n_tiles * layer.out_stride);
    layer.empty_out_.resize((layer.pooled ? 1 : 4) * n_tiles * layer.out_stride);
    layers_.push_back(std::move(layer));
    if (number % 2 == 1) {
      rows = (rows + 1) / 2;
      columns = (columns + 1) / 2;
    }
  }
  for (Layer& layer : layers_) {
    layer.weights = layer.weights_.data();
    layer.transposed = layer.transposed_.data();
    layer.empty = layer.empty_.data();
    layer.empty_out = layer.empty_out_.data();
  }
}

std::size_t Tower::size() const noexcept {
  const Layer& last = layers_.back();
  return last.tile_rows * last.tile_columns * filters_;
}

/// Threads that get work.
std::size_t Tower::lanes() const noexcept {
  return std::min(n_threads_, std::max<std::size_t>(1, (n_events_ + group_size - 1) / group_size));
}

template <class Work>
void Tower::share(const Work& work) const {
  const std::size_t n = lanes();
  std::vector<std::exception_ptr> errors(n);
  const auto part = [&](std::size_t lane) noexcept {
    try {
      for (std::size_t group = lane; group * group_size < n_events_; group += n) work(lane, group);
    } catch (...) {
      errors[lane] = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  others.reserve(n);
  for (std::size_t lane = 1; lane < n; ++lane) {
    try {
      others.emplace_back(part, lane);
    } catch (const std::system_error&) {  // no more threads to be had: this one does the work
      part(lane);
    }
  }
  part(0);
  for (std::thread& other : others) other.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

void Tower::take(const std::vector<const float*>& kernels, const std::vector<const float*>& empty) {
  for (std::size_t number = 0; number < layers_.size(); ++number) {
    Layer& layer = layers_[number];
    const std::size_t n_in = layer.n_in, n_out = layer.n_out, stride = layer.out_stride;
    const float* kernel = kernels[number];
    if (layer.first) {
      for (std::size_t tap = 0; tap < 9; ++tap) {
        std::copy_n(kernel + tap * n_out, n_out, layer.weights_.data() + tap * stride);
      }
    } else {
      for (std::size_t i = 0; i < 16; ++i) {
        float* weights = layer.weights_.data() + i * n_in * stride;
        for (std::size_t in = 0; in < n_in; ++in) {
          float* row = weights + in * stride;
          std::fill_n(row, n_out, 0.0F);
          for (std::size_t tap = 0; tap < 9; ++tap) {
            const float factor = G[i / 4][tap / 3] * G[i % 4][tap % 3];
            if (factor == 0.0F) continue;
            const float* from = kernel + (tap * n_in + in) * n_out;
            for (std::size_t out = 0; out < n_out; ++out) row[out] += factor * from[out];
          }
        }
        float* turned = layer.transposed_.data() + i * n_out * layer.in_stride;
        for (std::size_t out = 0; out < n_out; ++out) {
          for (std::size_t in = 0; in < n_in; ++in)
            turned[out * layer.in_stride + in] = weights[in * stride + out];
        }
      }
    }
    for (std::size_t r = 0; r < layer.rows; ++r) {
      for (std::size_t c = 0; c < layer.columns; ++c) {
        std::copy_n(empty[number] + (r * layer.columns + c) * n_out, n_out,
                    layer.empty_.data() + (r * 2 * layer.tile_columns + c) * stride);
      }
    }
    if (!layer.pooled) {
      std::transform(layer.empty_.begin(), layer.empty_.end(), layer.empty_out_.begin(),
                     [](float x) { return x > 0.0F ? x : 0.0F; });
      continue;
    }
    const std::size_t row = 2 * layer.tile_columns * stride;
    for (std::size_t tile = 0; tile < layer.tile_rows * layer.tile_columns; ++tile) {
      const float* from =
          layer.empty_.data() + tile / layer.tile_columns * 2 * row + tile % layer.tile_columns * 2 * stride;
      for (std::size_t c = 0; c < n_out; ++c) {  // places outside the image hold 0
        layer.empty_out_[tile * stride + c] =
            std::max({0.0F, from[c], from[stride + c], from[row + c], from[row + stride + c]});
      }
    }
  }
}

void Tower::plan(Group& group, std::size_t n, const float* images) const {
  group.layers.resize(layers_.size());
  const std::size_t n_pixels = layers_[0].rows * layers_[0].columns;
  group.images.assign(images, images + n * n_pixels);
  group.images.push_back(0.0F);
  const auto empty_row = static_cast<std::uint32_t>(n * n_pixels);
  // the row of the table that holds a pixel
  std::vector<std::uint32_t> row_of(n * n_pixels);
  std::vector<std::uint8_t> active(n * n_pixels);
  for (std::size_t i = 0; i < n * n_pixels; ++i) {
    active[i] = images[i] != 0.0F ? 1 : 0;
    row_of[i] = active[i] != 0 ? static_cast<std::uint32_t>(i) : empty_row;
  }
  std::uint32_t none = empty_row;
  std::vector<std::uint8_t> image;
  for (std::size_t number = 0; number < layers_.size(); ++number) {
    const Layer& layer = layers_[number];
    Tiles& tiles = group.layers[number];
    const std::size_t rows = layer.rows, columns = layer.columns, tile_columns = layer.tile_columns;
    const std::size_t n_tiles = layer.tile_rows * tile_columns;
    tiles.first.clear();
    tiles.tile.clear();
    tiles.input.clear();
    for (std::size_t event = 0; event < n; ++event) {
      const auto begin = active.begin() + static_cast<std::ptrdiff_t>(event * rows * columns);
      image.assign(begin, begin + static_cast<std::ptrdiff_t>(rows * columns));
      dilate(image, rows, columns);
      std::copy(image.begin(), image.end(), begin);
      tiles.first.push_back(tiles.tile.size());
      const std::uint32_t* own = row_of.data() + event * rows * columns;
      for (std::size_t tile = 0; tile < n_tiles; ++tile) {
        const std::size_t r = 2 * (tile / tile_columns), c = 2 * (tile % tile_columns);
        const bool below = r + 1 < rows, right = c + 1 < columns;
        const std::size_t i = r * columns + c;
        if (image[i] == 0 && !(right && image[i + 1] != 0) && !(below && image[i + columns] != 0) &&
            !(below && right && image[i + columns + 1] != 0)) {
          continue;
        }
        tiles.tile.push_back(static_cast<std::uint32_t>(tile));
        for (std::size_t k = 0; k < 16; ++k) {
          const std::size_t row = r + k / 4, column = c + k % 4;  // one more than the pixel's
          const bool inside = row > 0 && row <= rows && column > 0 && column <= columns;
          tiles.input.push_back(inside ? own[(row - 1) * columns + column - 1] : none);
        }
      }
    }
    tiles.first.push_back(tiles.tile.size());
    const std::size_t total = tiles.tile.size(), stride = layer.out_stride;
    const std::size_t n_rows = (layer.pooled ? 1 : 4) * total;
    tiles.output.resize((n_rows + 1) * stride);
    std::fill(tiles.output.end() - static_cast<std::ptrdiff_t>(stride), tiles.output.end(), 0.0F);
    tiles.alive.resize(4 * total * stride);
    none = static_cast<std::uint32_t>(n_rows);
    if (layer.pooled) active.assign(n * n_tiles, 0);
    row_of.assign(n * (layer.pooled ? n_tiles : rows * columns), none);
    for (std::size_t event = 0; event < n; ++event) {
      for (std::size_t t = tiles.first[event]; t < tiles.first[event + 1]; ++t) {
        const std::size_t tile = tiles.tile[t];
        if (layer.pooled) {
          active[event * n_tiles + tile] = 1;
          row_of[event * n_tiles + tile] = static_cast<std::uint32_t>(t);
          continue;
        }
        for (std::size_t k = 0; k < 4; ++k) {
          const std::size_t r = 2 * (tile / tile_columns) + k / 2, c = 2 * (tile % tile_columns) + k % 2;
          if (r < rows && c < columns) {
            row_of[(event * rows + r) * columns + c] = static_cast<std::uint32_t>(4 * t + k);
          }
        }
      }
    }
  }
}

kernels::TowerTiles Tower::tiles(const Group& group, std::size_t layer) const {
  const Tiles& own = group.layers[layer];
  const std::vector<float>& table = layer == 0 ? group.images : group.layers[layer - 1].output;
  // a group's forward pass writes what its backward pass reads
  return {own.tile.size(),
          own.tile.data(),
          own.input.data(),
          table.data(),
          const_cast<float*>(own.output.data()),
          const_cast<float*>(own.alive.data())};
}

void Tower::forward(Group& group, std::size_t n, float* output, float* scratch) const {
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    kernels_.tower_forward(layers_[layer], tiles(group, layer), scratch);
  }
  const Layer& last = layers_.back();
  const Tiles& tiles = group.layers.back();
  const std::size_t n_tiles = last.tile_rows * last.tile_columns;
  for (std::size_t event = 0; event < n; ++event) {
    float* own = output + event * size();
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      std::copy_n(last.empty_out + tile * last.out_stride, filters_, own + tile * filters_);
    }
    for (std::size_t t = tiles.first[event]; t < tiles.first[event + 1]; ++t) {
      float* to = own + tiles.tile[t] * filters_;
      kernels_.add(tiles.output.data() + t * last.out_stride, to, filters_);
    }
  }
}

void Tower::forward(std::size_t n, const float* images, const std::vector<const float*>& kernels,
                    const std::vector<const float*>& empty, float* output) {
  take(kernels, empty);
  n_events_ = n;
  groups_.resize(std::max(groups_.size(), (n + group_size - 1) / group_size));
  std::size_t scratch = 0;
  for (const Layer& layer : layers_) scratch = std::max(scratch, kernels_.tower_scratch(layer));
  sums_.resize(std::max(sums_.size(), lanes()));
  for (Sums& sums : sums_) sums.scratch.resize(scratch);
  const std::size_t n_pixels = layers_[0].rows * layers_[0].columns;
  share([&](std::size_t lane, std::size_t number) {
    const std::size_t first = number * group_size, count = std::min(group_size, n - first);
    plan(groups_[number], count, images + first * n_pixels);
    forward(groups_[number], count, output + first * size(), sums_[lane].scratch.data());
  });
}

void Tower::backward(const Group& group, const float* output, Sums& sums) const {
  const Layer& last = layers_.back();
  const std::size_t n_tiles = last.tile_rows * last.tile_columns;
  const Tiles& tiles = group.layers.back();
  sums.outside.assign(tiles.tile.size() * last.out_stride, 0.0F);
  for (std::size_t event = 0; event + 1 < tiles.first.size(); ++event) {
    const float* own = output + event * size();
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      kernels_.add(own + tile * filters_, sums.empty_out.back().data() + tile * last.out_stride, filters_);
    }
    for (std::size_t t = tiles.first[event]; t < tiles.first[event + 1]; ++t) {
      std::copy_n(own + tiles.tile[t] * filters_, filters_, sums.outside.data() + t * last.out_stride);
    }
  }
  for (std::size_t layer = layers_.size(); layer-- > 0;) {
    sums.inside.assign(layer == 0 ? 0 : group.layers[layer - 1].output.size(), 0.0F);
    const kernels::TowerGradients gradients{sums.outside.data(), sums.inside.data(),
                                            sums.weights[layer].data(), sums.empty[layer].data(),
                                            sums.empty_out[layer].data()};
    kernels_.tower_backward(layers_[layer], this->tiles(group, layer), gradients, sums.scratch.data());
    sums.outside.swap(sums.inside);
  }
}

void Tower::backward(const float* output, const std::vector<float*>& kernels,
                     const std::vector<float*>& empty) {
  for (std::size_t lane = 0; lane < lanes(); ++lane) {
    Sums& sums = sums_[lane];
    for (auto* sum : {&sums.weights, &sums.empty, &sums.empty_out}) sum->resize(layers_.size());
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      sums.weights[layer].assign(layers_[layer].weights_.size(), 0.0F);
      sums.empty[layer].assign(layers_[layer].empty_.size(), 0.0F);
      sums.empty_out[layer].assign(layers_[layer].empty_out_.size(), 0.0F);
    }
  }
  share([&](std::size_t lane, std::size_t number) {
    backward(groups_[number], output + number * group_size * size(), sums_[lane]);
  });
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) finish(layer, kernels[layer], empty[layer]);
}

/// The lanes' sums in the caller's form.
void Tower::finish(std::size_t number, float* kernel, float* empty) {
  const Layer& layer = layers_[number];
  Sums& total = sums_[0];
  for (std::size_t lane = 1; lane < lanes(); ++lane) {
    const Sums& other = sums_[lane];
    kernels_.add(other.weights[number].data(), total.weights[number].data(), total.weights[number].size());
    kernels_.add(other.empty[number].data(), total.empty[number].data(), total.empty[number].size());
    kernels_.add(other.empty_out[number].data(), total.empty_out[number].data(),
                 total.empty_out[number].size());
  }
  const std::size_t n_in = layer.n_in, n_out = layer.n_out, stride = layer.out_stride;
  const float* weights = total.weights[number].data();
  std::fill_n(kernel, 9 * n_in * n_out, 0.0F);
  for (std::size_t tap = 0; tap < 9; ++tap) {
    for (std::size_t in = 0; in < n_in; ++in) {
      float* to = kernel + (tap * n_in + in) * n_out;
      if (layer.first) {
        std::copy_n(weights + tap * stride, n_out, to);
        continue;
      }
      for (std::size_t i = 0; i < 16; ++i) {
        const float factor = G[i / 4][tap / 3] * G[i % 4][tap % 3];
        if (factor == 0.0F) continue;
        const float* from = weights + (i * n_in + in) * stride;
        for (std::size_t out = 0; out < n_out; ++out) to[out] += factor * from[out];
      }
    }
  }
  for (std::size_t r = 0; r < layer.rows; ++r) {
    for (std::size_t c = 0; c < layer.columns; ++c) {
      const std::size_t site = r * 2 * layer.tile_columns + c;
      const std::size_t tile = r / 2 * layer.tile_columns + c / 2;
      for (std::size_t out = 0; out < n_out; ++out) {
        const float sum = layer.empty[site * stride + out];
        float gradient = total.empty[number][site * stride + out];
        if (!layer.pooled) {
          if (sum > 0.0F) gradient += total.empty_out[number][site * stride + out];
        } else {  // the first of equal sums takes the gradient, once
          float& rest = total.empty_out[number][tile * stride + out];
          if (sum > 0.0F && sum == layer.empty_out[tile * stride + out]) {
            gradient += rest;
            rest = 0.0F;
          }
        }
        empty[(r * layer.columns + c) * n_out + out] = gradient;
      }
    }
  }
}

}  // namespace hepml::training
