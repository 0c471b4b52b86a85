#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "ordering/disagreements.hpp"
#include "ordering/dominance.hpp"

namespace nb = nanobind;

namespace {

using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Labels = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Order = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using hepml::ordering::Disagreements;
using hepml::ordering::Events;

void check(std::size_t n, const Labels& label) {
  if (label.size() != n || n > UINT32_MAX) throw std::invalid_argument("arrays of different lengths");
  const std::uint8_t* labels = label.data();
  if (std::any_of(labels, labels + n, [](std::uint8_t one) { return one > 1; }))
    throw std::invalid_argument("labels are 0 or 1");
}

Events events_of(const Labels& label, const Doubles& weight,
                 std::initializer_list<const Doubles*> functions) {
  check(weight.size(), label);
  for (const Doubles* one : functions) {
    if (one->size() != weight.size()) throw std::invalid_argument("arrays of different lengths");
  }
  return {weight.size(), label.data(), weight.data()};
}

Out<double> given(const std::vector<double>& values) {
  auto out = array<double>({values.size()});
  std::copy(values.begin(), values.end(), out.data());
  return out;
}

Out<double> agreement(const Doubles& f, const Doubles& g, const Labels& label, const Doubles& weight) {
  const Events events = events_of(label, weight, {&f, &g});
  std::vector<double> found;
  {
    const nb::gil_scoped_release release;
    found = hepml::ordering::agreement(events, f.data(), g.data());
  }
  return given(found);
}

std::pair<Out<double>, Out<double>> within(const Doubles& f, const Doubles& g, const Doubles& h,
                                           const Labels& label, const Doubles& weight) {
  const Events events = events_of(label, weight, {&f, &g, &h});
  hepml::ordering::Within found;
  {
    const nb::gil_scoped_release release;
    found = hepml::ordering::agreement_within(events, f.data(), g.data(), h.data());
  }
  return {given(found.agreement), given(found.weight)};
}

}  // namespace

void bind_ordering(nb::module_& m) {
  m.def("ordering_agreement", &agreement, nb::arg("f"), nb::arg("g"), nb::arg("label"), nb::arg("weight"));
  m.def("ordering_within", &within, nb::arg("f"), nb::arg("g"), nb::arg("h"), nb::arg("label"),
        nb::arg("weight"));
  nb::class_<Disagreements>(m, "Disagreements", "Pairs that two functions order differently, a bit for each.")
      .def(
          "__init__",
          [](Disagreements* self, const Doubles& g, const Doubles& h, const Labels& label) {
            check(g.size(), label);
            if (h.size() != g.size()) throw std::invalid_argument("arrays of different lengths");
            const nb::gil_scoped_release release;
            new (self) Disagreements(g.size(), label.data(), g.data(), h.data());
          },
          nb::arg("g"), nb::arg("h"), nb::arg("label"))
      .def_prop_ro("size", &Disagreements::size)
      .def(
          "agreement",
          [](const Disagreements& self, const Doubles& f, const Order& order) {
            if (f.size() != self.events() || order.size() != f.size())
              throw std::invalid_argument("arrays of different lengths");
            const nb::gil_scoped_release release;
            return self.agreement(f.data(), order.data());
          },
          nb::arg("f"), nb::arg("order"));
}
