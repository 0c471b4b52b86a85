// Towers to score: the same bits as images and variables filled by hand, NaN and a status where rejected.

#include <hepml/hepml.hpp>

#include <algorithm>
#include <array>
#include <cfenv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "check.hpp"
#include "networks.hpp"

namespace {

using hepml::Status;
using hepml::Tower;

std::vector<Tower> towers(std::uint32_t seed, std::size_t n, double eta, double phi) {
  networks::Random random(seed);
  std::vector<Tower> out;
  for (std::size_t i = 0; i < n; ++i) {
    const double et = 3.0 * (static_cast<double>(random.next()) + 1.0);
    const double at = eta + 0.5 * static_cast<double>(random.next());
    out.push_back({et, at, phi + 0.5 * static_cast<double>(random.next()), et * std::cosh(at)});
  }
  return out;
}

std::string thresholds() {
  return R"(,"thresholds":[)"
         R"({"signal_efficiency":0.5,"threshold":0.99,"pt":null,"eta":null},)"
         R"({"signal_efficiency":0.9,"threshold":0.0,"pt":null,"eta":null},)"
         R"({"signal_efficiency":0.9,"threshold":0.0,"pt":[10,20],"eta":[-1,1]},)"
         R"({"signal_efficiency":0.9,"threshold":2.0,"pt":[20,null],"eta":[-1,1]}])";
}

void same_as_by_hand() {
  const auto model = hepml::Model::parse(networks::tagger_network());
  hepml::Tagger tagger(model);
  hepml::Session session(model);
  hepml::ImageMaker maker(*model.geometry(), model.convention());
  for (std::uint32_t event = 0; event < 20; ++event) {
    const double eta = -1.5 + 0.15 * event, phi = -3.1 + 0.31 * event;
    const auto ecal = towers(event, 150, eta, phi);
    const auto hcal = towers(event + 100, 60, eta, phi);
    const float score = tagger(ecal, hcal, eta, phi);
    CHECK(tagger.status() == Status::ok);
    const auto candidate = maker.find(ecal, hcal, eta, phi);
    std::array<float, 961> et{}, ee{};
    std::array<float, 64> ht{}, he{};
    maker.fill(candidate, ecal, hcal, {et, ee, ht, he});
    const hepml::ImageSpans<const float> images{et, ee, ht, he};
    std::copy(et.begin(), et.end(), session.input("et").begin());
    std::copy(ee.begin(), ee.end(), session.input("ee").begin());
    hepml::expand_hcal(*model.geometry(), ht, session.input("ht"));
    hepml::expand_hcal(*model.geometry(), he, session.input("he"));
    std::array<double, 7> features{};
    hepml::high_level(*model.geometry(), model.convention(), images, features);
    for (std::size_t i = 0; i < 7; ++i) session.input("hl")[i] = static_cast<float>(features[i]);
    const auto mass = [&](hepml::MassKind kind) {
      return static_cast<float>(
          hepml::mass(*model.geometry(), kind, images, candidate.hcal_deta, candidate.hcal_dphi));
    };
    session.input("mass")[0] = mass(hepml::MassKind::all);
    session.input("et_mass")[0] = mass(hepml::MassKind::et);
    session.input("ee_mass")[0] = mass(hepml::MassKind::ee);
    CHECK(session.run()[0] == score);
    CHECK(session.logits()[0] == tagger.logit());
    CHECK(score > 0 && score < 1);
  }
}

const std::vector<networks::Polynomial> polynomials{
    {"et_efp_3_3_1", 3, "[[0,1],[0,2],[1,2]]", "1", "2"},
    {"et_efp_2_1_0", 2, "[[0,1]]", "0.5", "1"},
    {"ht_efp_1_0_0", 1, "[]", "2", "1"},
    {"et_efp_2_1_0x2_2_0", 4, "[[0,1],[2,3],[3,2]]", "-1", "0.5"},
    {"ht_efp_3_2_0", 3, "[[0,1],[2,1]]", "0", "4"},
    {"et_efp_2_2_0", 2, "[[0,1],[0,1]]", "0.5", "1"},
    {"et_efp_2_1_0", 2, "[[0,1]]", "2", "1", false}};

/// Each polynomial alone, of the pixels of the images.
void polynomials_by_hand() {
  const auto model = hepml::Model::parse(networks::efp_network(polynomials));
  hepml::Tagger tagger(model);
  hepml::Session session(model);
  hepml::ImageMaker maker(*model.geometry(), model.convention());
  hepml::Polynomials::Memory memory;
  std::vector<float> et(961), ee(961), ht(64), he(64), pixels(1024);
  for (std::uint32_t event = 0; event < 20; ++event) {
    const double eta = -1.5 + 0.15 * event, phi = -3.1 + 0.31 * event;
    const auto ecal = towers(event, 60, eta, phi);
    const auto hcal = towers(event + 100, event == 7 ? 0 : 10, eta, phi);
    const float score = tagger(ecal, hcal, eta, phi);
    CHECK(tagger.status() == Status::ok);
    maker.fill(maker.find(ecal, hcal, eta, phi), ecal, hcal, {et, ee, ht, he});
    hepml::expand_hcal(*model.geometry(), ht, pixels);
    for (std::size_t k = 0; k < polynomials.size(); ++k) {
      const bool of_ecal = polynomials[k].graph[0] == 'e';
      const auto& image = of_ecal ? et : pixels;
      const int side = of_ecal ? 31 : 32;
      const double parts = of_ecal ? 1 : 4;
      const hepml::Grid& grid = of_ecal ? model.geometry()->ecal : model.geometry()->hcal;
      std::vector<double> weight, eta_of, phi_of;
      for (int i = 0; i < side * side; ++i) {
        weight.push_back(static_cast<double>(image[static_cast<std::size_t>(i)]));
        eta_of.push_back((i % side - 0.5 * (side - 1)) * grid.eta_width() / parts);
        phi_of.push_back((0.5 * (side - 1) - i / side) * grid.phi_width() / parts);
      }
      hepml::Polynomials::Graph graph{polynomials[k].n, {}};
      const std::string edges = polynomials[k].edges;
      for (std::size_t at = edges.find("[", 1); at != std::string::npos; at = edges.find("[", at + 1))
        graph.edges.emplace_back(edges[at + 1] - '0', edges[at + 3] - '0');
      const std::array<double, 1> kappa{std::atof(polynomials[k].kappa)},
          beta{std::atof(polynomials[k].beta)};
      std::array<double, 1> value{};
      hepml::Polynomials({graph}).compute(weight, eta_of, phi_of, polynomials[k].normed, kappa, beta, value,
                                          memory);
      CHECK(std::abs(static_cast<double>(tagger.session().input("efp")[k]) - value[0]) <=
            1e-6 * std::abs(value[0]));
      CHECK((value[0] == 0) == (event == 7 && !of_ecal));
      session.input("efp")[k] = tagger.session().input("efp")[k];
    }
    CHECK(session.run()[0] == score);
  }
}

/// What has no value makes the score NaN, without a trap; a model is as good as new afterwards.
void polynomials_without_a_value() {
  const auto model = hepml::Model::parse(networks::efp_network(polynomials));
  hepml::Tagger tagger(model);
  auto ecal = towers(3, 50, 0, 0);
  const auto hcal = towers(4, 10, 0, 0);
  const float good = tagger(ecal, hcal, 0, 0);
  CHECK(good > 0 && good < 1);
  ecal.push_back({-2, 0.21, 0.21, -2});  // has no root
  CHECK(std::isnan(tagger(ecal, hcal, 0, 0)) && tagger.status() == Status::not_finite);
  CHECK(std::isnan(tagger.logit()) && std::fetestexcept(FE_INVALID | FE_OVERFLOW | FE_DIVBYZERO) == 0);
  ecal = {{1e25, 0.01, 0.01, 1e25}, {1e25, 0.1, 0.01, 1e25}};  // beyond float32 with kappa = 2
  CHECK(std::isnan(tagger(ecal, hcal, 0, 0)) && tagger.status() == Status::not_finite);
  ecal = {{5, 0.01, 0.01, 5}, {-5, 0.1, 0.01, -5}};  // nothing to divide by
  CHECK(std::isnan(tagger(ecal, hcal, 0, 0)) && tagger.status() == Status::not_finite);
  CHECK(std::fetestexcept(FE_INVALID | FE_OVERFLOW | FE_DIVBYZERO) == 0);
  CHECK(tagger(towers(3, 50, 0, 0), hcal, 0, 0) == good && tagger.status() == Status::ok);
}

void rejections() {
  const auto model = hepml::Model::parse(networks::tagger_network(thresholds()));
  hepml::Tagger tagger(model);
  auto ecal = towers(1, 100, 0, 0);
  const auto hcal = towers(2, 40, 0, 0);
  const auto rejected = [&](double eta, double phi, Status status) {
    CHECK(std::isnan(tagger(ecal, hcal, eta, phi)));
    CHECK(tagger.status() == status);
    CHECK(std::isnan(tagger.logit()));
    CHECK(!tagger.passes(0.9));
    CHECK(!tagger.passes(0.9, 15.0, 0.0));
  };
  rejected(9.0, 0.0, Status::outside_grid);
  rejected(2.45, 0.0, Status::search_window);
  rejected(2.25, 0.0, Status::image_window);
  rejected(std::numeric_limits<double>::quiet_NaN(), 0.0, Status::not_finite);
  CHECK(tagger(ecal, hcal, 0.0, 0.0) > 0);
  CHECK(tagger.passes(0.9));
  CHECK(tagger.passes(0.9, 15.0, 0.0));
  CHECK(!tagger.passes(0.9, 25.0, 0.0));  // its bin asks for more than 1
  CHECK(!tagger.passes(0.9, 5.0, 0.0));   // outside of all bins
  CHECK(!tagger.passes(0.5, 15.0, 0.0));  // no bins at 0.5: the threshold for all
  const auto error = ERROR_OF(tagger.passes(0.7));
  CHECK(error.code() == hepml::Error::Code::usage);
  CHECK(check::contains(error.what(), "0.5, 0.9"));
  ecal[3].et = std::numeric_limits<double>::infinity();
  rejected(0.0, 0.0, Status::not_finite);
}

/// Of the towers that count, the score of these towers alone; the others may hold anything.
void towers_that_count() {
  const auto selecting = [](const std::string& towers) {
    return hepml::Model::parse(networks::tagger_network(R"(,"towers":)" + towers));
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto all = hepml::Model::parse(networks::tagger_network());
  const auto limited = selecting(R"({"max":30,"not_finite":"drop"})");
  const auto kept = selecting(R"({"max":null,"not_finite":"keep"})");
  const auto both = selecting(R"({"max":30,"not_finite":"keep"})");
  CHECK(all.towers().most == 0 && !all.towers().skip_not_finite);
  CHECK(both.towers().most == 30 && both.towers().skip_not_finite);
  hepml::Tagger reference(all), by_limit(limited), by_policy(kept), by_both(both);
  for (std::uint32_t event = 0; event < 20; ++event) {
    auto ecal = towers(event, 40, 0.1, 0.2);
    auto hcal = towers(event + 100, 20, 0.1, 0.2);
    for (std::size_t i = 0; i < 12; ++i) ecal[2 * i].et = hcal[i].et = 3.5;  // ties across the limit
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t i = 0; i < 60; ++i) order.emplace_back(i < 40 ? -ecal[i].et : -hcal[i - 40].et, i);
    std::stable_sort(order.begin(), order.end(), [](auto& a, auto& b) { return a.first < b.first; });
    std::vector<bool> hottest(60);
    for (std::size_t i = 0; i < 30; ++i) hottest[order[i].second] = true;
    std::vector<Tower> hot_ecal, hot_hcal;
    for (std::size_t i = 0; i < 60; ++i) {
      if (hottest[i]) (i < 40 ? hot_ecal : hot_hcal).push_back(i < 40 ? ecal[i] : hcal[i - 40]);
    }
    CHECK(!hot_hcal.empty() && !hot_ecal.empty());
    const float expected = reference(ecal, hcal, 0.1, 0.2),
                of_hottest = reference(hot_ecal, hot_hcal, 0.1, 0.2);
    CHECK(reference.status() == Status::ok && expected != of_hottest);
    CHECK(by_limit(ecal, hcal, 0.1, 0.2) == of_hottest);
    CHECK(by_limit(hot_ecal, hot_hcal, 0.1, 0.2) == of_hottest);  // not more than the limit
    CHECK(by_policy(ecal, hcal, 0.1, 0.2) == expected);
    const Tower bad[] = {{nan, 0.1, 0.2, 1}, {5, 0.1, 0.2, infinity}, {5, nan, 0.2, 5}, {5, 0.1, 2e30, 5}};
    ecal.insert(ecal.begin() + event % 7, bad, bad + 4);
    hcal.insert(hcal.begin() + event % 5, bad, bad + 4);
    CHECK(std::isnan(reference(ecal, hcal, 0.1, 0.2)) && reference.status() == Status::not_finite);
    CHECK(std::isnan(by_limit(ecal, hcal, 0.1, 0.2)) && by_limit.status() == Status::not_finite);
    CHECK(by_policy(ecal, hcal, 0.1, 0.2) == expected && by_policy.status() == Status::ok);
    CHECK(by_both(ecal, hcal, 0.1, 0.2) == of_hottest && by_both.status() == Status::ok);
    CHECK(std::isnan(by_both(ecal, hcal, nan, 0.2)) && by_both.status() == Status::not_finite);
  }
  for (const char* wrong : {R"({"max":0,"not_finite":"drop"})", R"({"max":1e7,"not_finite":"drop"})",
                            R"({"max":null,"not_finite":"raise"})", R"({"max":"9"})", "[]"}) {
    CHECK(check::contains(ERROR_OF(selecting(wrong)).what(), "hepml.towers"));
  }
}

void unfit_models() {
  const auto plain = hepml::Model::parse(networks::chain(0, 0, 1, {}, 1));
  CHECK(check::contains(ERROR_OF(hepml::Tagger t(plain)).what(), "no image geometry"));
  auto text = networks::tagger_network();
  text.replace(text.find("\"hl\""), 4, "\"hx\"");
  const auto unknown = hepml::Model::parse(text);
  const auto error = ERROR_OF(hepml::Tagger t(unknown));
  CHECK(check::contains(error.what(), "'hx'"));
  text = networks::tagger_network();
  text.replace(text.find("hl_3"), 4, "r_had");
  const auto swapped = hepml::Model::parse(text);
  CHECK(check::contains(ERROR_OF(hepml::Tagger t(swapped)).what(), "are not hepml's"));
  CHECK(check::contains(error.what(), "nearest:"));
  text = networks::efp_network(polynomials);
  text.replace(text.find("\"efps\""), 6, "\"more\"");
  const auto undefined = hepml::Model::parse(text);
  CHECK(check::contains(ERROR_OF(hepml::Tagger t(undefined)).what(), "hepml.efps"));
}

}  // namespace

int main() {
  same_as_by_hand();
  polynomials_by_hand();
  std::feclearexcept(FE_ALL_EXCEPT);
  polynomials_without_a_value();
  rejections();
  towers_that_count();
  unfit_models();
  return check::failures == 0 ? 0 : 1;
}
