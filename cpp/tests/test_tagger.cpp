// Towers to score: the same bits as images and variables filled by hand, NaN and a status where rejected.

#include <hepml/hepml.hpp>

#include <array>
#include <cmath>
#include <limits>

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
}

}  // namespace

int main() {
  same_as_by_hand();
  rejections();
  unfit_models();
  return check::failures == 0 ? 0 : 1;
}
