// compare LIBONNXRUNTIME NETWORK.json NETWORK.onnx EVENTS ROUNDS: time of one event on one thread, hepml's
// and ONNX Runtime's C API in turn. EVENTS is float32: the inputs of each event, one behind the other. Both
// copy the event into their own buffers within the time. Prints one line of JSON.

#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include <hepml/hepml.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr double long_us = 100.0;  // from here on the thread's processor time counts, not the wall clock

double now_us(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

/// ONNX Runtime on the shapes of a model's inputs, with inputs and outputs that are kept.
class Peer {
 public:
  Peer(const char* library, const char* path, const hepml::Model& model) : model_(model) {
    void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(dlerror());
    using GetBase = const OrtApiBase* (*)();
    const auto base = reinterpret_cast<GetBase>(dlsym(handle, "OrtGetApiBase"))();
    version = base->GetVersionString();
    api_ = base->GetApi(ORT_API_VERSION);
    OrtEnv* environment = nullptr;
    OrtSessionOptions* options = nullptr;
    OrtMemoryInfo* memory = nullptr;
    need(api_->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "compare", &environment));
    need(api_->CreateSessionOptions(&options));
    need(api_->SetIntraOpNumThreads(options, 1));
    need(api_->SetInterOpNumThreads(options, 1));
    need(api_->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
    need(api_->CreateSession(environment, path, options, &session_));
    need(api_->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
    const auto value = [&](std::vector<float>& data, const std::vector<std::int64_t>& shape) {
      OrtValue* made = nullptr;
      need(api_->CreateTensorWithDataAsOrtValue(memory, data.data(), data.size() * sizeof(float),
                                                shape.data(), shape.size(),
                                                ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &made));
      return made;
    };
    buffers_.resize(model.inputs().size());
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const hepml::Input& input = model.inputs()[i];
      buffers_[i].resize(input.size);
      std::vector<std::int64_t> shape{1};
      if (input.shape.size() == 3)
        shape.push_back(static_cast<std::int64_t>(input.shape[2]));  // channels first
      for (std::size_t axis = 0; axis < std::min<std::size_t>(2, input.shape.size()); ++axis)
        shape.push_back(static_cast<std::int64_t>(input.shape[axis]));
      values_.push_back(value(buffers_[i], shape));
      names_.push_back(input.name.c_str());
    }
    result_.resize(model.outputs()[0].size);
    output_ = value(result_, {1, static_cast<std::int64_t>(result_.size())});
  }

  const float* run(const float* event) {
    for (auto& buffer : buffers_) {
      std::memcpy(buffer.data(), event, buffer.size() * sizeof(float));
      event += buffer.size();
    }
    const char* name = "output";
    need(api_->Run(session_, nullptr, names_.data(), values_.data(), values_.size(), &name, 1, &output_));
    return result_.data();
  }

  std::string version;

 private:
  void need(OrtStatus* status) const {
    if (status != nullptr) throw std::runtime_error(api_->GetErrorMessage(status));
  }
  const hepml::Model& model_;
  const OrtApi* api_ = nullptr;
  OrtSession* session_ = nullptr;
  std::vector<std::vector<float>> buffers_;
  std::vector<OrtValue*> values_;
  std::vector<const char*> names_;
  std::vector<float> result_;
  OrtValue* output_ = nullptr;
};

const float* run(hepml::Session& session, const hepml::Model& model, const float* event) {
  for (std::size_t i = 0; i < model.inputs().size(); ++i) {
    const auto input = session.input(i);
    std::memcpy(input.begin(), event, input.size() * sizeof(float));
    event += input.size();
  }
  return session.run().begin();
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

int compare(char** argv) {
  const auto model = hepml::Model::load(argv[2]);
  hepml::Session session(model);
  Peer peer(argv[1], argv[3], model);
  std::size_t size = 0;
  for (const auto& input : model.inputs()) size += input.size;
  std::ifstream file(argv[4], std::ios::binary | std::ios::ate);
  std::vector<float> events(static_cast<std::size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(events.data()),
            static_cast<std::streamsize>(events.size() * sizeof(float)));
  const std::size_t n_events = events.size() / size;
  if (!file || n_events == 0) throw std::runtime_error("no events");
  const std::size_t rounds = std::strtoul(argv[5], nullptr, 10);

  double difference = 0.0;
  double before = now_us(CLOCK_MONOTONIC);
  for (std::size_t i = 0; i < n_events; ++i) {
    const float* ours = run(session, model, events.data() + i * size);
    const float* theirs = peer.run(events.data() + i * size);
    for (std::size_t k = 0; k < model.outputs()[0].size; ++k)
      difference =
          std::max(difference, std::abs(static_cast<double>(ours[k]) - static_cast<double>(theirs[k])));
  }
  const double both = (now_us(CLOCK_MONOTONIC) - before) / static_cast<double>(n_events);
  const bool is_long = both > 2 * long_us;
  const clockid_t clock = is_long ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  const std::size_t in_a_row = is_long ? 2 : 32;  // calls of one after as many calls of the other
  std::vector<double> times[2];
  std::size_t at = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < 2; ++turn) {
      const std::size_t who = (round + turn) % 2;
      const std::size_t warm = is_long ? 1 : 4;
      for (std::size_t i = 0; i < warm + in_a_row; ++i) {
        const float* event = events.data() + (at + i) % n_events * size;
        before = now_us(clock);
        if (who == 0) {
          run(session, model, event);
        } else {
          peer.run(event);
        }
        const double taken = now_us(clock) - before;
        if (i >= warm) times[who].push_back(taken);
      }
    }
    at += in_a_row;
  }
  std::printf("{\"cpu\": \"%s\", \"onnxruntime\": \"%s\", \"events\": %zu, \"clock\": \"%s\", ", model.cpu(),
              peer.version.c_str(), times[0].size(), is_long ? "thread" : "wall");
  const char* names[] = {"hepml", "peer"};
  for (std::size_t who = 0; who < 2; ++who) {
    std::printf("\"%s_us\": %.3f, \"%s_p99_us\": %.3f, ", names[who], quantile(times[who], 0.5), names[who],
                quantile(times[who], 0.99));
  }
  std::printf("\"ratio\": %.4f, \"difference\": %.3g}\n", quantile(times[0], 0.5) / quantile(times[1], 0.5),
              difference);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: compare LIBONNXRUNTIME NETWORK.json NETWORK.onnx EVENTS ROUNDS\n");
    return 2;
  }
  try {
    return compare(argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare: %s\n", error.what());
    return 1;
  }
}
