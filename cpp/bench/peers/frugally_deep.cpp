// frugally-deep on what its converter made of a Keras model. Its tensors own their values, so each event has
// new ones.

#include <fdeep/fdeep.hpp>

#include "peer.hpp"

namespace {

class FrugallyDeep : public Peer {
 public:
  FrugallyDeep(const char* file, const std::vector<PeerInput>& inputs)
      : model_(fdeep::load_model(file, true, fdeep::dev_null_logger)), inputs_(inputs) {}

  const float* run(const float* event) override {
    fdeep::tensors tensors;
    for (const PeerInput& input : inputs_) {
      fdeep::float_vec values(event, event + input.size);
      tensors.emplace_back(shape_of(input.shape), std::move(values));
      event += input.size;
    }
    result_ = model_.predict(tensors).front().to_vector();
    return result_.data();
  }

 private:
  static fdeep::tensor_shape shape_of(const std::vector<std::size_t>& shape) {
    if (shape.size() == 1) return fdeep::tensor_shape(shape[0]);
    if (shape.size() == 2) return fdeep::tensor_shape(shape[0], shape[1]);
    return fdeep::tensor_shape(shape[0], shape[1], shape[2]);
  }
  fdeep::model model_;
  std::vector<PeerInput> inputs_;
  std::vector<float> result_;
};

}  // namespace

HEPML_PEER Peer* make_peer(const char* file, const std::vector<PeerInput>& inputs, std::size_t) {
  return new FrugallyDeep(file, inputs);
}
