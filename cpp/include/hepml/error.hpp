#pragma once

#include <hepml/export.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace hepml {

/// What hepml throws: always at load or set-up, never while evaluating.
/// what() says what is wrong, where, what was expected, what was found (with the nearest names) and what to
/// do.
class HEPML_API Error : public std::runtime_error {
 public:
  enum class Code {
    file,          ///< the file cannot be opened or read
    syntax,        ///< not JSON: truncated, damaged, NaN literals, nested too deeply
    schema,        ///< JSON, but not a network: missing keys, wrong sizes, cycles
    unsupported,   ///< a layer, activation, option or format version that this build does not know
    verification,  ///< the stored reference vectors do not reproduce
    usage,         ///< a name or a size in a call that the model does not have
  };

  struct Parts {
    std::string problem;  ///< one line, naming the object
    std::string file{};   ///< path, empty if the text did not come from a file
    std::string where{};  ///< JSON path, e.g. layers[3].weights
    std::string expected{};
    std::string found{};
    std::vector<std::string> nearest{};  ///< close names, best first, if a name was wrong
    std::string fix{};
  };

  Error(Code code, Parts parts);

  Code code() const noexcept { return code_; }
  const std::string& problem() const noexcept { return parts_.problem; }
  const std::string& file() const noexcept { return parts_.file; }
  const std::string& where() const noexcept { return parts_.where; }
  const std::string& expected() const noexcept { return parts_.expected; }
  const std::string& found() const noexcept { return parts_.found; }
  const std::vector<std::string>& nearest() const noexcept { return parts_.nearest; }
  const std::string& fix() const noexcept { return parts_.fix; }
  const Parts& parts() const noexcept { return parts_; }

 private:
  Code code_;
  Parts parts_;
};

}  // namespace hepml
