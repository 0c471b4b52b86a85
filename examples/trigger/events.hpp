#pragma once

// Where the example's events come from: a file written by towers.py, or random towers on the cells of the
// network.

#include <hepml/hepml.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

struct Object {
  double pt, eta, phi;
};

/// All events in a few arrays, so that reading one touches no allocator.
class Events {
 public:
  std::size_t size() const { return objects_.size(); }
  const Object& object(std::size_t i) const { return objects_[i]; }
  hepml::span<const hepml::Tower> ecal(std::size_t i) const { return part(ecal_, i); }
  hepml::span<const hepml::Tower> hcal(std::size_t i) const { return part(hcal_, i); }

  static Events read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.substr(0, 8) != "towers01") throw std::runtime_error(path + ": not written by towers.py");
    std::size_t at = 8;
    const auto take = [&](void* to, std::size_t n) {
      if (n > bytes.size() - at) throw std::runtime_error(path + ": the file ends too early");
      std::memcpy(to, bytes.data() + at, n);
      at += n;
    };
    std::int64_t n = 0;
    take(&n, sizeof n);
    if (n < 1 || static_cast<std::size_t>(n) > bytes.size()) throw std::runtime_error(path + ": no events");
    Events events;
    events.objects_.resize(static_cast<std::size_t>(n));
    take(events.objects_.data(), events.objects_.size() * sizeof(Object));
    for (Towers* towers : {&events.ecal_, &events.hcal_}) {
      std::vector<std::int64_t> starts(static_cast<std::size_t>(n) + 1);
      take(starts.data(), starts.size() * sizeof starts[0]);
      for (const std::int64_t start : starts) {
        const auto known = towers->starts.empty() ? 0 : towers->starts.back();
        if (start < 0 || static_cast<std::size_t>(start) < known ||
            static_cast<std::size_t>(start) > bytes.size())
          throw std::runtime_error(path + ": damaged offsets");
        towers->starts.push_back(static_cast<std::size_t>(start));
      }
      std::vector<double> values(4 * towers->starts.back());
      take(values.data(), values.size() * sizeof(double));
      for (std::size_t i = 0; i < values.size(); i += 4)
        towers->values.push_back({values[i], values[i + 1], values[i + 2], values[i + 3]});
    }
    return events;
  }

  /// Half of them a narrow deposit, half of them a wide one with hadrons.
  static Events generate(const hepml::Geometry& geometry, std::size_t n) {
    Events events;
    std::uint64_t state = 1;
    const auto uniform = [&state] {  // [0, 1)
      state = state * 6364136223846793005U + 1442695040888963407U;
      return static_cast<double>(state >> 40) * 0x1p-24;
    };
    const auto towers = [&](const hepml::Grid& grid, Towers& to, std::size_t count, double eta, double phi,
                            double width, double energy) {
      const double d_eta = (grid.eta_max - grid.eta_min) / grid.n_eta;
      const double d_phi = 2 * M_PI / grid.n_phi;
      for (std::size_t i = 0; i < count; ++i) {
        const double x = eta + width * (uniform() + uniform() - 1);
        const double y = std::remainder(phi + width * (uniform() + uniform() - 1), 2 * M_PI);
        const double cell_eta = grid.eta_min + (std::floor((x - grid.eta_min) / d_eta) + 0.5) * d_eta;
        const double cell_phi = -M_PI + (std::floor((y + M_PI) / d_phi) + 0.5) * d_phi;
        const double et = -energy * std::log(1 - uniform()) / static_cast<double>(count);
        to.values.push_back({et, cell_eta, cell_phi, et * std::cosh(cell_eta)});
      }
      to.starts.push_back(to.values.size());
    };
    for (Towers* part : {&events.ecal_, &events.hcal_}) part->starts.push_back(0);
    for (std::size_t i = 0; i < n; ++i) {
      const bool wide = uniform() < 0.5;
      const Object object{10 + 40 * uniform(), 3.0 * (uniform() - 0.5), 2 * M_PI * (uniform() - 0.5)};
      events.objects_.push_back(object);
      towers(geometry.ecal, events.ecal_, wide ? 40 : 13, object.eta, object.phi, wide ? 0.35 : 0.05,
             object.pt);
      towers(geometry.hcal, events.hcal_, wide ? 20 : 2, object.eta, object.phi, 0.35,
             wide ? object.pt : 0.5);
    }
    return events;
  }

 private:
  struct Towers {
    std::vector<std::size_t> starts;
    std::vector<hepml::Tower> values;
  };
  static hepml::span<const hepml::Tower> part(const Towers& towers, std::size_t i) {
    return {towers.values.data() + towers.starts[i], towers.starts[i + 1] - towers.starts[i]};
  }

  std::vector<Object> objects_;
  Towers ecal_, hcal_;
};
