#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

/// Calls work(block, go_on) for each of n blocks, on up to so many threads, the caller's among them. Work
/// that takes long asks go_on() and returns where that is false. What a thread or a signal's handler throws
/// ends all of them and is thrown again. loop.check() is called by this thread alone, now and then.
template <class Loop, class Work>
void share(std::size_t n_blocks, std::size_t threads, Loop& loop, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> stopped{false};
  std::mutex mutex;
  std::condition_variable ended;
  std::exception_ptr error;
  std::size_t running = 0;
  const auto guarded = [&](const auto& f) noexcept {
    try {
      f();
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!error) error = std::current_exception();
      stopped = true;
    }
  };
  const auto take_blocks = [&](const auto& go_on) {
    for (std::size_t block = next++; block < n_blocks && !stopped; block = next++) work(block, go_on);
  };
  const auto other = [&]() noexcept {
    guarded([&] { take_blocks([&] { return !stopped; }); });
    const std::lock_guard<std::mutex> lock(mutex);
    --running;
    ended.notify_one();
  };
  std::vector<std::thread> others;
  others.reserve(threads);
  for (std::size_t i = 1; i < std::min(threads, n_blocks); ++i) {
    const std::lock_guard<std::mutex> lock(mutex);
    try {
      others.emplace_back(other);
      ++running;
    } catch (const std::exception&) {  // no more to be had: those that there are do the work
      break;
    }
  }
  guarded([&] {
    take_blocks([&] {
      loop.check();
      return !stopped;
    });
  });
  for (std::unique_lock<std::mutex> lock(mutex); running != 0;) {  // signals still reach this thread alone
    ended.wait_for(lock, std::chrono::milliseconds(100));
    lock.unlock();
    if (!stopped) guarded([&] { loop.check(); });
    lock.lock();
  }
  for (std::thread& thread : others) thread.join();
  if (error) std::rethrow_exception(error);
}
