// What a file may ask for: sizes, counts and work are refused before memory or time is spent.

#include <hepml/hepml.hpp>

#include <string>
#include <tuple>
#include <vector>

#include "check.hpp"
#include "networks.hpp"

using hepml::Error;
using hepml::Model;
using hepml::Session;
using networks::of_layer;

namespace {

constexpr auto schema = Error::Code::schema;
constexpr auto unsupported = Error::Code::unsupported;
constexpr auto usage = Error::Code::usage;

void refused(const std::string& text, Error::Code code, const std::string& problem) {
  const Error error = ERROR_OF(Model::parse(text));
  CHECK(error.code() == code);
  if (check::contains(error.what(), problem)) return;
  check::that(false, ("not '" + problem + "': " + error.what()).c_str(), __FILE__, __LINE__);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  CHECK(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string distributed(const std::string& steps, const std::string& layer, std::size_t n_labels) {
  const std::string text =
      R"({"inputs":[],"input_sequences":[{"name":"s","steps":)" + steps + R"(,"variables":)" +
      networks::variables("v", 1) + R"(}],"nodes":[{"type":"input_sequence","sources":[0],"size":1},)" +
      R"({"type":"time_distributed","sources":[0],"layer_index":0}],"layers":[)" + layer +
      R"(],"outputs":{"y":{"labels":)" + networks::labels(n_labels) + R"(,"node_index":1}}})";
  return text;
}

/// The room of a step is that of a vector.
void a_step_gives_a_vector() {
  refused(distributed("2", R"({"architecture":"broadcast","shape":[1,100000000]})", 1), schema,
          "a layer that makes more than a vector of a step");
  refused(distributed("2", R"({"architecture":"reshape","shape":[1,1]})", 1), schema, "more than a vector");
  refused(distributed("2", R"({"architecture":"embedding","n_out":3,"weights":[1,2,3]})", 3), schema,
          "more than a vector");
}

void products_do_not_wrap() {
  const std::string conv = R"({"architecture":"conv2d","kernel_size":[4096,4096],"filters":65536,)"
                           R"("padding":"same","weights":[],"bias":[],"activation":"linear"})";
  refused(of_layer({{1, 1, 4194304}}, conv, 1), schema, "a tensor that is too large");
  refused(of_layer({{1, 1, 16384}},
                   R"({"architecture":"depthwiseconv2d","kernel_size":[256,256],"depth_multiplier":16384,)"
                   R"("padding":"same","weights":[],"bias":[],"activation":"linear"})",
                   1),
          schema, "too large");
}

void outputs_have_labels() {
  const std::string text = of_layer({{3, 2}}, R"({"architecture":"reverse"})", 2);
  refused(replaced(text, R"(["o0","o1"])", "[]"), schema, "labels and width of the output differ");
  refused(replaced(replaced(text, R"(["o0","o1"])", "[]"), R"("outputs":)",
                   R"("hepml":{"format_version":1,"reference":{"inputs":{"x0":[[1,2,3,4,5,6]]},)"
                   R"("outputs":{"y":[[1,2,3,4,5,6]]}}},"outputs":)"),
          schema, "labels and width of the output differ");
}

std::string conv1dtranspose(std::size_t filters) {
  networks::Random random(1);
  return R"({"architecture":"conv1dtranspose","kernel_size":[1],"strides":[4096],"padding":"valid","filters":)" +
         std::to_string(filters) + R"(,"weights":)" + networks::list(random.many(filters)) +
         R"(,"bias":[],"activation":"linear"})";
}

/// Small files that would ask for gigabytes.
void memory_is_bounded() {
  const auto padded = Model::parse(
      of_layer({{1, 1, 1}}, R"({"architecture":"zeropadding","padding":[[0,4000],[0,4000]]})", 1));
  CHECK(padded.session_bytes() < std::size_t{1} << 28);
  refused(of_layer({{1, 1, 1}}, R"({"architecture":"zeropadding","padding":[[0,100000],[0,100000]]})", 1),
          schema, "a tensor that is too large");
  refused(of_layer({{4096, 1024, 1}}, R"({"architecture":"upsampling","size":[4096,4096]})", 1), schema,
          "a tensor that is too large");
  refused(of_layer({{8192, 4096, 1}}, R"({"architecture":"flatten"})", 1), schema, "too many input values");
  const std::string softmax = R"({"architecture":"softmax","axes":[0],"activation":"softmax"})";
  refused(
      networks::chain(0, 0, 1, {R"({"architecture":"broadcast","shape":[67108864]})", softmax, softmax}, 1),
      schema, "a network that is too large");
  networks::Random random(2);
  refused(of_layer({{1, 1, 1024}},
                   R"({"architecture":"conv2d","kernel_size":[1,64],"dilation_rate":[1,4096],"filters":1,)"
                   R"("padding":"same","weights":)" +
                       networks::list(random.many(64 * 1024)) + R"(,"bias":[],"activation":"linear"})",
                   1),
          usage, "too much memory");
  const auto model = Model::parse(of_layer({{0, 1}}, conv1dtranspose(256), 256));
  CHECK(ERROR_OF(model.session_bytes()).code() == usage);
  CHECK(ERROR_OF(Session{model}).code() == usage);
  CHECK(model.session_bytes(1) > 4096 * 256 * sizeof(float));
  Session one(model, 1);
  one.sequence(0, 1)[0] = 1;
  CHECK(one.run().size() == 4096 * 256);
}

std::string repeated(const std::string& text, std::size_t n) {
  std::string all;
  for (std::size_t i = 0; i < n; ++i) all += (i == 0 ? "" : ",") + text;
  return all;
}

/// Small files that would take minutes for an event.
void work_is_bounded() {
  const char* problem = "a network with too much to do for an event";
  for (const char* pooling : {"maxpooling2d", "averagepooling2d"}) {
    refused(of_layer({{4096, 1024, 1}},
                     R"({"architecture":")" + std::string(pooling) +
                         R"(","pool_size":[128,128],"strides":[1,1],"padding":"same"})",
                     1),
            unsupported, problem);
  }
  const std::string attention = R"({"architecture":"attention","heads":1,"scale":1})";
  refused(of_layer({{65536, 1}, {65536, 1}, {65536, 1}}, attention, 1), unsupported, problem);
  refused(of_layer({{8192, 1000}, {1000, 8192}}, R"({"architecture":"matmul"})", 8192), unsupported, problem);
  // Each layer is fine, all of them together are not.
  const std::string product = of_layer({{1024, 64}, {64, 1024}}, R"({"architecture":"matmul"})", 1024);
  const auto many = [&product](std::size_t n) {
    std::string nodes, outputs;
    for (std::size_t i = 0; i < n; ++i) {
      nodes += R"(,{"type":"layer","sources":[0,1],"layer_index":0})";
      outputs += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"labels":)" + networks::labels(1024) +
                 R"(,"node_index":)" + std::to_string(i + 2) + "}";
    }
    std::string text = product;
    const auto node = text.find(R"(,{"type":"layer")");
    text.replace(node, text.find("]", text.find("layer_index")) - node, nodes);
    const auto output = text.find(R"("outputs":{)");
    return text.substr(0, output) + R"("outputs":{)" + outputs + "}}";
  };
  hepml::LoadOptions options;
  options.most_work = 0x1p28;
  CHECK(Model::parse(many(3), options).outputs().size() == 3);
  const Error error = ERROR_OF(Model::parse(many(4), options));
  CHECK(error.code() == unsupported);
  CHECK(check::contains(error.what(), problem));
  CHECK(check::contains(error.what(), "LoadOptions::most_work"));
}

/// The time to check a file is bounded too, whatever its reference events are.
void checking_is_bounded() {
  const auto with_reference = [](std::size_t steps) {
    const std::string layer = R"({"architecture":"attention","heads":1,"scale":1})";
    std::string text = of_layer({{0, 1}, {0, 1}, {0, 1}}, layer, 1);
    const std::string event = "[" + repeated("1", steps) + "]";
    return replaced(text, R"("outputs":)",
                    R"("hepml":{"format_version":1,"reference":{"inputs":{"x0":[)" + event + R"(],"x1":[)" +
                        event + R"(],"x2":[)" + event + R"(]},"outputs":{"y":[)" + event +
                        R"(]}}},"outputs":)");
  };
  CHECK(Model::parse(with_reference(100)).inputs().size() == 3);
  refused(with_reference(100000), unsupported, "a reference event with too much to do");
}

/// Counts of things that cost time each.
void counts_are_bounded() {
  std::string outputs = R"("outputs":{)";
  for (int i = 0; i < 5000; ++i)
    outputs += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"labels":["o"],"node_index":1})";
  const std::string text = of_layer({{3}}, R"({"architecture":"flatten"})", 1);
  refused(replaced(text, R"("outputs":{"y":{"labels":["o0"],"node_index":1}})", outputs + "}"), schema,
          "too many outputs");
  std::string nodes;
  for (int i = 0; i < 70000; ++i) nodes += R"({"type":"input","sources":[0],"size":3},)";
  refused(replaced(text, R"("nodes":[)", R"("nodes":[)" + nodes), schema, "too many nodes");
}

/// Steps that differ by event are the first axis of a sequence, nowhere else.
void only_sequences_have_their_own_steps() {
  refused(of_layer({{0, 3}}, R"({"architecture":"multiply","shape":[2,1,3],"weights":[1,2,3,4,5,6]})", 3),
          unsupported, "an image of 2 x any x 3");
  refused(of_layer({{0, 2}}, R"({"architecture":"embedding","n_out":1,"weights":[1,2]})", 1), unsupported,
          "any x 2 x 1");
}

void poolings_have_no_dilation_and_no_causal_padding() {
  for (const auto& [pooling, shape, ones, twos] :
       {std::tuple<const char*, std::vector<std::size_t>, const char*, const char*>{
            "maxpooling1d", {6, 2}, "[2]", "[2]"},
        {"averagepooling1d", {6, 2}, "[2]", "[2]"},
        {"averagepooling2d", {6, 6, 2}, "[2,2]", "[2,2]"},
        {"averagepooling3d", {6, 6, 6, 2}, "[2,2,2]", "[2,2,2]"}}) {
    const std::string layer = R"({"architecture":")" + std::string(pooling) + R"(","pool_size":)" + ones;
    CHECK(Model::parse(of_layer({shape}, layer + R"(,"padding":"same"})", 2)).inputs().size() == 1);
    refused(of_layer({shape}, layer + R"(,"padding":"causal"})", 2), unsupported,
            "not a padding of this layer");
    refused(of_layer({shape}, layer + R"(,"padding":"same","dilation_rate":)" + twos + "}", 2), unsupported,
            "a pooling has no dilation");
  }
  refused(of_layer({{6, 6, 2}},
                   R"({"architecture":"maxpooling2d","pool_size":[2,2],"padding":"same",)"
                   R"("dilation_rate":[2,2]})",
                   2),
          unsupported, "a pooling has no dilation");
  refused(of_layer({{6, 6, 2}}, R"({"architecture":"maxpooling2d","pool_size":[2,2],"padding":"causal"})", 2),
          unsupported, "not a padding of this layer");
}

/// Margins and repeats are strides, not tables: the values.
void margins_and_repeats() {
  const auto run = [](const std::string& layer) {
    const auto model = Model::parse(of_layer({{2, 2, 2}}, layer, 2));
    Session session(model);
    const auto x = session.input(0);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
    const auto y = session.run();
    return std::vector<float>(y.begin(), y.end());
  };
  using Values = std::vector<float>;
  CHECK(run(R"({"architecture":"zeropadding","padding":[[1,0],[0,1]]})") ==
        Values{0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0});
  CHECK(run(R"({"architecture":"cropping","cropping":[[1,0],[0,1]]})") == Values{5, 6});
  CHECK(run(R"({"architecture":"upsampling","size":[1,2]})") ==
        Values{1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6, 7, 8, 7, 8});
  CHECK(run(R"({"architecture":"upsampling","size":[2,1]})") ==
        Values{1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8});
}

/// A scale for each channel is kept for one row of the image, and meets every pixel.
void scale_of_channels() {
  std::string text = of_layer({{3, 2, 2}}, R"({"architecture":"flatten"})", 12);
  text = replaced(text, R"("variables":[])", R"("offset":[1,-1],"scale":[10,100],"variables":[])");
  Session session(Model::parse(text));
  const auto x = session.input(0);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const auto y = session.run();
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto value = static_cast<float>(i);
    CHECK(y[i] == (i % 2 == 0 ? (value + 1) * 10 : (value - 1) * 100));
  }
}

}  // namespace

int main() {
  a_step_gives_a_vector();
  products_do_not_wrap();
  outputs_have_labels();
  memory_is_bounded();
  work_is_bounded();
  checking_is_bounded();
  counts_are_bounded();
  only_sequences_have_their_own_steps();
  poolings_have_no_dilation_and_no_causal_padding();
  margins_and_repeats();
  scale_of_channels();
  return check::failures;
}
