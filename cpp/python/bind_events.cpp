#include <nanobind/nanobind.h>

void bind_events(nanobind::module_&) {}
