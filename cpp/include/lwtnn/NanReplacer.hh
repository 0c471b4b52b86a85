#pragma once

#include <map>
#include <string>

namespace lwt {

/// What NanReplacer replaces; combine with |.
namespace rep {
const unsigned nan = 1;
const unsigned inf = 2;
const unsigned ninf = 4;
const unsigned all = nan | inf | ninf;
}  // namespace rep

/// Puts defaults in place of values that are NaN or infinite; a value without a default stays.
class NanReplacer {
 public:
  typedef std::map<std::string, double> ValueMap;
  NanReplacer() = default;
  NanReplacer(const ValueMap& defaults, int flags = rep::nan);
  ValueMap replace(const ValueMap& in) const;

 private:
  ValueMap defaults_;
  unsigned flags_ = 0;
};

}  // namespace lwt
