// tagger towers.bin rounds events net.json ...: what one event costs from towers to score, the networks in
// turn on each event. One line of JSON a network.

#include <hepml/hepml.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "events.hpp"

/// Processor time, which other processes do not lengthen.
static double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

int main(int argc, char** argv) {
  const Events events = Events::read(argv[1]);
  const int rounds = std::atoi(argv[2]);
  const std::size_t n = std::min(events.size(), static_cast<std::size_t>(std::atoi(argv[3])));
  std::vector<hepml::Tagger> taggers;
  for (int i = 4; i < argc; ++i) taggers.emplace_back(hepml::Model::load(argv[i]));
  std::vector<std::vector<double>> times(taggers.size());
  std::vector<double> sums(taggers.size());
  for (int round = -1; round < rounds; ++round) {  // the first one warms up
    for (std::size_t event = 0; event < n; ++event) {
      const Object& object = events.object(event);
      for (std::size_t k = 0; k < taggers.size(); ++k) {
        const double before = now();
        const float score = taggers[k](events.ecal(event), events.hcal(event), object.eta, object.phi);
        const double after = now();
        if (round < 0) continue;
        times[k].push_back(after - before);
        sums[k] += taggers[k].status() == hepml::Status::ok ? static_cast<double>(score) : 0;
      }
    }
  }
  for (std::size_t k = 0; k < taggers.size(); ++k) {
    auto& all = times[k];
    std::sort(all.begin(), all.end());
    const auto at = [&all](double q) {
      return all[static_cast<std::size_t>(q * static_cast<double>(all.size() - 1))];
    };
    std::printf(
        "{\"cpu\": \"%s\", \"events\": %zu, \"median_us\": %.3f, \"p90_us\": %.3f, \"p99_us\": %.3f, "
        "\"mean_score\": %.6g}\n",
        taggers[k].model().cpu(), all.size(), at(0.5), at(0.9), at(0.99),
        sums[k] / static_cast<double>(all.size()));
  }
  return 0;
}
