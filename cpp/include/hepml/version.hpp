#pragma once

namespace hepml {

/// The version of the library, the same as that of the Python package.
const char* version() noexcept;

}  // namespace hepml
