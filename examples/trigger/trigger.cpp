// A trigger-like application: events from a bounded queue, one Model for all threads, a Tagger each, a
// decision at a stored working point, and an account of every deadline. Nothing is allocated while it runs.
//
//   trigger net.json [--towers towers.bin] [--events 1000000] [--threads 2] [--signal-efficiency 0.8]
//           [--rate HZ] [--deadline-us 1000] [--queue 1024] [--json]
//
// Without --rate the source waits for room in the queue, which measures throughput; with it events arrive on
// time, and one that finds the queue full is lost. Latency runs from arrival to decision.

#include <hepml/hepml.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "events.hpp"
#include "latency.hpp"

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> running{false};
std::atomic<std::uint64_t> allocations{0};

}  // namespace

__attribute__((noinline)) void* operator new(std::size_t n) {
  if (running.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* p) noexcept {
  std::free(p);
}
__attribute__((noinline)) void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace {

struct Options {
  std::string network, towers;
  std::size_t events = 1'000'000, threads = 2, queue = 1024;
  double signal_efficiency = 0.8, rate = 0, deadline = 1e-3;
  bool json = false;
};

struct Arrival {
  std::size_t event;
  Clock::time_point time;
};

/// A ring of fixed size between one source and several workers.
class Queue {
 public:
  explicit Queue(std::size_t size) : ring_(size) {}

  /// False if it is full and the source does not wait.
  bool push(const Arrival& arrival, bool wait) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (wait) room_.wait(lock, [this] { return n_ < ring_.size(); });
    if (n_ == ring_.size()) return false;
    ring_[(first_ + n_++) % ring_.size()] = arrival;
    lock.unlock();
    filled_.notify_one();
    return true;
  }
  /// False when the source has ended and the ring is empty.
  bool pop(Arrival& arrival) {
    std::unique_lock<std::mutex> lock(mutex_);
    filled_.wait(lock, [this] { return n_ > 0 || ended_; });
    if (n_ == 0) return false;
    arrival = ring_[first_];
    first_ = (first_ + 1) % ring_.size();
    --n_;
    lock.unlock();
    room_.notify_one();
    return true;
  }
  void end() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    filled_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable room_, filled_;
  std::vector<Arrival> ring_;
  std::size_t first_ = 0, n_ = 0;
  bool ended_ = false;
};

constexpr std::size_t n_bins = 20;  // of the score

/// What one thread has counted; read by the others only for progress, and after it has ended.
struct alignas(64) Counts {
  std::atomic<std::uint64_t> done{0}, accepted{0};
  std::uint64_t rejected = 0, no_candidate = 0, late = 0;
  std::uint64_t scores[n_bins] = {};
  Latencies latencies;
};

void work(hepml::Tagger& tagger, const Events& events, const Options& options, Queue& queue, Counts& counts) {
  for (Arrival arrival{}; queue.pop(arrival);) {
    const Object& object = events.object(arrival.event);
    const float score =
        tagger(events.ecal(arrival.event), events.hcal(arrival.event), object.eta, object.phi);
    if (tagger.status() != hepml::Status::ok) {
      ++counts.no_candidate;
    } else if (tagger.passes(options.signal_efficiency, object.pt, object.eta)) {
      counts.accepted.fetch_add(1, std::memory_order_relaxed);
    } else {
      ++counts.rejected;
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - arrival.time).count();
    counts.latencies.add(seconds);
    if (seconds > options.deadline) ++counts.late;
    if (score >= 0 && score <= 1)
      ++counts.scores[std::min(n_bins - 1, static_cast<std::size_t>(score * n_bins))];
    counts.done.fetch_add(1, std::memory_order_relaxed);
  }
}

/// Feeds the queue; gives the number of events that found it full.
std::uint64_t feed(const Events& events, const Options& options, Queue& queue) {
  std::uint64_t lost = 0;
  const auto start = Clock::now();
  for (std::size_t i = 0; i < options.events; ++i) {
    auto time = Clock::now();
    if (options.rate > 0) {
      const std::chrono::duration<double> due(static_cast<double>(i) / options.rate);
      time = start + std::chrono::duration_cast<Clock::duration>(due);
      std::this_thread::sleep_until(time);
    }
    if (!queue.push({i % events.size(), time}, options.rate <= 0)) ++lost;
  }
  queue.end();
  return lost;
}

void print(const Options& options, const std::vector<std::unique_ptr<Counts>>& counts, std::uint64_t lost,
           double seconds) {
  Counts sum;
  for (const auto& part : counts) {
    sum.done += part->done;
    sum.accepted += part->accepted;
    sum.rejected += part->rejected;
    sum.no_candidate += part->no_candidate;
    sum.late += part->late;
    for (std::size_t i = 0; i < n_bins; ++i) sum.scores[i] += part->scores[i];
    sum.latencies.add(part->latencies);
  }
  const auto us = [&sum](double q) { return 1e6 * sum.latencies.quantile(q); };
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  if (options.json) {
    std::printf(
        "{\"events\": %zu, \"threads\": %zu, \"seconds\": %.3f, \"accepted\": %llu, \"rejected\": %llu, ",
        options.events, options.threads, seconds, n(sum.accepted), n(sum.rejected));
    std::printf(
        "\"no_candidate\": %llu, \"lost\": %llu, \"late\": %llu, \"p50_us\": %.3g, \"p99_us\": %.3g, ",
        n(sum.no_candidate), n(lost), n(sum.late), us(0.5), us(0.99));
    std::printf("\"p999_us\": %.3g, \"allocations\": %llu}\n", us(0.999), n(allocations));
    return;
  }
  std::printf("%llu events in %.2f s on %zu threads: %.0f a second\n", n(sum.done), seconds, options.threads,
              static_cast<double>(sum.done) / seconds);
  std::printf("accepted %llu, rejected %llu, no candidate %llu, lost at a full queue %llu\n", n(sum.accepted),
              n(sum.rejected), n(sum.no_candidate), n(lost));
  std::printf("latency p50 %.3g us, p99 %.3g us, p99.9 %.3g us; %llu missed the deadline of %.3g us\n",
              us(0.5), us(0.99), us(0.999), n(sum.late), 1e6 * options.deadline);
  std::printf("allocations while running: %llu\n", n(allocations));
  std::uint64_t top = 1;
  for (const std::uint64_t value : sum.scores) top = std::max(top, value);
  for (std::size_t i = 0; i < n_bins; ++i) {
    const auto width = static_cast<int>(50 * sum.scores[i] / top);
    std::printf("score %.2f %10llu %.*s\n", static_cast<double>(i) / n_bins, n(sum.scores[i]), width,
                "##################################################");
  }
}

void run(const Options& options) {
  const auto model = hepml::Model::load(options.network);
  if (!model.geometry()) throw std::runtime_error(options.network + ": the network has no image geometry");
  const Events events =
      options.towers.empty() ? Events::generate(*model.geometry(), 10'000) : Events::read(options.towers);
  Queue queue(options.queue);
  std::vector<hepml::Tagger> taggers;
  std::vector<std::unique_ptr<Counts>> counts;
  for (std::size_t i = 0; i < options.threads; ++i) {
    taggers.emplace_back(model);
    counts.push_back(std::make_unique<Counts>());
  }
  taggers[0].passes(options.signal_efficiency, 0, 0);  // throws here if the file has no such working point
  std::vector<std::thread> workers;
  workers.reserve(options.threads);
  for (std::size_t i = 0; i < options.threads; ++i) {
    workers.emplace_back([&, i] { work(taggers[i], events, options, queue, *counts[i]); });
  }
  std::uint64_t lost = 0;
  std::atomic<bool> fed{false};
  std::thread source([&] {
    while (!running) std::this_thread::yield();
    lost = feed(events, options, queue);
    fed = true;
  });
  const auto start = Clock::now();
  running = true;
  for (auto next = start; !fed; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    if (Clock::now() < next) continue;
    next += std::chrono::seconds(1);
    std::uint64_t done = 0, accepted = 0;
    for (const auto& part : counts) {
      done += part->done;
      accepted += part->accepted;
    }
    std::fprintf(stderr, "\r%llu of %zu events, %llu accepted", static_cast<unsigned long long>(done),
                 options.events, static_cast<unsigned long long>(accepted));
  }
  source.join();
  for (auto& worker : workers) worker.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  running = false;
  std::fprintf(stderr, "\n");
  print(options, counts, lost, seconds);
}

Options parse(int argc, char** argv) {
  Options options;
  const auto usage = [](const std::string& problem) {
    std::fprintf(
        stderr,
        "trigger: %s\nusage: trigger net.json [--towers FILE] [--events N] [--threads N] [--queue N] "
        "[--signal-efficiency E] [--rate HZ] [--deadline-us T] [--json]\n",
        problem.c_str());
    std::exit(2);
  };
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto text = [&] {
      if (i + 1 == argc) usage(word + " needs a value");
      return std::string(argv[++i]);
    };
    const auto number = [&](double smallest) {
      const std::string value = text();
      char* end = nullptr;
      const double found = std::strtod(value.c_str(), &end);
      if (*end != '\0' || value.empty() || !(found >= smallest))
        usage(word + ": not a number that fits: " + value);
      return found;
    };
    if (word == "--towers") {
      options.towers = text();
    } else if (word == "--events") {
      options.events = static_cast<std::size_t>(number(1));
    } else if (word == "--threads") {
      options.threads = static_cast<std::size_t>(number(1));
    } else if (word == "--queue") {
      options.queue = static_cast<std::size_t>(number(1));
    } else if (word == "--signal-efficiency") {
      options.signal_efficiency = number(0);
    } else if (word == "--rate") {
      options.rate = number(0);
    } else if (word == "--deadline-us") {
      options.deadline = 1e-6 * number(0);
    } else if (word == "--json") {
      options.json = true;
    } else if (word[0] == '-' || !options.network.empty()) {
      usage("unknown option " + word);
    } else {
      options.network = word;
    }
  }
  if (options.network.empty()) usage("no network is given");
  return options;
}

}  // namespace

int main(int argc, char** argv) try { run(parse(argc, argv)); } catch (const std::exception& error) {
  std::fprintf(stderr, "trigger: %s\n", error.what());
  return 1;
}
