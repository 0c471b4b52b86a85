// ONNX Runtime through its C API, on one thread, with inputs and outputs that are kept. ONNXRUNTIME_LIBRARY
// is the path of libonnxruntime.so.

#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "peer.hpp"

namespace {

class OnnxRuntime : public Peer {
 public:
  OnnxRuntime(const char* file, const std::vector<PeerInput>& inputs, std::size_t n_out) {
    void* handle = dlopen(ONNXRUNTIME_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(dlerror());
    using GetBase = const OrtApiBase* (*)();
    const auto base = reinterpret_cast<GetBase>(dlsym(handle, "OrtGetApiBase"))();
    api_ = base->GetApi(ORT_API_VERSION);
    OrtEnv* environment = nullptr;
    OrtSessionOptions* options = nullptr;
    OrtMemoryInfo* memory = nullptr;
    need(api_->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "compare", &environment));
    need(api_->CreateSessionOptions(&options));
    need(api_->SetIntraOpNumThreads(options, 1));
    need(api_->SetInterOpNumThreads(options, 1));
    need(api_->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
    need(api_->CreateSession(environment, file, options, &session_));
    need(api_->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
    const auto value = [&](std::vector<float>& data, const std::vector<std::int64_t>& shape) {
      OrtValue* made = nullptr;
      need(api_->CreateTensorWithDataAsOrtValue(memory, data.data(), data.size() * sizeof(float),
                                                shape.data(), shape.size(),
                                                ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &made));
      return made;
    };
    buffers_.resize(inputs.size());
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const PeerInput& input = inputs[i];
      buffers_[i].resize(input.size);
      std::vector<std::int64_t> shape{1};
      if (input.shape.size() == 3)
        shape.push_back(static_cast<std::int64_t>(input.shape[2]));  // channels first
      for (std::size_t axis = 0; axis < std::min<std::size_t>(2, input.shape.size()); ++axis)
        shape.push_back(static_cast<std::int64_t>(input.shape[axis]));
      values_.push_back(value(buffers_[i], shape));
      names_.emplace_back(input.name);
    }
    for (const std::string& name : names_) pointers_.push_back(name.c_str());
    result_.resize(n_out);
    output_ = value(result_, {1, static_cast<std::int64_t>(n_out)});
  }

  const float* run(const float* event) override {
    for (auto& buffer : buffers_) {
      std::memcpy(buffer.data(), event, buffer.size() * sizeof(float));
      event += buffer.size();
    }
    const char* name = "output";
    need(api_->Run(session_, nullptr, pointers_.data(), values_.data(), values_.size(), &name, 1, &output_));
    return result_.data();
  }

 private:
  void need(OrtStatus* status) const {
    if (status != nullptr) throw std::runtime_error(api_->GetErrorMessage(status));
  }
  const OrtApi* api_ = nullptr;
  OrtSession* session_ = nullptr;
  std::vector<std::vector<float>> buffers_;
  std::vector<OrtValue*> values_;
  std::vector<std::string> names_;
  std::vector<const char*> pointers_;
  std::vector<float> result_;
  OrtValue* output_ = nullptr;
};

}  // namespace

HEPML_PEER Peer* make_peer(const char* file, const std::vector<PeerInput>& inputs, std::size_t n_out) {
  return new OnnxRuntime(file, inputs, n_out);
}
