// hepml-bench net.json [events]: latency of one event at a time on one thread, and what it costs in processor
// time.

#include <hepml/hepml.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <limits>
#include <string>
#include <system_error>
#include <vector>

#include "guarded.hpp"
#include "options.hpp"

namespace {

constexpr std::size_t n_steps = 16;  // of a sequence of any length

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// A reproducible positive number, mostly zero as a calorimeter cell would be.
float next(std::uint32_t& state) {
  state = state * 1664525U + 1013904223U;
  const float uniform = static_cast<float>(state >> 8) * 0x1p-24F;
  return uniform < 0.8F ? 0.0F : (uniform - 0.8F) * 10.0F;
}

constexpr std::size_t n_warm = 16;
/// Events that differ: many, that still lie in the cache near the processor.
std::size_t n_different(const hepml::Model& model) {
  std::size_t floats = 0;
  for (const auto& input : model.inputs())
    floats += (input.shape[0] == hepml::any_steps ? n_steps : 1) * input.size;
  return std::clamp<std::size_t>((std::size_t{1} << 16) / std::max<std::size_t>(floats, 1), n_warm, 4096);
}

constexpr std::size_t most_events = 1'000'000'000;  // whose latencies fit in memory

std::size_t count_of(const std::string& word) {
  std::size_t n = 0;
  const char* end = word.data() + word.size();
  const auto [stop, problem] = std::from_chars(word.data(), end, n);
  if (problem != std::errc{} || stop != end || n == 0 || n > most_events)
    throw apps::UsageError("the number of events is a whole number from 1 to " + std::to_string(most_events) +
                           ", not '" + word + "'");
  return n;
}

/// Multiplications and additions that wait for one another: they touch no memory and take no branch, so that
/// what differs from one time to the next is the machine.
float arithmetic(std::size_t n) {
  static volatile float start = 1;
  float x = start;
  for (std::size_t i = 0; i < n; ++i) x = x * 0.999F + 0.001F;
  return x;
}

/// How many of them take `seconds`.
std::size_t arithmetic_of(double seconds) {
  using clock = std::chrono::steady_clock;
  constexpr std::size_t many = 100'000;
  double fastest = 1;
  for (int turn = 0; turn < 20; ++turn) {
    const auto before = clock::now();
    [[maybe_unused]] volatile float sink = arithmetic(many);
    fastest = std::min(fastest, std::chrono::duration<double>(clock::now() - before).count());
  }
  return static_cast<std::size_t>(seconds / fastest * many) + 1;
}

/// With no number of events, as many as take about two seconds.
void run(const char* path, std::size_t n_events) {
  using clock = std::chrono::steady_clock;
  const auto start = clock::now();
  const auto model = hepml::Model::load(path);
  const double load_ms = std::chrono::duration<double, std::milli>(clock::now() - start).count();
  hepml::Session session(model);
  std::uint32_t state = 1;
  std::vector<std::vector<float>> events(n_different(model));
  for (auto& event : events) {
    for (const auto& input : model.inputs()) {
      const std::size_t steps = input.shape[0] == hepml::any_steps ? n_steps : 1;
      for (std::size_t i = 0; i < steps * input.size; ++i) event.push_back(next(state));
    }
  }
  std::size_t n_run = 0;
  const auto evaluate = [&](std::size_t event) {
    ++n_run;
    const float* values = events[event % events.size()].data();
    for (std::size_t i = 0; i < model.inputs().size(); ++i) {
      const bool sequence = model.inputs()[i].shape[0] == hepml::any_steps;
      const auto input = sequence ? session.sequence(i, n_steps) : session.input(i);
      std::copy_n(values, input.size(), input.begin());
      values += input.size();
    }
    return session.run()[0];
  };
  float sum = 0;
  for (std::size_t i = 0; i < n_warm; ++i) sum += evaluate(i);
  if (n_events == 0) {
    const auto before = clock::now();
    for (std::size_t i = 0; i < n_warm; ++i) sum += evaluate(i);
    const double seconds = std::chrono::duration<double>(clock::now() - before).count();
    n_events = static_cast<std::size_t>(std::clamp(2.0 * n_warm / seconds, 100.0, 1e6));
  }
  std::vector<double> latency(n_events);
  const double cpu_start = processor_seconds();
  for (std::size_t i = 0; i < n_events; ++i) {
    const auto before = clock::now();
    sum += evaluate(i);
    latency[i] = std::chrono::duration<double, std::micro>(clock::now() - before).count();
  }
  const double cpu = (processor_seconds() - cpu_start) / static_cast<double>(n_events) * 1e6;
  const auto quantile = [](const std::vector<double>& sorted, double q) {
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
  };
  std::sort(latency.begin(), latency.end());
  // Again by the processor time of each event, which is free of other processes, in turn with arithmetic of
  // the same length: interrupts and a hypervisor lengthen both alike.
  const std::size_t n_operations = arithmetic_of(quantile(latency, 0.5) * 1e-6);
  std::vector<double> busy(n_events), idle(n_events);
  std::vector<double> own(std::min(events.size(), n_events), std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < n_events; ++i) {
    const double before = processor_seconds();
    sum += evaluate(i);
    const double between = processor_seconds();
    [[maybe_unused]] volatile float sink = arithmetic(n_operations);
    busy[i] = (between - before) * 1e6;
    own[i % events.size()] = std::min(own[i % events.size()], busy[i]);
    idle[i] = (processor_seconds() - between) * 1e6;
  }
  std::sort(busy.begin(), busy.end());
  std::sort(idle.begin(), idle.end());
  std::sort(own.begin(), own.end());
  std::printf(
      "{\"cpu\": \"%s\", \"parameters\": %zu, \"session_bytes\": %zu, \"load_ms\": %.2f, \"events\": %zu, ",
      model.cpu(), model.n_parameters(), model.session_bytes(), load_ms, n_events);
  std::printf(
      "\"median_us\": %.3f, \"p10_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"cpu_us\": %.3f, ",
      quantile(latency, 0.5), quantile(latency, 0.1), quantile(latency, 0.99), quantile(latency, 0.999), cpu);
  std::printf("\"cpu_median_us\": %.3f, \"cpu_p999_us\": %.3f, ", quantile(busy, 0.5), quantile(busy, 0.999));
  std::printf("\"arithmetic_median_us\": %.3f, \"arithmetic_p999_us\": %.3f, ", quantile(idle, 0.5),
              quantile(idle, 0.999));
  std::printf("\"different_events\": %zu, \"own_median_us\": %.3f, \"own_p999_us\": %.3f, ", own.size(),
              quantile(own, 0.5), quantile(own, 0.999));
  std::printf("\"mean_score\": %.6g}\n", static_cast<double>(sum) / static_cast<double>(n_run));
}

constexpr const char* help = R"(usage: hepml-bench net.json [events]

Measures the latency of an exported network, one event at a time on one thread, for about six seconds or twice so many
events, on random inputs, four of five zero. Writes one line of JSON: the time to load the file, the bytes of a session,
and of an event the median, the quantiles 10 %, 99 % and 99.9 % of the time, the mean of the processor time, and from a
second round its median and its quantile 99.9 %, in microseconds; the same two of plain arithmetic that takes as long,
done in turn with the events: what its quantile 99.9 % is above its median is the machine's, not the network's. Up to
4096 different events take turns; the least time of each is its own, and own_median_us and own_p999_us are the median and
the quantile 99.9 % of those.

  -h, --help  this text
  --version   the version of hepml

HEPML_CPU=generic|avx2|avx512 chooses the instruction set. Exit codes: 0 done, 1 an error, 2 usage, 3 the network file
does not reproduce its reference vectors, 4 standard output cannot be written.
)";

}  // namespace

int main(int argc, char** argv) {
  return apps::guarded("hepml-bench", [&] {
    const int answer = apps::answered(argc, argv, "hepml-bench", help, 1, 2);
    if (answer >= 0) return answer;
    run(argv[1], argc == 3 ? count_of(argv[2]) : 0);
    return 0;
  });
}
