// Energy-flow polynomials in an application: values, memory that is taken once, and graphs that cannot be.

#include <hepml/hepml.hpp>

#include <array>
#include <cmath>
#include <cstdlib>
#include <new>
#include <vector>

#include "check.hpp"

namespace {

std::size_t allocations = 0;

using hepml::Error;
using hepml::Polynomials;

const std::array<double, 3> weight{3, 1, 0}, eta{0, 0.3, 5}, phi{0, 0.4, 5}, one{1, 1, 1};

void values() {
  const Polynomials polynomials({{1, {}}, {2, {{0, 1}}}, {2, {{0, 1}, {1, 0}}}, {4, {{0, 1}, {2, 3}}}});
  CHECK(polynomials.size() == 4);
  Polynomials::Memory memory;
  std::vector<double> found(16);
  const std::array<double, 2> kappas{1, 2}, betas{1, 2};
  polynomials.compute(weight, eta, phi, true, kappas, betas, found, memory);
  const double pair = 2 * 0.75 * 0.25, squares = 2 * 0.5625 * 0.0625;
  const std::array<double, 8> right{1,          1,           0.625,         0.625,
                                    pair * 0.5, pair * 0.25, squares * 0.5, squares * 0.25};
  for (std::size_t k = 0; k < right.size(); ++k) CHECK(std::abs(found[k] - right[k]) < 1e-15);
  CHECK(std::abs(found[8] - pair * 0.25) < 1e-15);          // theta^2
  CHECK(std::abs(found[12] - pair * pair * 0.25) < 1e-15);  // a product of two parts
  polynomials.compute({}, {}, {}, true, kappas, betas, found, memory);
  for (const double value : found) CHECK(value == 0);
}

void memory_is_taken_once() {
  const Polynomials polynomials(
      {{3, {{0, 1}, {1, 2}, {0, 2}}}, {4, {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}}}});
  Polynomials::Memory memory;
  std::array<double, 2> found{};
  const std::array<double, 1> exponent{1};
  std::vector<double> z(40, 0.025), x(40), y(40);
  for (std::size_t i = 0; i < z.size(); ++i)
    x[i] = 0.01 * static_cast<double>(i * i % 7), y[i] = 0.02 * static_cast<double>(i % 5);
  polynomials.compute(z, x, y, true, exponent, exponent, found, memory);
  const std::array<double, 2> before = found;
  const std::size_t count = allocations;
  for (int k = 0; k < 100; ++k) polynomials.compute(z, x, y, true, exponent, exponent, found, memory);
  CHECK(allocations == count && found == before);
  Polynomials::Memory reserved;
  polynomials.reserve(40, reserved);
  CHECK(polynomials.bytes(40) >= 4 * 40 * 40 * sizeof(double) && polynomials.bytes(0) < polynomials.bytes(9));
  const std::size_t taken = allocations;
  polynomials.compute(z, x, y, true, exponent, exponent, found, reserved);
  CHECK(allocations == taken && found == before);
}

void multiplications_are_counted() {
  const auto of = [](const Polynomials::Graph& graph, std::size_t n) {
    return Polynomials({graph}).multiplications(n);
  };
  CHECK(of({1, {}}, 10) == 0);
  CHECK(of({2, {{0, 1}}}, 10) == 110);                  // a matrix times a vector, and a dot product
  CHECK(of({2, {{0, 1}, {0, 1}, {0, 1}}}, 10) == 310);  // and the third power of the angles
  CHECK(of({3, {{0, 1}, {0, 2}, {1, 2}}}, 10) == 10 * 55 + 100 + 100 + 110);
  CHECK(Polynomials({{2, {{0, 1}}}, {3, {{0, 1}, {1, 2}}}}).multiplications(10) < 110 + 220);  // shared
}

void what_cannot_be() {
  const auto code = [](const std::vector<Polynomials::Graph>& graphs) {
    return ERROR_OF(Polynomials{graphs}).code();
  };
  CHECK(code({{2, {{0, 0}}}}) == Error::Code::usage);
  CHECK(code({{2, {{0, 2}}}}) == Error::Code::usage);
  CHECK(code({{3, {{0, 1}}}}) == Error::Code::usage);
  CHECK(code({{0, {}}}) == Error::Code::usage);
  Polynomials::Graph dense{5, {}};
  for (std::uint8_t i = 0; i < 5; ++i) {
    for (std::uint8_t j = 0; j < i; ++j) dense.edges.emplace_back(i, j);
  }
  CHECK(code({{1, {}}, dense}) == Error::Code::unsupported);
  const Polynomials point(std::vector<Polynomials::Graph>{{1, {}}});
  Polynomials::Memory memory;
  std::array<double, 2> two{};
  const std::array<double, 1> exponent{1};
  CHECK(ERROR_OF(point.compute(weight, eta, phi, true, exponent, exponent, two, memory)).code() ==
        Error::Code::usage);
}

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

int main() {
  values();
  memory_is_taken_once();
  multiplications_are_counted();
  what_cannot_be();
  return check::failures == 0 ? 0 : 1;
}
