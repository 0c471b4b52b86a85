#pragma once

#include <hepml/error.hpp>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <system_error>

namespace apps {

/// A word of the command line that cannot be used: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// stdout is full or closed: exit code 4.
struct OutputError : std::system_error {
  OutputError() : std::system_error(errno, std::generic_category(), "cannot write to standard output") {}
};

/// Runs a program to its exit code; what it throws becomes one message on stderr.
template <class Program>
int guarded(const char* name, Program program) {
  const auto told = [name](const std::exception& error, int code) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return code;
  };
  try {
    const int code = program();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw OutputError();
    return code;
  } catch (const UsageError& error) {
    return told(error, 2);
  } catch (const OutputError& error) {
    return told(error, 4);
  } catch (const hepml::Error& error) {
    return told(error, error.code() == hepml::Error::Code::verification ? 3 : 1);
  } catch (const std::exception& error) {
    return told(error, 1);
  }
}

}  // namespace apps
