#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <hepml/efp.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "interruptible.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace {

using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Offsets = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Edges = std::vector<std::pair<std::uint8_t, std::uint8_t>>;

constexpr std::size_t block = 16;  // events that a thread takes at a time

/// (events, graphs, kappas, betas) of events whose constituents lie from offsets[event] on.
Out<double> compute(const hepml::Polynomials& polynomials, const Doubles& weight, const Doubles& eta,
                    const Doubles& phi, const Offsets& offsets, bool normed,
                    const std::vector<double>& kappas, const std::vector<double>& betas,
                    std::size_t threads) {
  if (eta.size() != weight.size() || phi.size() != weight.size() || offsets.size() == 0)
    throw std::invalid_argument("arrays of different lengths");
  const std::int64_t* starts = offsets.data();
  const std::size_t n = offsets.size() - 1;
  for (std::size_t k = 0; k < n; ++k) {
    if (starts[k] < 0 || starts[k + 1] < starts[k]) throw std::invalid_argument("offsets do not rise");
  }
  if (n != 0 && static_cast<std::size_t>(starts[n]) > weight.size())
    throw std::invalid_argument("offsets do not fit");
  const std::size_t size = polynomials.size() * kappas.size() * betas.size();
  auto values = array<double>({n, polynomials.size(), kappas.size(), betas.size()});
  double* out = values.data();
  Interruptible loop;
  share((n + block - 1) / block, threads, loop, [&](std::size_t number, const auto& go_on) {
    thread_local hepml::Polynomials::Memory memory;
    for (std::size_t k = number * block; k < n && k < (number + 1) * block && go_on(); ++k) {
      const auto from = static_cast<std::size_t>(starts[k]),
                 count = static_cast<std::size_t>(starts[k + 1]) - from;
      polynomials.compute({weight.data() + from, count}, {eta.data() + from, count},
                          {phi.data() + from, count}, normed, {kappas.data(), kappas.size()},
                          {betas.data(), betas.size()}, {out + k * size, size}, memory);
    }
  });
  return values;
}

}  // namespace

void bind_efp(nb::module_& m) {
  nb::class_<hepml::Polynomials>(m, "Polynomials", "Energy-flow polynomials of some graphs.")
      .def(
          "__init__",
          [](hepml::Polynomials* self, const std::vector<std::pair<std::size_t, Edges>>& graphs,
             const std::string& cpu) {
            std::vector<hepml::Polynomials::Graph> all;
            for (const auto& [vertices, edges] : graphs) all.push_back({vertices, edges});
            new (self) hepml::Polynomials(all, cpu);
          },
          nb::arg("graphs"), nb::arg("cpu") = "")
      .def_prop_ro("size", &hepml::Polynomials::size)
      .def("multiplications", &hepml::Polynomials::multiplications, nb::arg("constituents"))
      .def("compute", &compute, nb::arg("weight"), nb::arg("eta"), nb::arg("phi"), nb::arg("offsets"),
           nb::arg("normed"), nb::arg("kappas"), nb::arg("betas"), nb::arg("threads"));
}
