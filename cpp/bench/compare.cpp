// compare NETWORK.json EVENTS ROUNDS [NAME LIBRARY FILE]...: time of one event on one thread, hepml's and
// that of each peer in turn. LIBRARY is one of peers/, or hepml for another network file, FILE the network
// in that peer's form. EVENTS is float32: the inputs of each event, one behind the other. All copy the event
// into their own buffers within the time. Prints one line of JSON.

#include <dlfcn.h>

#include <hepml/hepml.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "peers/peer.hpp"

namespace {

constexpr double long_us = 100.0;  // from here on the thread's processor time counts, not the wall clock

double now_us(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

struct Measured {
  std::string name;
  std::unique_ptr<Peer> peer;
  double difference = 0;
  std::vector<double> times{};
};

class Hepml : public Peer {
 public:
  explicit Hepml(const hepml::Model& model) : session_(model), n_(model.inputs().size()) {}
  const float* run(const float* event) override {
    for (std::size_t i = 0; i < n_; ++i) {
      const auto input = session_.input(i);
      std::memcpy(input.begin(), event, input.size() * sizeof(float));
      event += input.size();
    }
    return session_.run().begin();
  }

 private:
  hepml::Session session_;
  std::size_t n_;
};

std::unique_ptr<Peer> load(const char* library, const char* file, const hepml::Model& model) {
  if (std::strcmp(library, "hepml") == 0) return std::make_unique<Hepml>(hepml::Model::load(file));
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  std::vector<PeerInput> inputs;
  for (const auto& input : model.inputs()) inputs.push_back({input.name.c_str(), input.shape, input.size});
  const auto make = reinterpret_cast<MakePeer>(dlsym(handle, "make_peer"));
  return std::unique_ptr<Peer>(make(file, inputs, model.outputs()[0].size));
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

int compare(int argc, char** argv) {
  const auto model = hepml::Model::load(argv[1]);
  std::vector<Measured> all;  // hepml first
  all.push_back({"hepml", std::make_unique<Hepml>(model)});
  for (int i = 4; i + 2 < argc; i += 3) all.push_back({argv[i], load(argv[i + 1], argv[i + 2], model)});
  std::size_t size = 0;
  for (const auto& input : model.inputs()) size += input.size;
  std::ifstream file(argv[2], std::ios::binary | std::ios::ate);
  std::vector<float> events(static_cast<std::size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(events.data()),
            static_cast<std::streamsize>(events.size() * sizeof(float)));
  const std::size_t n_events = events.size() / size;
  if (!file || n_events == 0) throw std::runtime_error("no events");
  const std::size_t rounds = std::strtoul(argv[3], nullptr, 10);

  double before = now_us(CLOCK_MONOTONIC);
  for (std::size_t i = 0; i < n_events; ++i) {
    const float* event = events.data() + i * size;
    const float* ours = all[0].peer->run(event);
    for (Measured& one : all) {
      const float* theirs = one.peer->run(event);
      for (std::size_t k = 0; k < model.outputs()[0].size; ++k)
        one.difference =
            std::max(one.difference, std::abs(static_cast<double>(ours[k]) - static_cast<double>(theirs[k])));
    }
  }
  const double each = (now_us(CLOCK_MONOTONIC) - before) / static_cast<double>(n_events * all.size());
  const bool is_long = each > long_us;
  const clockid_t clock = is_long ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  const std::size_t in_a_row = is_long ? 2 : 32;  // calls of one after as many calls of the other
  const std::size_t warm = is_long ? 1 : 4;
  std::size_t at = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < all.size(); ++turn) {
      Measured& one = all[(round + turn) % all.size()];
      for (std::size_t i = 0; i < warm + in_a_row; ++i) {
        const float* event = events.data() + (at + i) % n_events * size;
        before = now_us(clock);
        one.peer->run(event);
        const double taken = now_us(clock) - before;
        if (i >= warm) one.times.push_back(taken);
      }
    }
    at += in_a_row;
  }
  const double ours = quantile(all[0].times, 0.5);
  std::printf("{\"cpu\": \"%s\", \"events\": %zu, \"clock\": \"%s\", ", model.cpu(), all[0].times.size(),
              is_long ? "thread" : "wall");
  std::printf("\"hepml_us\": %.3f, \"hepml_p99_us\": %.3f, \"peers\": {", ours, quantile(all[0].times, 0.99));
  for (std::size_t i = 1; i < all.size(); ++i) {
    const double median = quantile(all[i].times, 0.5);
    std::printf("%s\"%s\": {\"us\": %.3f, \"p99_us\": %.3f, \"ratio\": %.4f, \"difference\": %.3g}",
                i == 1 ? "" : ", ", all[i].name.c_str(), median, quantile(all[i].times, 0.99), ours / median,
                all[i].difference);
  }
  std::printf("}}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc % 3 != 1) {
    std::fprintf(stderr, "usage: compare NETWORK.json EVENTS ROUNDS [NAME LIBRARY FILE]...\n");
    return 2;
  }
  try {
    return compare(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare: %s\n", error.what());
    return 1;
  }
}
