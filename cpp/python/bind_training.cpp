#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "arrays.hpp"
#include "training/tower.hpp"

namespace nb = nanobind;

namespace {

/// One call at a time: a forward pass writes what its backward pass reads.
struct Tower : hepml::training::Tower {
  using hepml::training::Tower::Tower;
  std::mutex mutex;
};

template <class T>
using Numbers = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;

std::vector<std::size_t> kernel_shape(const Tower& tower, std::size_t layer) {
  return {3, 3, tower.channels(layer), tower.filters()};
}

std::vector<std::size_t> empty_shape(const Tower& tower, std::size_t layer) {
  return {tower.rows(layer), tower.columns(layer), tower.filters()};
}

template <class Shape>
std::vector<const float*> pointers(const Tower& tower, const std::vector<Floats>& arrays, Shape shape) {
  if (arrays.size() != tower.layers()) throw std::invalid_argument("one array a convolution is needed");
  std::vector<const float*> result;
  for (std::size_t layer = 0; layer < arrays.size(); ++layer) {
    std::size_t size = 1;
    for (const std::size_t dimension : shape(tower, layer)) size *= dimension;
    if (arrays[layer].size() != size) throw std::invalid_argument("an array does not fit its convolution");
    result.push_back(arrays[layer].data());
  }
  return result;
}

Out<float> forward(Tower& tower, const Floats& images, const std::vector<Floats>& kernels,
                   const std::vector<Floats>& empty) {
  const std::size_t n_pixels = tower.rows(0) * tower.columns(0);
  if (images.ndim() == 0 || images.size() != images.shape(0) * n_pixels) {
    throw std::invalid_argument("the images do not fit the tower");
  }
  const auto weights = pointers(tower, kernels, kernel_shape), sums = pointers(tower, empty, empty_shape);
  const std::size_t n = images.shape(0);
  auto output = array<float>({n, tower.size()});
  const nb::gil_scoped_release release;
  const std::lock_guard<std::mutex> lock(tower.mutex);
  tower.forward(n, images.data(), weights, sums, output.data());
  return output;
}

std::vector<Out<float>> backward(Tower& tower, const Floats& output) {
  if (output.ndim() == 0 || output.size() != tower.events() * tower.size()) {
    throw std::invalid_argument("the gradient does not fit the last forward pass");
  }
  std::vector<Out<float>> results;
  std::vector<float*> kernels, empty;
  for (std::size_t layer = 0; layer < tower.layers(); ++layer) {
    results.push_back(array<float>(kernel_shape(tower, layer)));
    kernels.push_back(results.back().data());
  }
  for (std::size_t layer = 0; layer < tower.layers(); ++layer) {
    results.push_back(array<float>(empty_shape(tower, layer)));
    empty.push_back(results.back().data());
  }
  const nb::gil_scoped_release release;
  const std::lock_guard<std::mutex> lock(tower.mutex);
  tower.backward(output.data(), kernels, empty);
  return results;
}

/// Some images of a list, made dense: each of side x side cells, a cell shown as expand x expand equal parts.
/// `offsets` says where the cells of each image begin, and where the last one ends.
Out<float> dense(const Numbers<std::int64_t>& offsets, const Numbers<std::uint16_t>& index,
                 const Floats& value, const Numbers<std::int64_t>& rows, std::size_t side,
                 std::size_t expand) {
  const std::size_t width = side * expand, cells = side * side;
  const auto n = static_cast<std::int64_t>(offsets.size()) - 1,
             entries = static_cast<std::int64_t>(index.size());
  if (index.size() != value.size()) throw std::invalid_argument("index and value have as many values");
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const std::int64_t row = rows.data()[k];
    if (row < 0 || row >= n) throw std::out_of_range("there is no such image");
    const std::int64_t* place = offsets.data() + row;
    if (place[0] < 0 || place[1] < place[0] || place[1] > entries)
      throw std::out_of_range("offsets do not fit");
  }
  auto images = array<float>({rows.size(), width, width, 1});
  const nb::gil_scoped_release release;
  const float parts = static_cast<float>(expand * expand);
  float* image = images.data();
  for (std::size_t k = 0; k < rows.size(); ++k, image += width * width) {
    std::fill(image, image + width * width, 0.0F);
    const std::int64_t* place = offsets.data() + rows.data()[k];
    for (std::int64_t i = place[0]; i < place[1]; ++i) {
      const std::size_t cell = index.data()[i];
      if (cell >= cells) throw std::out_of_range("a cell lies outside of its image");
      float* corner = image + cell / side * expand * width + cell % side * expand;
      for (std::size_t y = 0; y < expand; ++y, corner += width) {
        std::fill(corner, corner + expand, value.data()[i] / parts);
      }
    }
  }
  return images;
}

}  // namespace

void bind_training(nb::module_& m) {
  m.def("dense", &dense, nb::arg("offsets"), nb::arg("index"), nb::arg("value"), nb::arg("rows"),
        nb::arg("side"), nb::arg("expand"));
  nb::class_<Tower>(m, "Tower", "A convolutional tower trained where its images are not empty.")
      .def(nb::init<std::size_t, std::size_t, std::size_t, std::size_t, std::size_t>(), nb::arg("rows"),
           nb::arg("columns"), nb::arg("blocks"), nb::arg("filters"), nb::arg("threads"))
      .def_prop_ro("size", [](const Tower& tower) { return tower.size(); })
      .def("forward", &forward, nb::arg("images"), nb::arg("kernels"), nb::arg("empty"))
      .def("backward", &backward, nb::arg("output"));
}
