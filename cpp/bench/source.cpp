// A generated header against the library, one event on one thread, in short blocks that take turns. The
// program is compiled for one network: NETWORK_HEADER is its header, NETWORK_CALL(network, x, y) runs it on
// an event.
//
//   program net.json events blocks
//
// `events` holds float32, all inputs of an event behind each other. Prints JSON: medians in microseconds, and
// the largest difference of the outputs.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <hepml/hepml.hpp>
#include <iterator>
#include <memory>
#include <vector>

#include NETWORK_HEADER

namespace {

/// Processor time of the thread: what another program takes does not count.
double now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

double quantile(std::vector<double> values, double q) {
  const auto place = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto model = hepml::Model::load(argv[1]);
  hepml::Session session(model);
  const auto network = std::make_unique<net::Network>();
  std::ifstream file(argv[2], std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto* values = reinterpret_cast<const float*>(bytes.data());
  std::size_t size = 0;
  for (const auto& input : model.inputs()) size += input.size;
  const std::size_t n_events = bytes.size() / sizeof(float) / size;
  const std::size_t n_outputs = model.outputs()[0].size;
  std::vector<float> left(n_outputs), right(n_outputs);

  const auto by_library = [&](const float* x, float* y) {
    for (std::size_t i = 0; i < model.inputs().size(); ++i) {
      const auto input = session.input(i);
      std::copy_n(x, input.size(), input.data());
      x += input.size();
    }
    const auto found = session.run();
    std::copy(found.begin(), found.end(), y);
  };
  const auto by_header = [&](const float* x, float* y) { NETWORK_CALL((*network), x, y); };

  double apart = 0, one = 0;
  for (std::size_t i = 0; i < n_events; ++i) {
    by_library(values + i * size, left.data());
    const auto start = now();
    by_header(values + i * size, right.data());
    one += (now() - start) / static_cast<double>(n_events);
    for (std::size_t k = 0; k < n_outputs; ++k)
      apart = std::max(apart, std::abs(static_cast<double>(left[k]) - static_cast<double>(right[k])));
  }
  // a block lasts some 100 microseconds, so that few of them are interrupted
  const auto repeats = static_cast<std::size_t>(std::clamp(100.0 / one, 1.0, 1000.0));
  std::vector<double> library, header, ratio;
  std::size_t at = 0;
  for (int block = 0; block < std::atoi(argv[3]); ++block) {
    double spent[2];
    for (int turn = 0; turn < 2; ++turn) {
      const bool first = (turn == 0) == (block % 2 == 0);
      const auto start = now();
      for (std::size_t i = 0; i < repeats; ++i) {
        const float* x = values + (at + i) % n_events * size;
        if (first) {
          by_library(x, left.data());
        } else {
          by_header(x, right.data());
        }
      }
      spent[first ? 0 : 1] = (now() - start) / static_cast<double>(repeats);
    }
    at += repeats;
    library.push_back(spent[0]);
    header.push_back(spent[1]);
    ratio.push_back(spent[1] / spent[0]);
  }
  std::printf(
      "{\"cpu\": \"%s\", \"events_in_block\": %zu, \"library_us\": %.3f, \"library_p10_us\": %.3f, "
      "\"source_us\": "
      "%.3f, \"source_p10_us\": %.3f, \"ratio\": %.3f, \"ratio_low\": %.3f, \"ratio_high\": %.3f, "
      "\"difference\": %.3g}\n",
      model.cpu(), repeats, quantile(library, 0.5), quantile(library, 0.1), quantile(header, 0.5),
      quantile(header, 0.1), quantile(ratio, 0.5), quantile(ratio, 0.25), quantile(ratio, 0.75), apart);
}
