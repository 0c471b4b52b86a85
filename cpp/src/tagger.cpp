#include <hepml/tagger.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "model_maker.hpp"
#include "parse/text.hpp"

namespace hepml {
namespace {

enum class Token { et, ee, ht, he, hl, mass, et_mass, ee_mass, efp };

struct TokenRow {
  const char* name;
  Token token;
};

constexpr TokenRow tokens[] = {
    {"et", Token::et},           {"ee", Token::ee},           {"ht", Token::ht},
    {"he", Token::he},           {"hl", Token::hl},           {"mass", Token::mass},
    {"et_mass", Token::et_mass}, {"ee_mass", Token::ee_mass}, {parse::efp_input, Token::efp},
};

/// What the numbers of the input `efp` are.
const efp::ImagePolynomials& need_polynomials(const Model& model) {
  if (const auto& found = ModelMaker::network(model).polynomials) return *found;
  throw Error(Error::Code::usage, {"the model does not say what the numbers of its input 'efp' are",
                                   {},
                                   "hepml.efps",
                                   "the definition of each polynomial",
                                   "none",
                                   {},
                                   "export it with the names of the polynomials and its geometry"});
}

std::vector<std::size_t> shape_of(Token token, const Model& model, const Geometry& geometry) {
  const auto square = [](int n) { return std::vector<std::size_t>{std::size_t(n), std::size_t(n), 1}; };
  switch (token) {
    case Token::et:
    case Token::ee:
      return square(geometry.ecal_window);
    case Token::ht:
    case Token::he:
      return square(geometry.hcal_window * geometry.hcal_expand);
    case Token::hl:
      return {n_features};
    case Token::efp:
      return {need_polynomials(model).size()};
    default:
      return {1};
  }
}

constexpr const char* feature_names[] = {"r_had",        "w_eta2", "r_phi", "r_eta",
                                         "sigma_etaeta", "iso_03", "iso_04"};
static_assert(sizeof feature_names / sizeof *feature_names == n_features);

/// Variables that have hepml's names must have its order; names of the user's own say nothing.
void check_names(const Input& input) {
  std::vector<std::string> own, known(std::begin(feature_names), std::end(feature_names));
  bool any = false;
  for (const Variable& variable : input.variables) {
    own.push_back(variable.name);
    any = any || std::find(known.begin(), known.end(), variable.name) != known.end();
  }
  if (any && own != known) {
    throw Error(Error::Code::usage,
                {"the variables of the input " + text::quoted(input.name) + " are not hepml's",
                 {},
                 "inputs",
                 text::joined(known),
                 text::joined(own),
                 {},
                 {}});
  }
}

const Geometry& need_geometry(const Model& model) {
  if (model.geometry()) return *model.geometry();
  throw Error(Error::Code::usage, {"the model has no image geometry, so it cannot start from towers",
                                   {},
                                   "hepml.geometry",
                                   "the grids and windows of its images",
                                   "none",
                                   {},
                                   "export it with its geometry, or fill a Session's inputs"});
}

}  // namespace

struct Tagger::Parts {
  explicit Parts(const Model& model)
      : session(model), maker(need_geometry(model), model.convention(), model.towers()) {
    const Geometry& geometry = maker.geometry();
    std::vector<std::string> known;
    for (const TokenRow& row : tokens) known.emplace_back(row.name);
    for (const Input& input : model.inputs()) {
      const TokenRow* found = nullptr;
      for (const TokenRow& row : tokens) {
        if (input.name == row.name) found = &row;
      }
      if (found == nullptr) {
        throw Error(Error::Code::usage,
                    {"the input " + text::quoted(input.name) + " cannot be made from towers",
                     {},
                     "inputs",
                     text::joined(known),
                     text::quoted(input.name),
                     text::nearest(input.name, known),
                     "fill a Session's inputs instead"});
      }
      const auto shape = shape_of(found->token, model, geometry);
      if (input.shape != shape) {
        throw Error(Error::Code::usage,
                    {"the input " + text::quoted(input.name) + " does not fit the geometry",
                     {},
                     "inputs",
                     text::times(shape),
                     text::times(input.shape),
                     {},
                     {}});
      }
      if (found->token == Token::hl) check_names(input);
      if (found->token == Token::efp) {
        polynomials = &need_polynomials(model);
        memory.emplace(*polynomials);
        if (polynomials->uses(efp::Source::hcal))
          hcal_pixels.resize(static_cast<std::size_t>(geometry.hcal_pixels()));
      }
      needed.push_back(found->token);
    }
    const auto ecal = static_cast<std::size_t>(geometry.ecal_pixels());
    const auto hcal = static_cast<std::size_t>(geometry.hcal_cells());
    ecal_et.resize(ecal);
    ecal_e.resize(ecal);
    hcal_et.resize(hcal);
    hcal_e.resize(hcal);
  }

  void fill(std::size_t index, Token token) noexcept {
    const Geometry& geometry = maker.geometry();
    const ImageSpans<const float> images{ecal_et, ecal_e, hcal_et, hcal_e};
    const span<float> input = session.input(index);
    const auto copy = [&input](const std::vector<float>& image) {
      for (std::size_t i = 0; i < image.size(); ++i) input[i] = image[i];
    };
    const auto invariant_mass = [&](MassKind kind) {
      return static_cast<float>(mass(geometry, kind, images, candidate.hcal_deta, candidate.hcal_dphi));
    };
    switch (token) {
      case Token::et:
        copy(ecal_et);
        break;
      case Token::ee:
        copy(ecal_e);
        break;
      case Token::ht:
        expand_hcal(geometry, hcal_et, input);
        break;
      case Token::he:
        expand_hcal(geometry, hcal_e, input);
        break;
      case Token::hl: {
        double features[n_features];
        high_level(geometry, maker.convention(), images, features);
        for (std::size_t i = 0; i < n_features; ++i) input[i] = static_cast<float>(features[i]);
        break;
      }
      case Token::mass:
        input[0] = invariant_mass(MassKind::all);
        break;
      case Token::et_mass:
        input[0] = invariant_mass(MassKind::et);
        break;
      case Token::ee_mass:
        input[0] = invariant_mass(MassKind::ee);
        break;
      case Token::efp: {
        if (!hcal_pixels.empty()) expand_hcal(geometry, hcal_et, hcal_pixels);
        const auto values = polynomials->compute(ecal_et, hcal_pixels, *memory);
        for (std::size_t i = 0; i < values.size(); ++i) input[i] = efp::rounded(values[i]);
        break;
      }
    }
  }

  Session session;
  ImageMaker maker;
  std::vector<Token> needed;  // of each input
  std::vector<float> ecal_et, ecal_e, hcal_et, hcal_e, hcal_pixels;
  const efp::ImagePolynomials* polynomials = nullptr;  // of the session's model
  std::optional<efp::ImagePolynomials::Memory> memory;
  Candidate candidate;
  Status status = Status::no_object;
  float score = std::numeric_limits<float>::quiet_NaN();
  float logit = std::numeric_limits<float>::quiet_NaN();
};

Tagger::Tagger(const Model& model) : parts_(std::make_unique<Parts>(model)) {}
Tagger::~Tagger() = default;
Tagger::Tagger(Tagger&&) noexcept = default;
Tagger& Tagger::operator=(Tagger&&) noexcept = default;

float Tagger::operator()(span<const Tower> ecal, span<const Tower> hcal, double eta, double phi) noexcept {
  Parts& parts = *parts_;
  parts.score = parts.logit = std::numeric_limits<float>::quiet_NaN();
  parts.candidate = parts.maker.find(ecal, hcal, eta, phi);
  parts.status = parts.candidate.status;
  if (parts.status != Status::ok) return parts.score;
  parts.maker.fill(parts.candidate, ecal, hcal, {parts.ecal_et, parts.ecal_e, parts.hcal_et, parts.hcal_e});
  for (std::size_t i = 0; i < parts.needed.size(); ++i) parts.fill(i, parts.needed[i]);
  parts.score = parts.session.run()[0];
  parts.logit = parts.session.logits()[0];
  parts.status = parts.session.status();
  return parts.score;
}

Status Tagger::status() const noexcept {
  return parts_->status;
}
const Candidate& Tagger::candidate() const noexcept {
  return parts_->candidate;
}
float Tagger::score() const noexcept {
  return parts_->score;
}
float Tagger::logit() const noexcept {
  return parts_->logit;
}
const Model& Tagger::model() const noexcept {
  return parts_->session.model();
}
Session& Tagger::session() noexcept {
  return parts_->session;
}

namespace {

bool same(double a, double b) {
  return std::abs(a - b) < 1e-9;
}

bool reached(float score, const Threshold& record) {
  return static_cast<double>(score) >= record.threshold;
}

bool inside(double value, const std::optional<std::pair<double, double>>& bin) {
  return !bin || (value >= bin->first && value < bin->second);
}

[[noreturn]] void no_working_point(const Model& model, double signal_efficiency) {
  std::vector<std::string> known;
  for (const Threshold& record : model.thresholds()) {
    const std::string name = text::number(record.signal_efficiency);
    if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
  }
  throw Error(Error::Code::usage, {"the model has no working point at this signal efficiency",
                                   {},
                                   "hepml.thresholds",
                                   known.empty() ? "a file with working points" : text::joined(known),
                                   text::number(signal_efficiency),
                                   {},
                                   {}});
}

}  // namespace

bool Tagger::passes(double signal_efficiency) const {
  for (const Threshold& record : model().thresholds()) {
    if (same(record.signal_efficiency, signal_efficiency) && !record.pt && !record.eta) {
      return reached(parts_->score, record);
    }
  }
  no_working_point(model(), signal_efficiency);
}

bool Tagger::passes(double signal_efficiency, double pt, double eta) const {
  bool binned = false;
  for (const Threshold& record : model().thresholds()) {
    if (!same(record.signal_efficiency, signal_efficiency) || (!record.pt && !record.eta)) continue;
    binned = true;
    if (inside(pt, record.pt) && inside(eta, record.eta)) return reached(parts_->score, record);
  }
  return binned ? false : passes(signal_efficiency);
}

}  // namespace hepml
