// The event kernels, one event at a time, as a trigger application calls them.

#include <hepml/events.hpp>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

int failures = 0;
std::size_t allocations = 0;

void check(bool holds, const char* what, int line) {
  if (holds) return;
  std::fprintf(stderr, "line %d: %s\n", line, what);
  ++failures;
}
#define CHECK(...) check((__VA_ARGS__), #__VA_ARGS__, __LINE__)

bool near(double a, double b, double tolerance) {
  return std::fabs(a - b) <= tolerance * std::fabs(b);
}

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

using namespace hepml;

namespace {

const Geometry paper;

Tower ecal_tower(int eta, int phi, double et, double e) {
  return {et, paper.ecal.eta_center(eta), paper.ecal.phi_center(phi), e};
}
Tower hcal_tower(int eta, int phi, double et, double e) {
  return {et, paper.hcal.eta_center(eta), paper.hcal.phi_center(phi), e};
}

struct FourImages {
  std::array<float, 961> ecal_et{}, ecal_e{};
  std::array<float, 64> hcal_et{}, hcal_e{};
  ImageSpans<float> spans() { return {ecal_et, ecal_e, hcal_et, hcal_e}; }
  ImageSpans<const float> views() const { return {ecal_et, ecal_e, hcal_et, hcal_e}; }
};

void grids() {
  for (int i = 0; i < paper.ecal.n_eta; ++i) CHECK(paper.ecal.eta_index(paper.ecal.eta_center(i)) == i);
  for (int i = 0; i < paper.ecal.n_phi; ++i) {
    for (int turn = -3; turn <= 40; turn += 43) {
      CHECK(paper.ecal.phi_index(paper.ecal.phi_center(i) + turn * 2 * 3.14159265358979323846) == i);
    }
  }
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  CHECK(paper.ecal.eta_index(2.5) == -1 && paper.ecal.eta_index(-2.5) == 0 &&
        paper.ecal.eta_index(-2.51) == -1);
  CHECK(paper.ecal.eta_index(nan) == -1 && paper.ecal.phi_index(nan) == -1);
  CHECK(paper.ecal.phi_index(infinity) == -1 && paper.ecal.phi_index(-1e300) >= 0);
  CHECK(paper.ecal.phi_center(-1) == paper.ecal.phi_center(251));
}

void geometries() {
  CHECK(paper.problem() == nullptr);
  CHECK(paper.ecal_pixels() == 961 && paper.hcal_cells() == 64 && paper.hcal_pixels() == 1024);
  Geometry even = paper;
  even.ecal_window = 30;
  CHECK(even.problem() != nullptr);
  Geometry wide = paper;
  wide.search = 126;
  CHECK(wide.problem() != nullptr);
  Geometry backwards = paper;
  backwards.hcal.eta_min = 3;
  CHECK(backwards.problem() != nullptr);
  bool thrown = false;
  try {
    ImageMaker maker(even);
  } catch (const std::invalid_argument& error) {
    thrown = std::string(error.what()) == even.problem();
  }
  CHECK(thrown);
}

void one_event() {
  const std::vector<Tower> ecal{ecal_tower(101, 251, 5, 6), ecal_tower(100, 1, 9, 10),
                                ecal_tower(100, 1, 1, 2), ecal_tower(130, 0, 99, 99)};
  const std::vector<Tower> hcal{hcal_tower(25, 0, 4, 5), hcal_tower(25, 61, 2, 3)};
  ImageMaker maker;
  FourImages images;
  const std::size_t before = allocations;
  const Candidate found = maker.find(ecal, hcal, paper.ecal.eta_center(103), paper.ecal.phi_center(3));
  maker.fill(found, ecal, hcal, images.spans());
  std::array<double, n_features> features{};
  high_level(paper, Convention::standard, images.views(), features);
  const double all = mass(paper, MassKind::all, images.views(), found.hcal_deta, found.hcal_dphi);
  const double et = mass(paper, MassKind::et, images.views(), 0, 0);
  CHECK(allocations == before);

  CHECK(found.status == Status::ok && found.cell_eta == 100 && found.cell_phi == 1);
  CHECK(images.ecal_et[15 * 31 + 15] == 10 && images.ecal_e[15 * 31 + 15] == 12);
  CHECK(images.ecal_et[17 * 31 + 16] == 5);  // two cells lower in phi, across -pi
  double sum = 0;
  for (const float value : images.ecal_et) sum += static_cast<double>(value);
  CHECK(sum == 15);
  CHECK(features[0] == 6.0 / 15.0);
  CHECK(features[2] == 12.0 / 18.0);
  const double pair = std::cosh(paper.ecal.eta_width()) - std::cos(2 * paper.ecal.phi_width());
  CHECK(near(et, std::sqrt(2 * 10 * 5 * pair), 1e-12));
  CHECK(all > et);

  std::array<float, 1024> pixels{};
  expand_hcal(paper, images.hcal_et, pixels);
  double expanded = 0;
  for (const float value : pixels) expanded += static_cast<double>(value);
  CHECK(expanded == 6);

  // the same maker again: nothing is left of the first event
  maker.fill(found, {}, {}, images.spans());
  for (const float value : images.ecal_et) CHECK(value == 0);
}

void rejections() {
  ImageMaker maker;
  const std::vector<Tower> none;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(maker.find(none, none, 2.6, 0).status == Status::outside_grid);
  CHECK(maker.find(none, none, 2.4, 0).status == Status::search_window);
  CHECK(maker.find(none, none, 2.2, 0).status == Status::image_window);
  CHECK(maker.find(none, none, nan, 0).status == Status::not_finite);
  CHECK(maker.find(none, none, 0, nan).status == Status::not_finite);
  CHECK(maker.find(none, none, 1e31, 0).status == Status::not_finite);
  CHECK(maker.find(none, none, 0, 1e18).status == Status::not_finite);
  CHECK(maker.find(none, none, 0, 0).status == Status::ok);
  for (const Tower& bad :
       {Tower{nan, 0, 0, 1}, Tower{1, nan, 0, 1}, Tower{1, 0, HUGE_VAL, 1}, Tower{1, 0, 0, nan}}) {
    const std::vector<Tower> towers{bad};
    CHECK(maker.find(towers, none, 0, 0).status == Status::not_finite);
    CHECK(maker.find(none, towers, 0, 0).status == Status::not_finite);
  }
  ImageMaker published(paper, Convention::arxiv_2011_01984);
  CHECK(published.find(none, none, 0, 0).status == Status::own_cell_hottest);
  CHECK(std::string(name(Status::image_window)) == "image_window");
}

void empty_images() {
  const FourImages images;
  std::array<double, n_features> features{};
  high_level(paper, Convention::standard, images.views(), features);
  for (const double value : features) CHECK(value == 0);
  CHECK(mass(paper, MassKind::all, images.views(), 0.0125, 0.01) == 0);
  CHECK(sigma_etaeta_log(paper, images.ecal_e) == 0);
  CHECK(!hard_selection(paper, images.views()));
}

void cones() {
  Candidate candidate;
  candidate.cell_eta = 100;
  candidate.cell_phi = 0;
  const std::vector<Tower> ecal{ecal_tower(100, 0, 9, 9), ecal_tower(100, 246, 2, 2)};
  const std::array<double, 2> radii{0.1, 0.2};
  std::array<double, 2> values{};
  isolation(paper, candidate, ecal, {}, 5, 10.0, radii, values);
  CHECK(values[0] == 0 && values[1] == 0.2);
}

}  // namespace

int main() {
  grids();
  geometries();
  one_event();
  rejections();
  empty_images();
  cones();
  return failures == 0 ? 0 : 1;
}
