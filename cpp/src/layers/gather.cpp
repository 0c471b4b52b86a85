#include "layers/layer.hpp"

namespace hepml::layers {
namespace {

class Gather : public Operation {
 public:
  explicit Gather(std::vector<std::size_t> index) : Operation({index.size()}), index_(std::move(index)) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    for (std::size_t i = 0; i < index_.size(); ++i) output.data[i] = inputs->data[index_[i]];
  }
  Missing missing() const noexcept override { return Missing::passed; }

 private:
  std::vector<std::size_t> index_;
};

}  // namespace

// Some elements of a vector, in any order, as often as they are listed.
Made make_gather(const At& layer, const Shapes& inputs, const Kernels&) {
  const Shape& input = need_vector(layer, inputs);
  const At index = layer.member("index");
  auto places = index.counts(0, input[0] - 1);
  if (places.empty()) index.wrong("a gather layer of nothing", "at least one index", "none");
  elements({places.size()}, index);
  return {std::make_shared<Gather>(std::move(places)), {}};
}

}  // namespace hepml::layers
