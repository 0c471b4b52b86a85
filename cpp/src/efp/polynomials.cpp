#include <hepml/efp.hpp>
#include <hepml/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "efp/program.hpp"
#include "kernels/select.hpp"

namespace hepml {

namespace {

constexpr std::size_t lanes = 8;  // vectors are padded to so many doubles
constexpr double pi = 3.14159265358979323846;

std::size_t padded(std::size_t n) noexcept {
  return std::max((n + lanes - 1) / lanes * lanes, lanes);
}

/// Squared distances to theta^beta.
void to_power(const double* squares, double beta, double* y, std::size_t n) noexcept {
  if (beta == 2) {
    std::copy(squares, squares + n, y);
  } else if (beta == 1) {
    for (std::size_t i = 0; i < n; ++i) y[i] = std::sqrt(squares[i]);
  } else if (beta == 0.5) {
    for (std::size_t i = 0; i < n; ++i) y[i] = std::sqrt(std::sqrt(squares[i]));
  } else if (beta == 4) {
    for (std::size_t i = 0; i < n; ++i) y[i] = squares[i] * squares[i];
  } else {
    for (std::size_t i = 0; i < n; ++i) y[i] = squares[i] > 0 ? std::pow(squares[i], 0.5 * beta) : squares[i];
  }
}

void whole_power(const double* x, std::uint32_t power, double* y, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    double square = x[i], product = 1;
    for (std::uint32_t left = power; left != 0; left /= 2, square *= square) {
      if (left % 2 != 0) product *= square;
    }
    y[i] = product;
  }
}

double squared_distance(double eta, double phi) noexcept {
  phi = std::fabs(phi);
  if (phi > pi) phi = std::fabs(std::remainder(phi, 2 * pi));
  return eta * eta + phi * phi;
}

}  // namespace

struct Polynomials::Parts {
  efp::Program program;
  std::size_t outer = 0, inner = 0, gathered = 0;  // ends of the parts of the program
  const kernels::Kernels* kernels = nullptr;
};

namespace {

/// Doubles for an event of `pad` constituents.
std::size_t room(std::size_t pad, const efp::Program& program) noexcept {
  return (2 + program.n_matrices) * pad * pad + (4 + program.n_vectors) * pad + program.n_numbers;
}

}  // namespace

struct Polynomials::Memory::Numbers {
  std::unique_ptr<double[]> all;  // not initialized: pages that are not used cost nothing
  std::size_t size = 0, pad = 0;
  double *weight = nullptr, *eta = nullptr, *phi = nullptr;  // of the constituents
  double *z = nullptr, *squares = nullptr, *angles = nullptr;
  double *vectors = nullptr, *matrices = nullptr, *numbers = nullptr;

  /// Room for events of n constituents.
  void reserve(std::size_t n, const efp::Program& program) {
    pad = padded(n);
    const std::size_t needed = room(pad, program) + lanes;
    if (size < needed) {
      all.reset(new double[needed]);
      size = needed;
    }
    double* at = all.get();
    while (reinterpret_cast<std::uintptr_t>(at) % 64 != 0) ++at;
    const auto take = [&at](std::size_t n_doubles) { return std::exchange(at, at + n_doubles); };
    squares = take(pad * pad);
    angles = take(pad * pad);
    matrices = take(program.n_matrices * pad * pad);
    weight = take(pad);
    eta = take(pad);
    phi = take(pad);
    z = take(pad);
    vectors = take(program.n_vectors * pad);
    numbers = take(program.n_numbers);
  }
};

namespace {

/// One program on one event.
struct Run {
  const efp::Program& program;
  const kernels::Kernels& kernels;
  std::size_t n, pad;
  const double *z, *angles;
  double *vectors, *matrices, *numbers;

  double* vector(std::uint32_t node) const { return vectors + program.place[node] * pad; }
  double* matrix(std::uint32_t node) const { return matrices + program.place[node] * pad * pad; }
  double& number(std::uint32_t node) const { return numbers[program.place[node]]; }

  void step(std::uint32_t index, std::size_t hub) const noexcept {
    using efp::Op;
    const efp::Node& node = program.nodes[index];
    switch (node.op) {
      case Op::weight:
        return static_cast<void>(std::copy(z, z + pad, vector(index)));
      case Op::angle:
        return whole_power(angles, node.a, matrix(index), pad * pad);
      case Op::row:
        return static_cast<void>(std::copy_n(matrix(node.a) + hub * pad, pad, vector(index)));
      case Op::times:
        return kernels.multiply_doubles(vector(node.a), vector(node.b), vector(index), pad);
      case Op::mask:
        return kernels.multiply_doubles(matrix(node.a), matrix(node.b), matrix(index), pad * pad);
      case Op::transpose:
        for (std::size_t i = 0; i < pad; ++i) {
          for (std::size_t j = 0; j < pad; ++j) matrix(index)[j * pad + i] = matrix(node.a)[i * pad + j];
        }
        return;
      case Op::apply:
        if (program.nodes[node.a].symmetric)
          return kernels.row_times_doubles(vector(node.b), matrix(node.a), vector(index), n, pad);
        for (std::size_t i = 0; i < pad; ++i)
          vector(index)[i] = i < n ? kernels.dot_doubles(matrix(node.a) + i * pad, vector(node.b), pad) : 0.0;
        return;
      case Op::chain:
        return kernels.chain_doubles(matrix(node.a), vector(node.b), matrix(node.c), matrix(index), n, pad);
      case Op::sum:
        number(index) = 0;
        for (std::size_t i = 0; i < n; ++i) number(index) += vector(node.a)[i];
        return;
      case Op::dot:
        number(index) = kernels.dot_doubles(vector(node.a), vector(node.b), pad);
        return;
      case Op::gather:
        number(index) += vector(node.a)[hub] * number(node.b);
        return;
      case Op::product:
        number(index) = number(node.a) * number(node.b);
        return;
    }
  }
};

}  // namespace

Polynomials::Memory::Memory() : numbers_(std::make_unique<Numbers>()) {}
Polynomials::Memory::~Memory() = default;
Polynomials::Memory::Memory(Memory&&) noexcept = default;
Polynomials::Memory& Polynomials::Memory::operator=(Memory&&) noexcept = default;

Polynomials::Polynomials(const std::vector<Graph>& graphs, const std::string& cpu) {
  auto parts = std::make_unique<Parts>();
  parts->kernels = &kernels::select(cpu);
  for (std::size_t g = 0; g < graphs.size(); ++g) {
    const Graph& graph = graphs[g];
    const std::string where = "graphs[" + std::to_string(g) + "]";
    std::vector<bool> named(graph.vertices, graph.vertices == 1);
    for (const auto& [i, j] : graph.edges) {
      if (i >= graph.vertices || j >= graph.vertices || i == j)
        throw Error(Error::Code::usage, {"not an edge",
                                         {},
                                         where,
                                         "two different vertices below " + std::to_string(graph.vertices),
                                         std::to_string(i) + " to " + std::to_string(j)});
      named[i] = named[j] = true;
    }
    if (graph.vertices == 0 || std::find(named.begin(), named.end(), false) != named.end())
      throw Error(Error::Code::usage, {"a graph has a vertex without edges", {}, where});
    if (!parts->program.add(graph.vertices, graph.edges))
      throw Error(Error::Code::unsupported, {"a graph is too dense",
                                             {},
                                             where,
                                             "all vertices but one summed over one after another",
                                             "a hub within a hub, as in K5"});
  }
  efp::Program& program = parts->program;
  program.finish();
  const auto end_of = [&program](std::size_t from, auto holds) {
    while (from < program.nodes.size() && holds(program.nodes[from])) ++from;
    return from;
  };
  parts->outer = end_of(0, [](const efp::Node& node) { return !node.inner && node.op != efp::Op::gather; });
  parts->inner = end_of(parts->outer, [](const efp::Node& node) { return node.inner; });
  parts->gathered = end_of(parts->inner, [](const efp::Node& node) { return node.op == efp::Op::gather; });
  parts_ = std::move(parts);
}
Polynomials::~Polynomials() = default;
Polynomials::Polynomials(Polynomials&&) noexcept = default;
Polynomials& Polynomials::operator=(Polynomials&&) noexcept = default;

std::size_t Polynomials::size() const noexcept {
  return parts_->program.results.size();
}

double Polynomials::multiplications(std::size_t constituents) const noexcept {
  const auto n = static_cast<double>(constituents);
  double total = 0;
  for (const efp::Node& node : parts_->program.nodes) {
    const bool repeated = node.inner || node.op == efp::Op::gather;
    total += (repeated ? n : 1) * efp::Program::multiplications(node, n);
  }
  return total;
}

void Polynomials::reserve(std::size_t constituents, Memory& memory) const {
  memory.numbers_->reserve(constituents, parts_->program);
}

std::size_t Polynomials::bytes(std::size_t constituents) const noexcept {
  return (room(padded(constituents), parts_->program) + lanes) * sizeof(double);
}

void Polynomials::compute(span<const double> weight, span<const double> eta, span<const double> phi,
                          bool normed, span<const double> kappas, span<const double> betas,
                          span<double> values, Memory& memory) const {
  const efp::Program& program = parts_->program;
  const std::size_t n_results = program.results.size(), n_settings = kappas.size() * betas.size();
  if (eta.size() != weight.size() || phi.size() != weight.size() || values.size() != n_results * n_settings)
    throw Error(Error::Code::usage, {"arrays of different lengths"});
  Memory::Numbers& m = *memory.numbers_;
  const auto n = weight.size() - static_cast<std::size_t>(std::count(weight.begin(), weight.end(), 0.0));
  m.reserve(n, program);
  const std::size_t pad = m.pad;
  double total = 0;
  for (std::size_t i = 0, k = 0; i < weight.size(); ++i) {
    if (weight[i] == 0) continue;
    m.weight[k] = weight[i];
    m.eta[k] = eta[i];
    m.phi[k] = phi[i];
    total += weight[i];
    ++k;
  }
  if (normed) {
    for (std::size_t i = 0; i < n; ++i) m.weight[i] /= total;
  }
  std::fill(m.squares, m.squares + pad * pad, 0.0);
  std::fill(m.angles, m.angles + pad * pad, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j)
      m.squares[i * pad + j] = m.squares[j * pad + i] =
          squared_distance(m.eta[i] - m.eta[j], m.phi[i] - m.phi[j]);
  }
  const Run run{program, *parts_->kernels, n, pad, m.z, m.angles, m.vectors, m.matrices, m.numbers};
  const auto steps = [&run](std::size_t from, std::size_t to, std::size_t hub) {
    for (std::size_t k = from; k < to; ++k) run.step(static_cast<std::uint32_t>(k), hub);
  };
  for (std::size_t b = 0; b < betas.size(); ++b) {
    to_power(m.squares, betas[b], m.angles, n * pad);
    for (std::size_t k = 0; k < kappas.size(); ++k) {
      for (std::size_t i = 0; i < pad; ++i)
        m.z[i] = i >= n ? 0.0 : kappas[k] == 1 ? m.weight[i] : std::pow(m.weight[i], kappas[k]);
      steps(0, parts_->outer, 0);
      for (std::size_t g = parts_->inner; g < parts_->gathered; ++g)
        run.number(static_cast<std::uint32_t>(g)) = 0;
      for (std::size_t hub = 0; parts_->inner > parts_->outer && hub < n; ++hub)
        steps(parts_->outer, parts_->gathered, hub);
      steps(parts_->gathered, program.nodes.size(), 0);
      for (std::size_t g = 0; g < n_results; ++g)
        values[(g * kappas.size() + k) * betas.size() + b] = run.number(program.results[g]);
    }
  }
}

}  // namespace hepml
