// Blocks of work shared among threads: each done once, whoever fails or is interrupted.

#include <hepml/hepml.hpp>

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>

#include "batch.hpp"
#include "check.hpp"
#include "networks.hpp"
#include "threads.hpp"

namespace {

using hepml::Batch;

/// In the place of the interpreter, which only one thread may ask.
struct Signals {
  std::thread::id caller = std::this_thread::get_id();
  int left = -1;  // checks before the interruption
  void check() {
    CHECK(std::this_thread::get_id() == caller);
    if (left-- == 0) throw std::runtime_error("interrupted");
  }
};

void every_block_once() {
  for (const std::size_t n : {0, 1, 2, 7, 1000}) {
    for (const std::size_t threads : {1, 2, 16, 200}) {
      std::vector<int> done(n, 0);
      Signals signals;
      share(n, threads, signals, [&](std::size_t block, const auto& go_on) {
        CHECK(go_on());
        ++done[block];
      });
      CHECK(done == std::vector<int>(n, 1));
    }
  }
}

/// What a block throws, or a signal, ends the others and arrives here.
void failures() {
  for (const std::size_t threads : {1, 3, 16}) {
    std::atomic<int> begun{0};
    Signals signals;
    std::string told;
    try {
      share(100000, threads, signals, [&](std::size_t block, const auto&) {
        ++begun;
        if (block == 50) throw std::runtime_error("block 50");
      });
    } catch (const std::runtime_error& error) {
      told = error.what();
    }
    CHECK(told == "block 50");
    CHECK(begun > 50);

    signals.left = 3;
    told.clear();
    std::atomic<int> ended{0};
    try {
      share(threads, threads, signals, [&](std::size_t, const auto& go_on) {
        while (go_on()) std::this_thread::yield();  // for ever
        ++ended;
      });
    } catch (const std::runtime_error& error) {
      told = error.what();
    }
    CHECK(told == "interrupted");
    CHECK(ended < static_cast<int>(threads) + 1);
  }
}

/// One model and a batch for each of 16 threads: the bits of one thread.
void batches() {
  networks::Random random(8);
  const std::string hidden = networks::dense(random.many(20 * 150, 0.3F), random.many(150), "\"tanh\"");
  const std::string last = networks::dense(random.many(150), {0.1F}, "\"sigmoid\"");
  const auto model = hepml::Model::parse(networks::chain(0, 0, 20, {hidden, last}, 1), {});
  constexpr std::size_t n = 40 * Batch::most + 7;
  const std::vector<float> x = random.many(n * 20, 2.0F);
  const auto scores = [&](std::size_t threads) {
    std::vector<float> y(n);
    Signals signals;
    share((n + Batch::most - 1) / Batch::most, threads, signals, [&](std::size_t block, const auto&) {
      Batch batch(model);
      const std::size_t first = block * Batch::most;
      for (std::size_t i = first; i < std::min(n, first + Batch::most); ++i) {
        std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(20 * i), 20,
                    batch.session().input(std::size_t{0}).begin());
        batch.add();
      }
      batch.run();
      for (std::size_t i = 0; i < batch.size(); ++i) y[first + i] = batch.output(i, 0)[0];
    });
    return y;
  };
  const std::vector<float> one = scores(1), many = scores(16);
  CHECK(std::memcmp(one.data(), many.data(), n * sizeof(float)) == 0);
}

}  // namespace

int main() {
  every_block_once();
  failures();
  batches();
  return check::failures == 0 ? 0 : 1;
}
