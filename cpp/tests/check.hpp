#pragma once

#include <cstdio>
#include <functional>
#include <string>

#include <hepml/error.hpp>

// Checks that count: main() returns check::failures.
namespace check {

inline int failures = 0;

inline void that(bool holds, const char* what, const char* file, int line) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

/// The Error that f throws; a failure if it throws none.
inline hepml::Error error_of(const std::function<void()>& f, const char* file, int line) {
  try {
    f();
  } catch (const hepml::Error& error) {
    return error;
  }
  that(false, "no Error was thrown", file, line);
  return hepml::Error(hepml::Error::Code::usage, {"nothing"});
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace check

#define CHECK(...) check::that(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define ERROR_OF(...) check::error_of([&] { __VA_ARGS__; }, __FILE__, __LINE__)
