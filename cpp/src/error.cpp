#include <hepml/error.hpp>

#include <utility>

namespace hepml {
namespace {

std::string message(const Error::Parts& parts) {
  std::string text = parts.problem;
  const auto line = [&text](const char* label, const std::string& value) {
    if (!value.empty()) text += std::string("\n  ") + label + value;
  };
  line("file:     ", parts.file);
  line("where:    ", parts.where);
  line("expected: ", parts.expected);
  line("found:    ", parts.found);
  std::string names;
  for (const auto& name : parts.nearest) names += (names.empty() ? "'" : ", '") + name + "'";
  line("nearest:  ", names);
  line("fix:      ", parts.fix);
  return text;
}

}  // namespace

Error::Error(Code code, Parts parts)
    : std::runtime_error(message(parts)), code_(code), parts_(std::move(parts)) {}

}  // namespace hepml
