#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

/// Latencies in logarithmic bins, 100 a decade from 10 ns to 100 s: fixed memory, quantiles to 1.2 %.
class Latencies {
 public:
  void add(double seconds) {
    const double place = 100 * (std::log10(seconds) + 8);
    ++bins_[place < 0 ? 0 : place >= n_bins ? n_bins - 1 : static_cast<std::size_t>(place)];
    ++n_;
  }
  void add(const Latencies& other) {
    for (std::size_t i = 0; i < n_bins; ++i) bins_[i] += other.bins_[i];
    n_ += other.n_;
  }
  /// In seconds; 0 without entries.
  double quantile(double q) const {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < n_bins; ++i) {
      seen += bins_[i];
      if (n_ > 0 && static_cast<double>(seen) >= q * static_cast<double>(n_))
        return std::pow(10.0, (static_cast<double>(i) + 0.5) / 100 - 8);
    }
    return 0;
  }

 private:
  static constexpr std::size_t n_bins = 1000;
  std::array<std::uint64_t, n_bins> bins_{};
  std::uint64_t n_ = 0;
};
