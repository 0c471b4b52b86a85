// Many events at once against the same events one by one: the same bits, for each instruction set.

#include <hepml/hepml.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

#include "batch.hpp"
#include "check.hpp"
#include "networks.hpp"

namespace {

using hepml::Batch;
using networks::Random;

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

bool same_bits(hepml::span<const float> a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::vector<float> copy(hepml::span<const float> values) {
  return {values.begin(), values.end()};
}

/// Batches of `sizes` events; `capacity` is what the network is expected to take at once.
void compare(const std::string& text, const std::vector<std::size_t>& sizes, std::size_t capacity,
             const std::string& what) {
  for (const std::string& set : hepml::cpus()) {
    const auto model = hepml::Model::parse(text, {true, set});
    hepml::Session session(model);
    Batch batch(model);
    CHECK(batch.capacity() == capacity);
    Random random(3);
    for (const std::size_t size : sizes) {
      batch.clear();
      std::vector<std::vector<float>> outputs, logits;
      for (std::size_t event = 0; event < size; ++event) {
        for (std::size_t i = 0; i < model.inputs().size(); ++i) {
          auto values = random.many(session.input(i).size(), 2.0F);
          if (event % 7 == 3) values[values.size() / 2] = nan_value;
          if (event % 5 == 2) std::fill(values.begin(), values.begin() + 1, 0.0F);
          std::copy(values.begin(), values.end(), session.input(i).begin());
          std::copy(values.begin(), values.end(), batch.session().input(i).begin());
        }
        session.run();
        outputs.push_back(copy(session.output(std::size_t{0})));
        logits.push_back(copy(session.logits()));
        batch.add();
        if (capacity != 1) continue;
        CHECK(same_bits(batch.output(0, 0), outputs.back()));
        batch.clear();
      }
      if (capacity == 1) continue;
      CHECK(batch.size() == size);
      batch.run();
      bool same = true;
      for (std::size_t event = 0; event < size; ++event)
        same &= batch.has_steps(event) && same_bits(batch.output(event, 0), outputs[event]) &&
                same_bits(batch.logits(event, 0), logits[event]);
      if (!same) std::fprintf(stderr, "%s, %s, %zu events\n", what.c_str(), set.c_str(), size);
      CHECK(same);
    }
  }
}

/// Narrow and wide, with one panel of outputs or several and every number of vectors in it.
void dense_layers() {
  Random random(1);
  for (const std::size_t n_in : {1, 7, 64, 65, 149}) {
    for (const std::size_t n_out : {1, 4, 5, 9, 17, 30, 35, 50, 70, 90, 110, 149, 200, 300}) {
      for (const char* act : {"\"linear\"", "\"rectified\""}) {
        const std::string layer =
            networks::dense(random.many(n_in * n_out, 0.2F), random.many(n_out, 0.5F), act);
        const std::string last = networks::dense(random.many(n_out * 5), random.many(5), "\"softmax\"");
        compare(networks::chain(0, 0, n_in, {layer, last}, 5), {1, 6, 48, 23}, Batch::most,
                std::to_string(n_in) + " -> " + std::to_string(n_out));
      }
    }
  }
}

/// Layers without rows of their own between those that have them.
void chains() {
  Random random(2);
  const std::string tanh = networks::dense(random.many(20 * 33, 0.3F), random.many(33), "\"tanh\"");
  const std::string norm = R"({"architecture":"normalization","weights":)" + networks::list(random.many(33)) +
                           R"(,"bias":)" + networks::list(random.many(33)) + "}";
  const std::string swish =
      networks::dense(random.many(33 * 18, 0.3F), {}, R"({"function":"swish","alpha":1.0})");
  const std::string sigmoid = networks::dense(random.many(18), {0.1F}, "\"sigmoid\"");
  compare(networks::chain(0, 0, 20, {tanh, norm, swish, sigmoid}, 1), {48, 5, 47}, Batch::most, "chain");
}

/// Convolutions are done event by event, what follows them at once.
void images() {
  compare(networks::tagger_network(), {13, 48}, Batch::most, "towers of convolutions");
}

/// Nothing to gain: an output that is an image, a layer without weights.
void one_by_one() {
  const std::string conv =
      R"({"architecture":"conv2d","kernel_size":[3,3],"filters":2,"strides":[1,1],"dilation_rate":[1,1],)"
      R"("padding":"same","weights":)" +
      networks::list(Random(4).many(18)) + R"(,"bias":[0,1],"activation":"rectified"})";
  compare(networks::chain(4, 5, 1, {conv}, 2), {9}, 1, "an image");
  const std::string norm = R"({"architecture":"normalization","weights":[2,3],"bias":[1,0]})";
  compare(networks::chain(0, 0, 2, {norm}, 2), {9}, 1, "a normalization");
}

/// A sequence with more steps than there is room for spoils its own event alone.
void sequences() {
  const std::string sum =
      R"({"inputs":[],"input_sequences":[{"name":"x","variables":)" + networks::variables("v", 3) +
      R"(}],"nodes":[{"type":"input_sequence","sources":[0],"size":3},{"type":"sum","sources":[0]},)"
      R"({"type":"feed_forward","sources":[1],"layer_index":0}],"layers":[)" +
      networks::dense(Random(5).many(3 * 40), {}, "\"rectified\"") + R"(],"outputs":{"y":{"labels":)" +
      networks::labels(40) + R"(,"node_index":2}}})";
  const auto model = hepml::Model::parse(sum, {});
  hepml::Session session(model, 4);
  Batch batch(model, 4);
  CHECK(batch.capacity() == Batch::most);
  Random random(6);
  const std::size_t steps[] = {2, 9, 0, 4, 1, 3, 4, 2};
  std::vector<std::vector<float>> expected;
  for (const std::size_t n : steps) {
    const auto values = random.many(3 * n);
    for (hepml::Session* one : {&session, &batch.session()}) {
      const auto to = one->sequence(std::size_t{0}, n);
      std::copy_n(values.begin(), to.size(), to.begin());
    }
    expected.push_back(copy(session.run()));
    batch.add();
  }
  batch.run();
  for (std::size_t event = 0; event < batch.size(); ++event) {
    CHECK(batch.has_steps(event) == (steps[event] <= 4));
    CHECK(same_bits(batch.output(event, 0), expected[event]));
  }
}

}  // namespace

int main() {
  dense_layers();
  chains();
  images();
  one_by_one();
  sequences();
  return check::failures == 0 ? 0 : 1;
}
