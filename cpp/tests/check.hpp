#pragma once

#include <clocale>
#include <cstdio>
#include <functional>
#include <locale>
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

/// 1.234,5 from now on: in every stream, and in C's functions where the German locale is installed.
inline void speak_german() {
  struct Numbers : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  std::locale::global(std::locale(std::locale::classic(), new Numbers));  // which the locale deletes
  std::setlocale(LC_ALL, "de_DE.UTF-8");
}

}  // namespace check

#define CHECK(...) check::that(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define ERROR_OF(...) check::error_of([&] { __VA_ARGS__; }, __FILE__, __LINE__)
