// Loading and evaluating: names, logits, NaN, reference vectors, and every kind of malformed file.

#include <hepml/hepml.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>

#include "check.hpp"
#include "networks.hpp"

namespace {

using hepml::Error;
using hepml::Model;
using hepml::Session;

const std::string good =
    R"({"inputs":[{"name":"a","variables":[{"name":"x","offset":1,"scale":2},{"name":"y","offset":0,"scale":1}]}],)"
    R"("input_sequences":[],)"
    R"("nodes":[{"type":"input","sources":[0],"size":2},{"type":"feed_forward","sources":[0],"layer_index":0},)"
    R"({"type":"concatenate","sources":[1,0]},{"type":"add","sources":[2,2]},)"
    R"({"type":"feed_forward","sources":[3],"layer_index":1}],)"
    R"("layers":[{"architecture":"dense","weights":[1,1],"bias":[0.5],"activation":"rectified"},)"
    R"({"architecture":"dense","weights":[1,0,0],"bias":[],"activation":"sigmoid"}],)"
    R"("outputs":{"out":{"labels":["signal"],"node_index":4}},)"
    R"("hepml":{"format_version":1,"model_id":"id","geometry":null,"convention":null,"thresholds":[],)"
    R"("reference":{"inputs":{"a":[[1,1],[-9,0]]},"outputs":{"out":[[0.9999832988],[0.5]]},"tolerance":1e-6}}})";

std::string with(const std::string& from, const std::string& to) {
  std::string text = good;
  const auto at = text.find(from);
  CHECK(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

void evaluation() {
  const auto model = Model::parse(good);
  CHECK(model.model_id() == "id");
  CHECK(model.n_parameters() == 6);
  CHECK(model.inputs()[0].variables[0].offset == 1);
  CHECK(check::contains(model.metadata(), "format_version"));
  CHECK(!check::contains(model.metadata(), "tolerance"));
  Session session(model);
  const auto x = session.input("a");
  CHECK(x.size() == 2);
  x[0] = 1;
  x[1] = 1;
  // a: (1 + 1) * 2, 1; dense: 5.5; concatenated and doubled: 11, 8, 2; logit 11
  CHECK(std::abs(session.run()[0] - 0.9999833F) < 1e-7F);
  CHECK(session.logits()[0] == 11);
  CHECK(session.logits("out")[0] == 11);
  CHECK(session.status() == hepml::Status::ok);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    x[1] = bad;
    CHECK(std::isnan(session.run()[0]));
    CHECK(std::isnan(session.logits()[0]));
    CHECK(session.status() == hepml::Status::not_finite);
  }
  x[1] = 1;
  CHECK(session.run()[0] > 0.99F);
  CHECK(session.status() == hepml::Status::ok);
  for (const float extreme : {1e30F, -1e30F, 1e-42F, -0.0F}) {
    x[0] = extreme;
    x[1] = 0;
    CHECK(!std::isnan(session.run()[0]));
  }
  const auto error = ERROR_OF(session.input("b"));
  CHECK(error.code() == Error::Code::usage);
  CHECK(check::contains(error.what(), "no input 'b'"));
  CHECK(check::contains(ERROR_OF(session.output("ou")).what(), "nearest:  'out'"));
  Session moved(std::move(session));
  CHECK(moved.run().size() == 1);
}

void sequential() {
  const std::string text =
      R"({"inputs":[{"name":"x","offset":0,"scale":1,"default":3},{"name":"y","offset":0,"scale":1}],)"
      R"("layers":[{"architecture":"normalization","weights":[2,1],"bias":[1,0]},)"
      R"({"architecture":"dense","weights":[1,1],"bias":[0],"activation":"linear"},)"
      R"({"architecture":"dense","weights":[],"bias":[],"activation":"sigmoid"}],"outputs":["z"],"defaults":{"y":4}})";
  const auto model = Model::parse(text);
  CHECK(model.inputs()[0].name == "inputs");
  CHECK(model.outputs()[0].name == "outputs");
  CHECK(!model.inputs()[0].variables[0].default_value);  // the object replaces the variables' own
  CHECK(model.inputs()[0].variables[1].default_value == 4);
  Session session(model);
  session.input("inputs")[0] = -1;
  session.input("inputs")[1] = 0;
  CHECK(session.run()[0] == 0.5F);
  CHECK(session.logits()[0] == 0);
}

struct Bad {
  const char* from;
  const char* to;
  Error::Code code;
  const char* message;
};

void malformed() {
  const auto syntax = Error::Code::syntax, schema = Error::Code::schema,
             unsupported = Error::Code::unsupported;
  const Bad cases[] = {
      {"\"scale\":2", "\"scale\":NaN", syntax, "line 1"},
      {"\"scale\":2", "\"scale\":Infinity", syntax, "JSON"},
      {"\"scale\":2", "\"scale\":1e400", syntax, "1e400"},
      {"\"scale\":2", "\"scale\":null", schema, "inputs[0].variables[0].scale"},
      {"\"scale\":2", "\"scale\":\"2\"", schema, "expected: a number"},
      {"\"scale\":2", "\"scal\":2", schema, "nearest:  'scal'"},
      {"\"scale\":2", "\"scale\":2,\"scale\":3", syntax, "'scale' occurs twice"},
      {"\"name\":\"y\"", "\"name\":\"x\"", schema, "two variables of one name"},
      {"[1,1]", "[1,1,1]", schema, "layers[0].weights"},
      {"[1,1]", "[1,\"1\"]", schema, "layers[0].weights"},
      {"[1,1]", "[1,1e39]", schema, "not a number of float32"},
      {"[0.5]", "[0.5,1]", schema, "layers[0].bias"},
      {"\"dense\"", "\"dens\"", unsupported, "nearest:  'dense'"},
      {"\"dense\"", "\"Dense\"", unsupported, "layers[0].architecture"},
      {"\"rectified\"", "\"rectifid\"", unsupported, "unknown activation 'rectifid'"},
      {"\"rectified\"", "\"swish\"", schema, "needs its alpha"},
      {"\"rectified\"", "{\"function\":\"elu\"}", schema, "'alpha' is missing"},
      {",\"activation\":\"rectified\"", "", schema, "'activation' is missing"},
      {"\"size\":2", "\"size\":3", schema, "nodes[0].size"},
      {"\"size\":2", "\"size\":0", schema, "nodes[0].size"},
      {"\"size\":2", "\"size\":1e18", schema, "nodes[0].size"},
      {"\"size\":2", "\"size\":2.5", schema, "nodes[0].size"},
      {"\"sources\":[0],\"size\"", "\"sources\":[1],\"size\"", schema, "nodes[0].sources[0]"},
      {"\"sources\":[0],\"layer", "\"sources\":[-1],\"layer", schema, "nodes[1].sources[0]"},
      {"\"sources\":[0],\"layer", "\"sources\":[9],\"layer", schema, "nodes[1].sources[0]"},
      {"\"sources\":[0],\"layer", "\"sources\":[3],\"layer", schema, "cycle"},
      {"\"sources\":[0],\"layer", "\"sources\":[1],\"layer", schema, "cycle"},
      {"\"sources\":[0],\"layer", "\"sources\":[0,0],\"layer", schema, "wrong number of sources"},
      {"[1,0]},{\"type\":\"add\"", "[]},{\"type\":\"add\"", schema, "wrong number of sources"},
      {"\"type\":\"concatenate\"", "\"type\":\"add\"", schema, "differ in shape"},
      {"\"type\":\"concatenate\"", "\"type\":\"concat\"", unsupported, "nearest:  'concatenate'"},
      {"\"layer_index\":0", "\"layer_index\":2", schema, "nodes[1].layer_index"},
      {"\"layer_index\":0", "\"layer_index\":1", schema, "layer"},
      {"\"node_index\":4", "\"node_index\":5", schema, "outputs.out.node_index"},
      {"\"node_index\":4", "\"node_index\":3", schema, "no output needs this node"},
      {"\"input_sequences\":[]", "\"input_sequences\":[{}]", schema, "'name' is missing"},
      {"\"format_version\":1", "\"format_version\":2", unsupported, "newer than this library"},
      {"\"format_version\":1", "\"format_version\":0", schema, "hepml.format_version"},
      {"\"geometry\":null", "\"geometry\":{}", schema, "hepml.geometry"},
      {"\"convention\":null", "\"convention\":\"2012\"", unsupported, "hepml.convention"},
      {"\"thresholds\":[]", "\"thresholds\":[{\"signal_efficiency\":8,\"threshold\":0}]", schema,
       "not an efficiency"},
      {"[0.9999832988]", "[0.99998]", Error::Code::verification,
       "hepml.reference.outputs.out[0][0] (signal)"},
      {"[[1,1],[-9,0]]", "[[1,1]]", schema, "differ in length"},
      {"[[1,1],[-9,0]]", "[[1,1],[-9]]", schema, "hepml.reference.inputs.a[1]"},
      {"\"tolerance\":1e-6", "\"tolerance\":10", schema, "proves nothing"},
      {"{\"inputs\":", "[{\"inputs\":", syntax, ""},
      {"{\"inputs\":", "{\"inputs\":[],\"inputz\":", schema, "input"},
      {"\"outputs\":{", "\"outputz\":{", schema, "'outputs' is missing"},
      {"\"signal\"", "\"\\ud800\"", syntax, ""},
      {"\"signal\"", "\"\xff\"", syntax, ""},
  };
  for (const Bad& bad : cases) {
    const auto error = ERROR_OF(Model::parse(with(bad.from, bad.to)));
    const bool right = error.code() == bad.code && check::contains(error.what(), bad.message);
    if (!right) std::fprintf(stderr, "%s -> %s gave:\n%s\n", bad.from, bad.to, error.what());
    CHECK(right);
  }
  for (std::size_t n = 0; n < good.size(); ++n) {  // truncated at every byte
    CHECK(ERROR_OF(Model::parse(good.substr(0, n))).code() == Error::Code::syntax);
  }
  for (const char* text : {"", "null", "3", "[]", "\"net\"", "[[1,2],3]"}) {
    const auto code = ERROR_OF(Model::parse(text)).code();
    CHECK(code == Error::Code::syntax || code == Error::Code::schema);
  }
  CHECK(
      check::contains(ERROR_OF(Model::parse(std::string(200'000, '['))).what(), "nested more than 64 deep"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK(check::contains(ERROR_OF(Model::parse(objects)).what(), "nested more than 64 deep"));
  CHECK(ERROR_OF(Model::parse(with("\"signal\"", "\"\\u001b[31m\\u001b\",\"\\u001b[31m\\u001b\""))).found() ==
        "'\\x1b[31m\\x1b' twice");
}

void images() {
  const std::string pool =
      R"({"architecture":"maxpooling2d","pool_size":[2,2],"strides":[1,1],"padding":"valid"})";
  const std::string flatten = R"({"architecture":"flatten"})";
  const auto conv = [](const std::string& change) {
    return R"({"architecture":"conv2d","kernel_size":[1,1],"filters":1,"weights":[1],"bias":[],"activation":"linear")" +
           change + "}";
  };
  const auto message = [](const std::string& text) {
    return std::string(ERROR_OF(Model::parse(text)).what());
  };
  using networks::chain;
  CHECK(check::contains(message(chain(1, 1, 1, {pool, flatten}, 1)), "larger than the input"));
  CHECK(check::contains(message(chain(0, 0, 4, {pool}, 1)), "an image, rows x columns x channels"));
  CHECK(check::contains(message(chain(0, 0, 4, {}, 3)), "labels and width"));
  CHECK(check::contains(message(chain(0, 0, 4, {}, 0)), "labels and width"));
  CHECK(check::contains(message(chain(3, 3, 1, {pool}, 4)), "1 labels"));
  CHECK(check::contains(message(chain(2, 2, 1, {conv("")}, 4)), "'padding' is missing"));
  CHECK(check::contains(message(chain(2, 2, 1, {conv(R"(,"padding":"causal")")}, 4)),
                        "not a padding of this layer"));
  CHECK(check::contains(message(chain(2, 2, 2, {conv(R"(,"padding":"same")")}, 4)), "1 x 1 x 2 x 1 = 2"));
  CHECK(check::contains(message(chain(2, 2, 1, {conv(R"(,"padding":"same","strides":[0,1])")}, 4)),
                        "strides[0]"));
  CHECK(
      check::contains(message(chain(2, 2, 1, {conv(R"(,"padding":"same","strides":[1])")}, 4)), "2 numbers"));
  CHECK(check::contains(message(chain(2, 2, 1, {conv(R"(,"padding":"same","groups":2)")}, 4)),
                        "divide the channels"));
  CHECK(check::contains(message(chain(100000, 100000, 1, {flatten}, 1)), "too large"));
  const std::string wide =
      R"({"architecture":"averagepooling2d","pool_size":[4096,4096],"strides":[1,1],"padding":"same"})";
  CHECK(check::contains(message(chain(2, 2, 1, {wide}, 1)), "65536 places"));
  Session session(Model::parse(chain(2, 2, 1, {conv(R"(,"padding":"same")"), flatten}, 4)));
  session.input(0)[2] = 7;
  CHECK(session.run()[2] == 7);
}

void files() {
  const auto missing = ERROR_OF(Model::load("/nonexistent/net.json"));
  CHECK(missing.code() == Error::Code::file);
  CHECK(missing.file() == "/nonexistent/net.json");
  CHECK(ERROR_OF(Model::load("/")).code() == Error::Code::file);
  const char* path = "test_model_net.json";
  std::ofstream(path) << with("\"scale\":2", "\"scale\":null");
  const auto error = ERROR_OF(Model::load(path));
  CHECK(error.file() == path);
  CHECK(error.where() == "inputs[0].variables[0].scale");
  std::ofstream(path) << with("[0.9999832988]", "[0.99998]");
  CHECK(ERROR_OF(Model::load(path)).code() == Error::Code::verification);
  hepml::LoadOptions unverified;
  unverified.verify = false;
  CHECK(Model::load(path, unverified).model_id() == "id");
  std::remove(path);
}

}  // namespace

int main() {
  evaluation();
  sequential();
  malformed();
  images();
  files();
  check::speak_german();
  evaluation();
  malformed();
  return check::failures == 0 ? 0 : 1;
}
