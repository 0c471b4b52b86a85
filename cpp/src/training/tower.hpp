#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernels.hpp"

namespace hepml::training {

/// The convolutional tower of a network while it is trained: blocks of two rectified 3x3 convolutions
/// ("same") and a 2x2 pooling ("same"), on images of one channel that are zero nearly everywhere. Far from a
/// deposit, a layer gives what it gives for an empty image. Only the tiles where it does not are computed;
/// the rest is the empty image's, which the caller computes once. The result is that of the whole
/// convolutions up to rounding, and so are the gradients.
///
/// Events are divided among threads in a fixed way: the same bits at the same number of threads. One caller
/// at a time.
class Tower {
 public:
  /// Throws std::invalid_argument if one of the numbers is 0.
  Tower(std::size_t rows, std::size_t columns, std::size_t blocks, std::size_t filters, std::size_t threads);

  std::size_t layers() const noexcept { return layers_.size(); }
  std::size_t rows(std::size_t layer) const noexcept { return layers_[layer].rows; }
  std::size_t columns(std::size_t layer) const noexcept { return layers_[layer].columns; }
  std::size_t channels(std::size_t layer) const noexcept { return layers_[layer].n_in; }
  std::size_t filters() const noexcept { return filters_; }
  /// Numbers an event: rows * columns * filters after the last pooling.
  std::size_t size() const noexcept;

  std::size_t events() const noexcept { return n_events_; }

  /// Evaluates `n` images [n][rows][columns]. kernels[layer] is [3][3][in][out]; empty[layer],
  /// [rows][columns][out], are the sums (before the rectifier) that the layer gives for an empty image. What
  /// `backward` needs is kept.
  void forward(std::size_t n, const float* images, const std::vector<const float*>& kernels,
               const std::vector<const float*>& empty, float* output);

  /// Gradients of the last `forward`, from `output` [n][size()]: kernels[layer] and empty[layer] as above.
  void backward(const float* output, const std::vector<float*>& kernels, const std::vector<float*>& empty);

 private:
  struct Layer : kernels::TowerLayer {
    std::vector<float> weights_, transposed_, empty_, empty_out_;
  };
  struct Tiles {                             // of one layer in some events
    std::vector<std::size_t> first;          // of each event, and the end
    std::vector<std::uint32_t> tile, input;  // see TowerTiles
    std::vector<float> output, alive;        // one zero row more than outputs
  };
  struct Group {  // of events
    std::vector<float> images;
    std::vector<Tiles> layers;
  };
  struct Sums {  // of one thread
    std::vector<std::vector<float>> weights, empty, empty_out;
    std::vector<float> scratch, inside, outside;
  };

  void take(const std::vector<const float*>& kernels, const std::vector<const float*>& empty);
  void plan(Group& group, std::size_t n, const float* images) const;
  void forward(Group& group, std::size_t n, float* output, float* scratch) const;
  void backward(const Group& group, const float* output, Sums& sums) const;
  kernels::TowerTiles tiles(const Group& group, std::size_t layer) const;
  void finish(std::size_t layer, float* kernel, float* empty);
  std::size_t lanes() const noexcept;
  template <class Work>
  void share(const Work& work) const;

  const kernels::Kernels& kernels_;
  std::size_t filters_, n_threads_, n_events_ = 0;
  std::vector<Layer> layers_;
  std::vector<Group> groups_;
  std::vector<Sums> sums_;
};

}  // namespace hepml::training
