#include <nanobind/nanobind.h>

void bind_inference(nanobind::module_&) {}
