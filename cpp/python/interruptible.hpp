#pragma once

#include <nanobind/nanobind.h>

#include <chrono>

/// Releases the GIL for a long loop. Python runs a signal's handler only between two bytecodes of its own, so
/// the loop asks for it: otherwise Ctrl-C would wait for the last event.
class Interruptible {
 public:
  /// Once an event; takes the GIL every tenth of a second. Throws what a handler has raised.
  void check() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    const nanobind::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
  }

 private:
  nanobind::gil_scoped_release release_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};
