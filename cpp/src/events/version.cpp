#include <hepml/version.hpp>

namespace hepml {

const char* version() noexcept {
  return HEPML_VERSION;
}

}  // namespace hepml
