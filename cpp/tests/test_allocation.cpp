// Nothing allocates per event: every malloc of the program is counted, from before the first run(). With a
// number and network files as arguments, so many events of each.

#include <hepml/hepml.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <new>
#include <thread>
#include <vector>

#include "check.hpp"
#include "networks.hpp"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> allocations{0};

void count() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1);
}

}  // namespace

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t n) {
  count();
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
  count();
  return __libc_realloc(p, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
  count();
  return __libc_memalign(alignment, n);
}
}
#else
void* operator new(std::size_t n) {
  count();
  return std::malloc(n);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
#endif

namespace {

std::vector<hepml::Tower> towers(networks::Random& random, std::size_t n, double width) {
  std::vector<hepml::Tower> out;
  for (std::size_t i = 0; i < n; ++i) {
    const double et = 5.0 * (static_cast<double>(random.next()) + 1.0);
    const double eta = width * static_cast<double>(random.next());
    const double phi = width * static_cast<double>(random.next());
    out.push_back({et, eta, phi, et * 1.2});
  }
  return out;
}

/// An LSTM on a sequence whose steps each event sets, averaged and padded by others of its kind.
std::string recurrent(networks::Random& random) {
  std::string components;
  for (const char* gate : {"i", "f", "c", "o"}) {
    components += (components.empty() ? "\"" : ",\"") + std::string(gate) + R"(":{"weights":)" +
                  networks::list(random.many(2 * 5)) + R"(,"U":)" + networks::list(random.many(5 * 5, 0.3F)) +
                  R"(,"bias":)" + networks::list(random.many(5)) + "}";
  }
  return R"({"inputs":[],"input_sequences":[{"name":"s","variables":)" + networks::variables("v", 2) +
         R"(}],"nodes":[{"type":"input_sequence","sources":[0],"size":2},)"
         R"({"type":"sequence","sources":[0],"layer_index":0},{"type":"layer","sources":[1],"layer_index":1},)"
         R"({"type":"sum","sources":[2]}],"layers":[{"architecture":"lstm","components":{)" +
         components +
         R"(},"activation":"tanh","inner_activation":"sigmoid"},)"
         R"({"architecture":"averagepooling1d","pool_size":[2],"strides":[1],"padding":"same"}],)"
         R"("outputs":{"y":{"labels":)" +
         networks::labels(5) + R"(,"node_index":3},"steps":{"labels":)" + networks::labels(5) +
         R"(,"node_index":1}}})";
}

/// A dense, a recurrent, a tree, a convolutional and a tower-to-score network, 1000 events each.
void per_event() {
  networks::Random random(5);
  const std::string dense = networks::dense(random.many(30 * 20), random.many(20), "\"tanh\"");
  const std::string head = networks::dense(random.many(20), {0.0F}, "\"sigmoid\"");
  const auto small = hepml::Model::parse(networks::chain(0, 0, 30, {dense, head}, 1));
  const auto full = hepml::Model::parse(networks::tagger_network(
      R"(,"thresholds":[{"signal_efficiency":0.8,"threshold":0.5,"pt":null,"eta":null}])"));
  const auto ecal = towers(random, 200, 0.5);
  const auto hcal = towers(random, 50, 0.5);
  const auto limited =
      hepml::Model::parse(networks::tagger_network(R"(,"towers":{"max":60,"not_finite":"keep"})"));
  hepml::Session session(small);
  hepml::Tagger tagger(full), of_hottest(limited);
  const std::string tree =
      R"({"architecture":"trees","comparison":"less_equal","precision":"float64","base":[0,0],"divisor":2,)"
      R"("link":"softmax","factor":1,"missing":true,"sizes":[3],"feature":[1,-1,-1],"threshold":[0,0,0],)"
      R"("left":[1,0,0],"right":[2,0,0],"missing_left":[1,0,0],"value":[0,0,1,2,3,4]})";
  hepml::Session trees(hepml::Model::parse(networks::chain(0, 0, 30, {tree}, 2)));
  const std::string units = R"({"architecture":"perceptron","precision":"float64","sublayers":[{"weights":)" +
                            networks::list(random.many(30 * 7)) +
                            R"(,"bias":[],"join":"square_sum","activation":"sigmoid"}]})";
  const std::string table =
      R"({"architecture":"tables","before":"identity","function":"quantile","least":0.1,"most":0.9,"tables":)"
      R"([{"feature":6,"form":"linear","low":0,"high":1,"values":[0.2,0.9]},)"
      R"({"feature":1,"form":"step","knots":[0,0.5,1],"values":[0.3,0.4]}]})";
  const std::string middle = R"({"architecture":"weighted_median","weights":[1,2,1],"reach":1})";
  hepml::Session wide(hepml::Model::parse(
      networks::chain(0, 0, 30, {units, table, R"({"architecture":"gather","index":[1,0,1]})", middle}, 1)));

  hepml::Session sequences(hepml::Model::parse(recurrent(random)), 20);
  const std::string bfloat16 = networks::dense(std::vector<float>(300 * 300, 0.0625F), {}, "\"linear\"");
  hepml::Session halves(hepml::Model::parse(networks::chain(0, 0, 300, {bfloat16}, 300)));

  {
    allocations = 0;
    counting = true;
    const std::vector<int> proof(100);
    counting = false;
    CHECK(allocations > 0);
  }
  allocations = 0;
  counting = true;
  float sum = 0;
  std::size_t passed = 0;
  for (int event = 0; event < 1000; ++event) {
    const auto x = session.input("x");
    for (float& value : x) value = random.next();
    sum += session.run()[0] + session.output("y")[0] + session.logits()[0];
    halves.input("x")[7] = random.next();
    sum += halves.run()[5];
    for (float& value : wide.input("x")) value = random.next();
    sum += wide.run()[0];
    trees.input("x")[1] = event % 3 == 0 ? std::numeric_limits<float>::quiet_NaN() : random.next();
    sum += trees.run()[0] + trees.logits()[1] + trees.leaves()[0];
    for (float& value : sequences.sequence("s", static_cast<std::size_t>(event % 23))) value = random.next();
    sequences.run();
    const bool fits = event % 23 <= 20;
    CHECK(sequences.status() == (fits ? hepml::Status::ok : hepml::Status::wrong_steps));
    sum += fits ? sequences.output("y")[0] : 0.0F;
    const double eta = 0.3 * static_cast<double>(random.next());
    const float score = tagger(ecal, hcal, eta, 0.1);
    passed += tagger.passes(0.8) && tagger.passes(0.8, 20.0, eta) ? 1 : 0;
    sum += tagger.status() == hepml::Status::ok ? score : 0.0F;
    tagger(ecal, hcal, 7.0, 0.0);  // rejected
    sum += of_hottest(ecal, hcal, eta, 0.1);
  }
  counting = false;
  CHECK(allocations == 0);
  CHECK(sum != 0);
  CHECK(passed <= 1000);
}

const std::vector<networks::Polynomial> polynomials{{"et_efp_3_3_1", 3, "[[0,1],[0,2],[1,2]]", "1", "2"},
                                                    {"et_efp_2_1_0", 2, "[[0,1]]", "0.5", "1"},
                                                    {"ht_efp_3_2_0", 3, "[[0,1],[0,2]]", "2", "1"}};

/// From the first event on, whatever its size: from no tower to every pixel filled.
void of_polynomials() {
  const auto model = hepml::Model::parse(networks::efp_network(polynomials));
  networks::Random random(9);
  std::vector<std::vector<hepml::Tower>> ecal, hcal;
  for (std::size_t n : {0U, 1U, 40U, 13U, 700U, 40U}) {
    ecal.push_back(towers(random, n, 0.3));
    hcal.push_back(towers(random, n / 10, 0.3));
  }
  std::vector<hepml::Tower> full, all;
  for (int i = 0; i < 200; ++i) {
    for (int j = 0; j < 252; ++j)
      full.push_back({1.0 + 0.01 * ((7 * i + j) % 11), model.geometry()->ecal.eta_center(i),
                      model.geometry()->ecal.phi_center(j), 2});
  }
  for (int i = 0; i < 50; ++i) {
    for (int j = 0; j < 62; ++j)
      all.push_back({1, model.geometry()->hcal.eta_center(i), model.geometry()->hcal.phi_center(j), 2});
  }
  ecal.push_back(full);
  hcal.push_back(all);
  hepml::Tagger tagger(model);
  allocations = 0;
  counting = true;
  float sum = 0;
  std::size_t n_good = 0;
  for (std::size_t event = 0; event < 1000; ++event) {
    const std::size_t k = event == 500 ? 6 : event % 200 == 199 ? 4 : event % 4;
    const float score = tagger(ecal[k], hcal[k], 0.01 * static_cast<double>(random.next()), 0.1);
    sum += tagger.status() == hepml::Status::ok ? score : 0.0F;
    n_good += tagger.status() == hepml::Status::ok ? 1 : 0;
  }
  counting = false;
  CHECK(allocations == 0);
  CHECK(n_good > 700 && sum > 0);
}

/// Counting the inputs of a Session, with NaN among them.
void monitored() {
  std::string text = networks::chain(0, 0, 30, {networks::dense({}, {}, "\"tanh\"")}, 30);
  text.pop_back();
  std::string quantities;
  for (const char* name : {"v0", "v7", "v29"}) {
    quantities +=
        (quantities.empty() ? "" : ",") + std::string(R"({"input":"x","variable":")") + name +
        R"(","entries":4,"not_finite":0,"minimum":-0.5,"maximum":0.5,"quantiles":[-0.3,0.3],"bins":[1,2,1]})";
  }
  const auto model = hepml::Model::parse(
      text + R"(,"hepml":{"format_version":1,"ranges":{"events":4,"levels":[0.25,0.75],)" +
      R"("quantities":[)" + quantities + "]}}}");
  networks::Random random(8);
  hepml::Session session(model);
  hepml::Monitor monitor(model), total(model);
  allocations = 0;
  counting = true;
  for (int event = 0; event < 1000; ++event) {
    for (float& value : session.input("x")) value = random.next();
    if (event % 5 == 0) session.input("x")[7] = std::numeric_limits<float>::quiet_NaN();
    session.run();
    monitor.count(session);
  }
  total.merge(monitor);
  counting = false;
  CHECK(allocations == 0);
  CHECK(total.counts()[1].not_finite == 200 && total.events() == 1000);
  CHECK(total.counts()[0].below > 100 && total.counts()[0].above > 100);
}

/// A network file: images with deposits here and there, vectors and sequences with a number everywhere.
void file(const char* path, std::size_t n_events) {
  networks::Random random(7);
  const auto model = hepml::Model::load(path);
  hepml::Session session(model);
  constexpr std::size_t n_steps = 16;
  allocations = 0;
  counting = true;
  std::size_t n_good = 0;
  for (std::size_t event = 0; event < n_events; ++event) {
    for (std::size_t i = 0; i < model.inputs().size(); ++i) {
      const auto& shape = model.inputs()[i].shape;
      const auto x =
          shape[0] == hepml::any_steps ? session.sequence(i, event % n_steps + 1) : session.input(i);
      for (float& value : x) value = shape.size() < 3 || random.next() > 0.94F ? 1.0F + random.next() : 0.0F;
    }
    session.run();
    n_good += session.status() == hepml::Status::ok ? 1 : 0;
  }
  counting = false;
  CHECK(allocations == 0);
  CHECK(n_good == n_events);
  std::printf("%s: %zu events\n", path, n_good);
}

/// One Model, 16 threads, each with its Session: the bits of one thread.
void threads(const std::string& network) {
  const auto model = hepml::Model::parse(network);
  networks::Random random(6);
  const auto ecal = towers(random, 300, 0.6);
  const auto hcal = towers(random, 80, 0.6);
  constexpr int n_events = 100;
  const auto score = [&](std::vector<float>& scores) {
    hepml::Tagger tagger(model);
    for (int i = 0; i < n_events; ++i) scores.push_back(tagger(ecal, hcal, -0.3 + 0.003 * i, 0.002 * i));
  };
  std::vector<float> alone;
  score(alone);
  std::vector<std::vector<float>> results(16);
  std::vector<std::thread> pool;
  for (auto& result : results) pool.emplace_back([&score, &result] { score(result); });
  for (auto& thread : pool) thread.join();
  for (const auto& result : results) CHECK(result == alone);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 2; i < argc; ++i) file(argv[i], std::strtoul(argv[1], nullptr, 10));
  if (argc > 1) return check::failures == 0 ? 0 : 1;
  per_event();
  of_polynomials();
  monitored();
  threads(networks::tagger_network());
  threads(networks::efp_network(polynomials));
  return check::failures == 0 ? 0 : 1;
}
