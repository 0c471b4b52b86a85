#include <lwtnn/NanReplacer.hh>

#include <cmath>

namespace lwt {

NanReplacer::NanReplacer(const ValueMap& defaults, int flags)
    : defaults_(defaults), flags_(static_cast<unsigned>(flags)) {}

NanReplacer::ValueMap NanReplacer::replace(const ValueMap& in) const {
  ValueMap out = in;
  for (auto& [name, value] : out) {
    const unsigned kind = std::isnan(value)    ? rep::nan
                          : !std::isinf(value) ? 0U
                          : value > 0          ? rep::inf
                                               : rep::ninf;
    const auto known = defaults_.find(name);
    if ((flags_ & kind) != 0 && known != defaults_.end()) value = known->second;
  }
  return out;
}

}  // namespace lwt
