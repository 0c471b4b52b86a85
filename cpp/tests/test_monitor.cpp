#include <hepml/hepml.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "networks.hpp"

// Counting inputs in the bins of training, the ranges that a file may hold, and what else it says of its use.
namespace {

using hepml::Model;
using hepml::Monitor;
using hepml::Quantity;
using hepml::Session;

std::string range(const std::string& input, const std::string& key, const std::string& name,
                  const std::string& low, const std::string& high, const std::string& quantiles,
                  const std::string& bins = "[25,50,25]") {
  return R"({"input":")" + input + R"(",")" + key + R"(":")" + name + R"(","entries":100,"not_finite":0,)" +
         R"("minimum":)" + low + R"(,"maximum":)" + high + R"(,"quantiles":)" + quantiles + R"(,"bins":)" +
         bins + "}";
}

std::string block(const std::string& quantities, const std::string& more = "") {
  return R"(,"hepml":{"format_version":1,"model_id":"m1","ranges":{"events":100,"levels":[0.25,0.75],)"
         R"("quantities":[)" +
         quantities + "]}" + more + "}";
}

/// One vector x of v0 and v1.
std::string vectors(const std::string& quantities, const std::string& more = "") {
  std::string text = networks::chain(0, 0, 2, {networks::dense({1, 1}, {0}, "\"linear\"")}, 1);
  text.pop_back();
  return text + block(quantities, more) + "}";
}

const std::string two = range("x", "variable", "v0", "-2", "2", "[-1,1]") + "," +
                        range("x", "variable", "v1", "0", "9", "[0,5]", "[60,20,20]");

void of_vectors() {
  const auto model = Model::parse(vectors(two, R"(,"validity":{"runs":"1-9","energy":"GeV"})"));
  CHECK(model.format_version() == 1);
  CHECK(model.model_id() == "m1");
  CHECK(model.validity().size() == 2 && model.validity()[0].first == "runs" &&
        model.validity()[0].second == "1-9");
  CHECK(model.ranges().events == 100 && model.ranges().levels == std::vector<double>({0.25, 0.75}));
  const auto& stored = model.ranges().quantities;
  CHECK(stored.size() == 2 && stored[1].name == "v1" && stored[1].variable == 1 && stored[1].input == 0 &&
        stored[1].quantity == Quantity::variable && stored[1].maximum == 9 && stored[1].entries == 100);
  Session session(model);
  Monitor monitor(model);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const float events[][2] = {{-3, 0}, {-1, 5}, {-0.5F, 5.5F}, {1, -1}, {2, 10}, {nan, 1}, {2.5F, -infinity}};
  for (const auto& event : events) {
    session.input("x")[0] = event[0];
    session.input("x")[1] = event[1];
    session.run();
    CHECK(monitor.count(session));
  }
  const auto& first = monitor.counts()[0];  // edges belong to the bin below
  CHECK(first.bins == std::vector<double>({2, 2, 2}) && first.not_finite == 1 && first.entries == 7);
  CHECK(first.below == 1 && first.above == 1);
  const auto& second = monitor.counts()[1];
  CHECK(second.bins == std::vector<double>({2, 2, 2}) && second.not_finite == 1 && second.squares == 7);
  CHECK(second.below == 1 && second.above == 1);
  CHECK(monitor.events() == 7);
  const std::string text = monitor.to_json();
  CHECK(check::contains(text, R"("model_id": "m1", "events": 7)"));
  CHECK(check::contains(text, R"("name": "v0", "entries": 7, "squares": 7, "not_finite": 1, "below": 1)"));
  CHECK(check::contains(text, R"("bins": [2,2,2])"));

  session.input("x")[0] = 0;
  session.input("x")[1] = 1;
  CHECK(monitor.count(session, -0.5));
  CHECK(first.bins[1] == 1.5 && first.entries == 6.5 && first.squares == 7.25);
  CHECK(!monitor.count(session, static_cast<double>(nan)));
  Session other(Model::parse(vectors(two)));
  CHECK(!monitor.count(other));
  CHECK(monitor.events() == 8);
  monitor.reset();
  CHECK(monitor.events() == 0 && first.entries == 0 && first.bins == std::vector<double>({0, 0, 0}));
}

void of_images() {
  std::string text = networks::chain(2, 2, 1, {R"({"architecture":"flatten"})"}, 4);
  text.pop_back();
  const auto model = Model::parse(text +
                                  block(range("x", "quantity", "sum", "0", "9", "[1,5]") + "," +
                                        range("x", "quantity", "maximum", "0", "6", "[1,5]") + "," +
                                        range("x", "quantity", "cells", "0", "4", "[1,2]")) +
                                  "}");
  CHECK(model.ranges().quantities[1].quantity == Quantity::maximum);
  Session session(model);
  Monitor monitor(model);
  const auto fill = [&session](float a, float b, float c) {
    session.input("x")[0] = a;
    session.input("x")[2] = b;
    session.input("x")[3] = c;
  };
  fill(1, 7, 0.5F);  // sum 8.5, maximum 7, 3 cells
  monitor.count(session);
  fill(0, -1, 0);  // sum -1, maximum 0, no cell
  monitor.count(session);
  fill(0, 0, std::numeric_limits<float>::quiet_NaN());
  monitor.count(session);
  CHECK(monitor.counts()[0].bins == std::vector<double>({1, 0, 1}) && monitor.counts()[0].below == 1);
  CHECK(monitor.counts()[1].bins == std::vector<double>({1, 0, 1}) && monitor.counts()[1].above == 1);
  CHECK(monitor.counts()[2].bins == std::vector<double>({1, 0, 1}));
  for (const auto& counts : monitor.counts()) CHECK(counts.not_finite == 1 && counts.entries == 3);
  const float cells[] = {-2, -1};
  CHECK(hepml::summarise({cells, 2}).maximum == -1.0);
}

void of_sequences() {
  const std::string head = R"({"inputs":[],"input_sequences":[{"name":"s","variables":)" +
                           networks::variables("v", 2) +
                           R"(}],"nodes":[{"type":"input_sequence","sources":[0],"size":2},)"
                           R"({"type":"sum","sources":[0]}],"layers":[],"outputs":{"y":{"labels":["a","b"],)"
                           R"("node_index":1}})";
  const auto model = Model::parse(head +
                                  block(range("s", "variable", "v1", "0", "9", "[1,5]") + "," +
                                        range("s", "quantity", "steps", "0", "3", "[1,2]")) +
                                  "}");
  Session session(model);
  Monitor monitor(model);
  for (const std::size_t n : {std::size_t{4}, std::size_t{0}, std::size_t{2}}) {
    const auto values = session.sequence("s", n);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    session.run();
    monitor.count(session);
  }
  CHECK(monitor.counts()[0].entries == 6);  // v1 is 1, 3, 5, 7 and 1, 3
  CHECK(monitor.counts()[0].bins == std::vector<double>({2, 3, 1}));
  CHECK(monitor.counts()[1].entries == 3 && monitor.counts()[1].bins == std::vector<double>({1, 1, 1}));
  CHECK(monitor.counts()[1].above == 1);
}

/// Counts of threads add up to those of one.
void of_threads() {
  const auto model = Model::parse(vectors(two));
  const auto work = [](Monitor& monitor, std::uint32_t seed) {
    Session session(monitor.model());
    networks::Random random(seed);
    for (int event = 0; event < 500; ++event) {
      for (float& value : session.input("x")) value = 5 * random.next();
      monitor.count(session);
    }
  };
  Monitor all(model), alone(model);
  std::vector<Monitor> monitors(4, Monitor(model));
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 4; ++i) threads.emplace_back([&, i] { work(monitors[i], i + 1); });
  for (auto& thread : threads) thread.join();
  for (std::uint32_t i = 0; i < 4; ++i) {
    all.merge(monitors[i]);
    work(alone, i + 1);
  }
  CHECK(all.events() == 2000 && all.to_json() == alone.to_json());
  const Monitor other(Model::parse(vectors(range("x", "variable", "v0", "-2", "2", "[-1,1]"))));
  CHECK(check::contains(ERROR_OF(all.merge(other)).problem(), "another network"));
}

/// Each mutation of a good file is refused with its place.
void refusals() {
  struct Case {
    std::string text;
    const char *where, *problem;
  };
  const std::string good = range("x", "variable", "v0", "-2", "2", "[-1,1]");
  const std::vector<Case> cases = {
      {range("y", "variable", "v0", "-2", "2", "[-1,1]"), "quantities[0].input", "no such input"},
      {range("x", "variable", "v00", "-2", "2", "[-1,1]"), "quantities[0].variable", "no such variable"},
      {range("x", "quantity", "sum", "-2", "2", "[-1,1]"), "quantities[0].quantity", "no such quantity"},
      {range("x", "name", "v0", "-2", "2", "[-1,1]"), "quantities[0]", "a variable or a quantity"},
      {range("x", "variable", "v0", "-2", "2", "[1,-1]"), "quantiles[1]", "not ascending"},
      {range("x", "variable", "v0", "-2", "2", "[1]"), "quantiles", "number of values"},
      {range("x", "variable", "v0", "-2", "0", "[-1,1]"), "quantiles", "outside of the range"},
      {range("x", "variable", "v0", "-2", "2", "[-1,1]", "[50,50]"), "bins", "number of bins"},
      {range("x", "variable", "v0", "-2", "2", "[-1,1]", "[25,25,25]"), "bins", "add up"},
      {range("x", "variable", "v0", "-2", "2", "[-1,1]", "[125,-50,25]"), "bins[1]", "number of entries"},
      {good + "," + good, "quantities[1]", "second range"},
  };
  for (const Case& one : cases) {
    const auto error = ERROR_OF(Model::parse(vectors(one.text)));
    CHECK(error.code() == hepml::Error::Code::schema);
    CHECK(check::contains(error.problem(), one.problem));
    CHECK(check::contains(error.where(), one.where));
  }
  CHECK(ERROR_OF(Model::parse(vectors(range("x", "variable", "v00", "-2", "2", "[-1,1]")))).nearest() ==
        std::vector<std::string>({"v0"}));
  CHECK(check::contains(ERROR_OF(Model::parse(vectors(good, R"(,"validity":{"runs":7})"))).where(),
                        "validity.runs"));
  std::string keys, ranges;
  for (int i = 0; i < 5000; ++i) {
    keys += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":"x")";
    ranges += (i == 0 ? "" : ",") + good;
  }
  for (const std::string& text : {vectors(good, R"(,"validity":{)" + keys + "}"), vectors(ranges)})
    CHECK(check::contains(ERROR_OF(Model::parse(text)).problem(), "too many entries"));
  const auto plain = Model::parse(networks::chain(0, 0, 1, {networks::dense({1}, {0}, "\"linear\"")}, 1));
  CHECK(plain.format_version() == 0 && plain.ranges().quantities.empty() && plain.validity().empty());
  CHECK(check::contains(ERROR_OF(Monitor monitor(plain)).problem(), "no ranges"));
}

}  // namespace

int main() {
  of_vectors();
  of_images();
  of_sequences();
  of_threads();
  refusals();
  return check::failures == 0 ? 0 : 1;
}
