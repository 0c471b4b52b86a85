// Images computed only where they are not empty give the same bits as computed everywhere, whatever came
// before.

#include <hepml/hepml.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "check.hpp"
#include "networks.hpp"

using hepml::LoadOptions;
using hepml::Model;
using hepml::Session;

namespace {

std::string conv(networks::Random& random, std::size_t kernel, std::size_t n_in, std::size_t n_out,
                 const std::string& more) {
  return R"({"architecture":"conv2d","kernel_size":)" + networks::pair(kernel, kernel) + R"(,"filters":)" +
         std::to_string(n_out) + more + R"(,"weights":)" +
         networks::list(random.many(kernel * kernel * n_in * n_out, 0.5F)) + R"(,"bias":)" +
         networks::list(random.many(n_out, 0.3F)) + "}";
}

const std::string same = R"(,"padding":"same","activation":"rectified")";
const std::string pool = R"({"architecture":"maxpooling2d","pool_size":[2,2],"padding":"same"})";
const std::string flatten = R"({"architecture":"flatten"})";

/// Chains of local layers, ended by a flatten or by nothing.
std::vector<std::pair<std::vector<std::string>, std::size_t>> chains(networks::Random& random) {
  const std::string tanh = R"(,"padding":"valid","activation":"tanh")";
  const std::string strided = R"(,"padding":"same","strides":[2,3],"activation":"linear")";
  const std::string dilated = R"(,"padding":"same","dilation_rate":[2,1],"activation":"softmax")";
  const std::string normalization = R"({"architecture":"normalization","weights":)" +
                                    networks::list(random.many(5)) + R"(,"bias":)" +
                                    networks::list(random.many(5)) + "}";
  return {
      {{conv(random, 3, 2, 5, same), conv(random, 3, 5, 18, same), pool, conv(random, 3, 18, 4, same), pool},
       4},
      {{conv(random, 4, 2, 5, tanh), normalization, conv(random, 2, 5, 49, tanh)}, 49},
      {{conv(random, 3, 2, 5, strided), conv(random, 3, 5, 3, dilated)}, 3},
      {{R"({"architecture":"maxpooling2d","pool_size":[3,2],"strides":[1,2],"padding":"valid"})",
        conv(random, 5, 2, 7, same)},
       7},
  };
}

constexpr std::size_t rows = 40, columns = 51;

/// Events of every occupancy; one that is not finite between them.
void fill(hepml::span<float> image, networks::Random& random, std::size_t event) {
  const float share[] = {0.02F, 0.0F, 0.1F, 1.0F, 0.02F, 0.5F, 0.9F, 0.01F};
  const float filled = share[event % 8];
  for (float& value : image) {
    const bool hit = 0.5F * (random.next() + 1.0F) < filled;
    const float deposit = random.next();
    value = hit ? deposit : 0.0F;
  }
  if (event % 11 == 10) image[3] = std::numeric_limits<float>::quiet_NaN();
}

void same_bits(const std::string& text, const std::string& cpu) {
  LoadOptions options;
  options.cpu = cpu;
  const auto sparse = Model::parse(text, options);
  options.sparse = false;
  const auto dense = Model::parse(text, options);
  CHECK(sparse.session_bytes() > dense.session_bytes());
  Session a(sparse), b(dense);
  networks::Random random(7);
  for (std::size_t event = 0; event < 60; ++event) {
    fill(a.input(0), random, event);
    std::memcpy(b.input(0).data(), a.input(0).data(), a.input(0).size() * sizeof(float));
    a.run();
    b.run();
    CHECK(a.status() == b.status());
    const auto x = a.output(0), y = b.output(0);
    CHECK(x.size() == y.size());
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i])));
  }
}

/// The outputs of a chain as they are: labels for the last axis.
void chains_of_layers() {
  for (const std::string& cpu : hepml::cpus()) {
    networks::Random random(3);
    for (const auto& [layers, n] : chains(random))
      same_bits(networks::chain(rows, columns, 2, layers, n), cpu);
  }
}

/// An offset makes the empty image another one than zeros.
void an_empty_image_is_not_zero_to_the_network() {
  networks::Random random(4);
  std::string text =
      networks::chain(rows, columns, 2, {conv(random, 3, 2, 5, same), pool, conv(random, 3, 5, 4, same)}, 4);
  text.replace(text.find("\"offset\":0"), 10, "\"offset\":0.7");
  same_bits(text, "");
}

/// Rows of several words of bits, and windows that meet or pass their ends.
void wide_images() {
  const std::string strides = R"(,"padding":"same","strides":[1,7],"activation":"rectified")";
  const std::string dilated = R"(,"padding":"valid","dilation_rate":[1,33],"activation":"linear")";
  const std::string long_pool =
      R"({"architecture":"maxpooling2d","pool_size":[1,90],"strides":[1,1],"padding":"same"})";
  for (const std::size_t wide : {63, 64, 65, 128, 129, 300}) {
    networks::Random random(5);
    const std::vector<std::vector<std::string>> all{
        {conv(random, 3, 1, 16, same), pool, conv(random, 5, 16, 3, same), pool},
        {conv(random, 3, 1, 9, strides), conv(random, 4, 9, 9, same), conv(random, 3, 9, 3, same)},
        {conv(random, 2, 1, 8, dilated), long_pool, conv(random, 3, 8, 3, same)},
    };
    for (const auto& layers : all) same_bits(networks::chain(12, wide, 1, layers, 3), "");
  }
}

void two_sessions_do_not_meet() {
  networks::Random random(6);
  const auto model = Model::parse(networks::chain(rows, columns, 2, {conv(random, 3, 2, 5, same), pool}, 5));
  Session a(model), b(model), fresh(model);
  a.input(0)[5] = 1;
  a.run();
  b.input(0)[80] = 2;
  b.run();
  a.input(0)[5] = 0;
  a.input(0)[80] = 2;
  a.run();
  for (std::size_t i = 0; i < a.output(0).size(); ++i) CHECK(a.output(0)[i] == b.output(0)[i]);
  Session moved = std::move(b);
  moved.input(0)[80] = 0;
  moved.run();
  fresh.run();
  for (std::size_t i = 0; i < fresh.output(0).size(); ++i) CHECK(moved.output(0)[i] == fresh.output(0)[i]);
}

}  // namespace

int main() {
  chains_of_layers();
  an_empty_image_is_not_zero_to_the_network();
  wide_images();
  two_sessions_do_not_meet();
  return check::failures == 0 ? 0 : 1;
}
