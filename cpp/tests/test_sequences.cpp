// Sequences: steps that each event sets, lwtnn's kinds of node, and what happens when steps do not fit.

#include <hepml/hepml.hpp>

#include <cmath>
#include <string>
#include <vector>

#include "check.hpp"

using hepml::Error;
using hepml::Model;
using hepml::Session;
using hepml::Status;

namespace {

const std::string head =
    R"({"inputs":[],"input_sequences":[{"name":"s",STEPS"variables":[{"name":"a","offset":0,"scale":1},)"
    R"({"name":"b","offset":1,"scale":2}]}],"nodes":[{"type":"input_sequence","sources":[0],"size":2})";

std::string network(const std::string& nodes, const std::string& layers, const std::string& outputs,
                    const std::string& steps = "") {
  std::string text = head;
  text.replace(text.find("STEPS"), 5, steps);
  return text + nodes + R"(],"layers":[)" + layers + R"(],"outputs":{)" + outputs + "}}";
}

const std::string two_labels = R"("labels":["p","q"],"node_index":)";
/// y_t = x_t + 10 x_{t+1}, for two variables.
const std::string conv =
    R"({"architecture":"conv1d","weights":[1,10,0,0,0,0,1,10],"bias":[0,0],"dilation_rate":1,"padding":"valid",)"
    R"("activation":"linear"})";

void fill(Session& session, const std::vector<float>& values) {
  const auto to = session.sequence("s", values.size() / 2);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = values[i];
}

void steps_are_the_events_own() {
  const auto model = Model::parse(network(
      R"(,{"type":"sum","sources":[0]},{"type":"sequence","sources":[0],"layer_index":0},)"
      R"({"type":"concatenate","sources":[2,1]},{"type":"time_distributed","sources":[0],"layer_index":1})",
      conv + R"(,{"architecture":"dense","weights":[1,1],"bias":[0],"activation":"rectified"})",
      R"("sum":{)" + two_labels + R"(1},"conv":{)" + two_labels +
          R"(2},"both":{"labels":["p","q","r","s"],"node_index":3},"each":{"labels":["x"],"node_index":4})"));
  CHECK(model.inputs()[0].shape == (std::vector<std::size_t>{hepml::any_steps, 2}));
  CHECK(model.outputs()[1].shape == (std::vector<std::size_t>{hepml::any_steps, 2}));
  CHECK(model.outputs()[2].shape == (std::vector<std::size_t>{4}));
  Session session(model, 4);
  CHECK(session.max_steps() == 4);
  CHECK(session.input("s").empty());
  for (int repeat = 0; repeat < 2; ++repeat) {
    fill(session, {1, 0, 2, 1, -3, 2});  // the network sees b as 2, 4, 6
    session.run();
    CHECK(session.status() == Status::ok);
    CHECK(session.output("sum")[0] == 0 && session.output("sum")[1] == 12);
    CHECK(session.output("conv").size() == 4);
    CHECK(session.output("conv")[0] == 21 && session.output("conv")[1] == 42);
    CHECK(session.output("conv")[2] == -28 && session.output("conv")[3] == 64);
    CHECK(session.output("both")[0] == -28 && session.output("both")[3] == 12);
    CHECK(session.output("each")[2] == 3 && session.logits("each")[0] == 3);
    fill(session, {1, 0, 2, 1});
    session.run();
    CHECK(session.output("conv").size() == 2 && session.output("conv")[1] == 42);
    fill(session, {5, 5});  // one step is too short for the window
    session.run();
    CHECK(session.status() == Status::wrong_steps);
    CHECK(session.output("conv").empty());
    CHECK(std::isnan(session.output("sum")[0]) && std::isnan(session.output("both")[3]));
    CHECK(session.sequence("s", 5).size() == 8);  // what there is room for
    session.run();
    CHECK(session.status() == Status::wrong_steps);
    fill(session, {1, 0, NAN, 1});
    session.run();
    CHECK(session.status() == Status::not_finite);
    CHECK(std::isnan(session.output("conv")[0]) && session.output("conv").size() == 2);
  }
}

void no_steps() {
  Session session(
      Model::parse(network(R"(,{"type":"sum","sources":[0]})", "", R"("sum":{)" + two_labels + "1}")));
  session.run();
  CHECK(session.status() == Status::ok);
  CHECK(session.output(0)[0] == 0 && session.output(0)[1] == 0);
}

void fixed_steps() {
  const auto model = Model::parse(
      network(R"(,{"type":"layer","sources":[0],"layer_index":0})", R"({"architecture":"flatten"})",
              R"("flat":{"labels":["a","b","c","d"],"node_index":1})", R"("steps":2,)"));
  CHECK(model.inputs()[0].size == 4);
  Session session(model);
  const auto input = session.input("s");
  CHECK(input.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) input[i] = static_cast<float>(i);
  session.run();
  CHECK(session.output(0)[2] == 2 && session.output(0)[3] == 8);
  CHECK(session.sequence("s", 2).size() == 4);
  session.run();
  CHECK(session.status() == Status::ok);
  session.sequence("s", 1);
  session.run();
  CHECK(session.status() == Status::wrong_steps && std::isnan(session.output(0)[0]));
}

void refused() {
  const auto message = [](const std::string& text) {
    return std::string(ERROR_OF(Model::parse(text)).what());
  };
  const std::string dense = R"({"architecture":"dense","weights":[1,1],"bias":[0],"activation":"linear"})";
  const std::string one = R"("y":{"labels":["x"],"node_index":1})";
  CHECK(check::contains(
      message(network(R"(,{"type":"feed_forward","sources":[0],"layer_index":0})", dense, one)),
      "last step"));
  CHECK(check::contains(message(network(R"(,{"type":"sum","sources":[0]},{"type":"sum","sources":[1]})", "",
                                        R"("y":{)" + two_labels + "2}")),
                        "a sequence"));
  CHECK(check::contains(message(network(R"(,{"type":"layer","sources":[0],"layer_index":0})",
                                        R"({"architecture":"flatten"})", one)),
                        "any length"));
  CHECK(check::contains(message(network(R"(,{"type":"sequence","sources":[0],"layer_index":0})", conv,
                                        R"("y":{)" + two_labels + "1}", R"("steps":1,)")),
                        "larger than the input"));
  CHECK(check::contains(message(network(R"(,{"type":"recurrent","sources":[0]})", "", one)),
                        "time_distributed"));
  const auto model =
      Model::parse(network(R"(,{"type":"sum","sources":[0]})", "", R"("y":{)" + two_labels + "1}"));
  CHECK(check::contains(ERROR_OF(Session(model, std::size_t{1} << 40)).what(), "max_steps"));
}

}  // namespace

int main() {
  steps_are_the_events_own();
  no_steps();
  fixed_steps();
  refused();
  return check::failures == 0 ? 0 : 1;
}
