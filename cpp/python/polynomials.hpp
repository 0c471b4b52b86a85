#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <hepml/model.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>

#include "arrays.hpp"
#include "interruptible.hpp"
#include "model_maker.hpp"
#include "threads.hpp"

/// (events, columns) of the input `efp`, of ET images of both calorimeters; one that no column uses may be
/// empty.
inline Out<float> polynomials(
    const hepml::Model& model,
    const nanobind::ndarray<const float, nanobind::c_contig, nanobind::device::cpu>& ecal,
    const nanobind::ndarray<const float, nanobind::c_contig, nanobind::device::cpu>& hcal, std::size_t n,
    std::size_t threads) {
  namespace efp = hepml::efp;
  const hepml::Network& network = hepml::ModelMaker::network(model);
  if (network.polynomials == nullptr) throw std::invalid_argument("the file defines no polynomials");
  const efp::ImagePolynomials& all = *network.polynomials;
  const std::array<std::size_t, 2> given{ecal.size(), hcal.size()};
  std::array<std::size_t, 2> sizes{};
  for (const auto source : {efp::Source::ecal, efp::Source::hcal}) {
    const auto i = static_cast<std::size_t>(source);
    const std::size_t side = efp::side(*network.extension.geometry, source);
    sizes[i] = all.uses(source) ? side * side : 0;
    if (all.uses(source) && given[i] != n * side * side)
      throw std::invalid_argument("images of another size");
  }
  constexpr std::size_t block = 64;  // events that a thread takes at a time
  auto values = array<float>({n, all.size()});
  float* out = values.data();
  Interruptible loop;
  share((n + block - 1) / block, threads, loop, [&](std::size_t number, const auto& go_on) {
    efp::ImagePolynomials::Memory memory(all);
    for (std::size_t k = number * block; k < n && k < (number + 1) * block && go_on(); ++k) {
      const auto found =
          all.compute({ecal.data() + k * sizes[0], sizes[0]}, {hcal.data() + k * sizes[1], sizes[1]}, memory);
      std::transform(found.begin(), found.end(), out + k * all.size(), efp::rounded);
    }
  });
  return values;
}
