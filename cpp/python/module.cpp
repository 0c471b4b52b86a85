#include <nanobind/nanobind.h>

#include <hepml/version.hpp>

void bind_efp(nanobind::module_& m);
void bind_events(nanobind::module_& m);
void bind_inference(nanobind::module_& m);
void bind_ordering(nanobind::module_& m);
void bind_training(nanobind::module_& m);

NB_MODULE(_core, m) {
  m.doc() = "hepml's C++: event kernels, energy-flow polynomials, inference, training and pairs";
  m.attr("__version__") = hepml::version();
  m.attr("__sources__") = HEPML_SOURCES;  // SHA-256 of the C++ sources
  bind_efp(m);
  bind_events(m);
  bind_inference(m);
  bind_ordering(m);
  bind_training(m);
}
