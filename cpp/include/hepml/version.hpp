#pragma once

#include <hepml/export.hpp>

namespace hepml {

/// The version of the library, the same as that of the Python package.
HEPML_API const char* version() noexcept;

}  // namespace hepml
