#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <hepml/hepml.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "batch.hpp"
#include "interruptible.hpp"
#include "polynomials.hpp"
#include "results.hpp"
#include "threads.hpp"

namespace nb = nanobind;
using namespace hepml;

namespace {

using Floats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Integers = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

enum class What : int { output, logits, leaves };

/// A model and the memory of the threads that call it; each takes one and puts it back.
class Evaluator {
 public:
  explicit Evaluator(Model model) : model_(std::move(model)) {}
  const Model& model() const noexcept { return model_; }

  /// `steps` is, for each input, empty or the number of steps of each event; arrays are padded to the most.
  std::vector<Out<float>> evaluate(const std::vector<Floats>& inputs, const std::vector<Integers>& steps,
                                   What what, std::size_t threads) {
    const std::size_t max_steps = check_all(inputs, steps);
    const std::size_t n = inputs[0].shape(0);
    const std::size_t size = block_size(n, threads);
    const std::size_t n_blocks = (n + size - 1) / size;
    std::vector<Results> results;
    for (const Output& output : model_.outputs())
      results.emplace_back(output, n, n_blocks, what == What::leaves);
    const auto collect = [&](const Batch& batch, std::size_t block) {
      for (std::size_t i = 0; i < batch.size(); ++i) {
        for (std::size_t k = 0; k < results.size(); ++k)
          results[k].add(block,
                         what == What::output   ? batch.output(i, k)
                         : what == What::logits ? batch.logits(i, k)
                                                : batch.leaves(i, k),
                         batch.has_steps(i));
      }
    };
    {
      Interruptible loop;
      share(n_blocks, threads, loop, [&](std::size_t block, const auto& go_on) {
        auto batch = take(max_steps);
        const std::size_t last = std::min(n, (block + 1) * size);
        for (std::size_t event = block * size; event < last;) {
          if (!go_on()) return;
          batch->clear();
          for (; event < last && batch->size() < batch->capacity(); ++event) {
            fill(batch->session(), inputs, steps, event);
            batch->add();
          }
          batch->run();
          collect(*batch, block);
        }
        give(std::move(batch));
      });
    }
    std::vector<Out<float>> arrays;
    for (Results& result : results) arrays.push_back(result.finish());
    return arrays;
  }

  /// Counts the inputs with a Monitor; its JSON. `weights` holds one number an event, or none.
  std::string count(const std::vector<Floats>& inputs, const std::vector<Integers>& steps,
                    const Doubles& weights) {
    const std::size_t max_steps = check_all(inputs, steps);
    const std::size_t n = inputs[0].shape(0);
    if (weights.size() != 0 && weights.size() != n) throw std::invalid_argument("one weight an event");
    Interruptible loop;
    Monitor monitor(model_);
    auto batch = take(max_steps);
    for (std::size_t event = 0; event < n; ++event) {
      loop.check();
      fill(batch->session(), inputs, steps, event);
      monitor.count(batch->session(), weights.size() == 0 ? 1.0 : weights.data()[event]);
    }
    give(std::move(batch));
    return monitor.to_json();
  }

 private:
  std::size_t check_all(const std::vector<Floats>& inputs, const std::vector<Integers>& steps) const {
    const auto& records = model_.inputs();
    if (inputs.size() != records.size() || steps.size() != records.size())
      throw std::invalid_argument("one array an input is needed");
    std::size_t max_steps = 1;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      max_steps = std::max(max_steps, check(records[i], inputs[i], steps[i], inputs[0].shape(0)));
    return max_steps;
  }

  static void fill(Session& session, const std::vector<Floats>& inputs, const std::vector<Integers>& steps,
                   std::size_t event) noexcept {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::size_t size = inputs[i].size() / inputs[i].shape(0);  // with padding
      const auto input = steps[i].size() == 0
                             ? session.input(i)
                             : session.sequence(i, static_cast<std::size_t>(steps[i].data()[event]));
      std::copy_n(inputs[i].data() + event * size, input.size(), input.begin());
    }
  }

  /// The most steps in the array; throws if it does not fit.
  static std::size_t check(const Input& record, const Floats& array, const Integers& steps, std::size_t n) {
    const bool dynamic = record.shape.size() == 2 && record.shape[0] == any_steps;
    const bool fits = dynamic ? array.ndim() == 3 && array.shape(2) == record.size && steps.size() == n
                              : array.ndim() > 0 && array.size() == n * record.size && steps.size() == 0;
    if (!fits || array.shape(0) != n) throw std::invalid_argument("an array does not fit its input");
    if (!dynamic) return 1;
    for (std::size_t i = 0; i < n; ++i) {
      if (steps.data()[i] < 0 || static_cast<std::size_t>(steps.data()[i]) > array.shape(1))
        throw std::invalid_argument("more steps than the array holds");
    }
    return array.shape(1);
  }

  /// Blocks that threads take in turn: several a thread, so that they end together, of whole batches.
  static std::size_t block_size(std::size_t n, std::size_t threads) {
    return std::clamp(n / (8 * threads) / Batch::most, std::size_t{1}, std::size_t{20}) * Batch::most;
  }

  std::unique_ptr<Batch> take(std::size_t max_steps) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      while (!free_.empty()) {
        auto batch = std::move(free_.back());
        free_.pop_back();
        if (batch->session().max_steps() >= max_steps) return batch;
      }
    }
    return std::make_unique<Batch>(model_, std::max(max_steps, default_max_steps));
  }
  void give(std::unique_ptr<Batch> batch) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(std::move(batch));
  }

  Model model_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Batch>> free_;
};

/// Towers of a batch: offsets (n_events + 1,) and a column for each number.
struct Towers {
  Towers(const Integers& offsets, const Doubles& et, const Doubles& e, const Doubles& eta,
         const Doubles& phi) {
    const std::size_t n = et.shape(0);
    if (offsets.shape(0) == 0) throw std::invalid_argument("offsets need n_events + 1 entries");
    for (const Doubles* column : {&e, &eta, &phi}) {
      if (column->shape(0) != n) throw std::invalid_argument("the columns of towers differ in length");
    }
    for (std::size_t i = 0; i < offsets.shape(0); ++i) {
      const std::int64_t offset = offsets.data()[i];
      if (offset < 0 || offset > static_cast<std::int64_t>(n) || (i > 0 && offset < offsets.data()[i - 1])) {
        throw std::invalid_argument("the offsets of towers do not ascend from 0 to their number");
      }
      starts.push_back(static_cast<std::size_t>(offset));
    }
    for (std::size_t i = 0; i < n; ++i)
      towers.push_back({et.data()[i], eta.data()[i], phi.data()[i], e.data()[i]});
  }
  std::size_t n_events() const { return starts.size() - 1; }
  span<const Tower> event(std::size_t row) const {
    return {towers.data() + starts[row], starts[row + 1] - starts[row]};
  }
  std::vector<std::size_t> starts;
  std::vector<Tower> towers;
};

using TowerColumns = std::tuple<Integers, Doubles, Doubles, Doubles, Doubles>;

std::tuple<Out<float>, Out<float>, Out<std::uint8_t>> tag(const Evaluator& evaluator,
                                                          const TowerColumns& ecal, const TowerColumns& hcal,
                                                          const Integers& row, const Doubles& eta,
                                                          const Doubles& phi) {
  const auto towers = [](const TowerColumns& c) {
    return Towers(std::get<0>(c), std::get<1>(c), std::get<2>(c), std::get<3>(c), std::get<4>(c));
  };
  const Towers ecal_towers = towers(ecal);
  const Towers hcal_towers = towers(hcal);
  const std::size_t n = row.shape(0);
  if (eta.shape(0) != n || phi.shape(0) != n)
    throw std::invalid_argument("row, eta and phi differ in length");
  if (ecal_towers.n_events() != hcal_towers.n_events())
    throw std::invalid_argument("ECal and HCal differ in events");
  auto score = array<float>({n});
  auto logit = array<float>({n});
  auto status = array<std::uint8_t>({n});
  {
    Interruptible loop;
    Tagger tagger(evaluator.model());
    for (std::size_t i = 0; i < n; ++i) {
      loop.check();
      const std::int64_t at = row.data()[i];
      if (at < 0 || at >= static_cast<std::int64_t>(ecal_towers.n_events()))
        throw std::invalid_argument("no such row");
      const auto event = static_cast<std::size_t>(at);
      score.data()[i] =
          tagger(ecal_towers.event(event), hcal_towers.event(event), eta.data()[i], phi.data()[i]);
      logit.data()[i] = tagger.logit();
      status.data()[i] = static_cast<std::uint8_t>(tagger.status());
    }
  }
  return {std::move(score), std::move(logit), std::move(status)};
}

/// hepml::Error becomes a child of hepml.errors.HepmlError with the same parts.
void raise(const Error& error) {
  const char* name = "SchemaError";
  switch (error.code()) {
    case Error::Code::file:
    case Error::Code::syntax:
      name = "InputFileError";
      break;
    case Error::Code::schema:
    case Error::Code::unsupported:
      name = "SchemaError";
      break;
    case Error::Code::verification:
      name = "VerificationError";
      break;
    case Error::Code::usage:
      name = "DataError";
      break;
  }
  nb::dict parts;
  const auto put = [&parts](const char* key, const std::string& value) {
    if (!value.empty()) parts[key] = nb::str(value.c_str(), value.size());
  };
  std::string where = error.file();
  if (!error.where().empty()) where += (where.empty() ? "" : ": ") + error.where();
  put("where", where);
  put("expected", error.expected());
  put("found", error.found());
  put("fix", error.fix());
  nb::list nearest;
  for (const auto& close : error.nearest()) nearest.append(nb::str(close.c_str(), close.size()));
  parts["nearest"] = nearest;
  const nb::object type = nb::module_::import_("hepml.errors").attr(name);
  const nb::object instance = type(error.problem(), **parts);
  PyErr_SetObject(type.ptr(), instance.ptr());
}

nb::list describe(const std::vector<std::size_t>& shape) {
  nb::list dimensions;
  for (const std::size_t dimension : shape)
    dimensions.append(dimension == any_steps ? nb::object(nb::none()) : nb::object(nb::int_(dimension)));
  return dimensions;
}

nb::list describe_inputs(const Evaluator& evaluator) {
  nb::list records;
  for (const Input& input : evaluator.model().inputs()) {
    nb::list variables;
    for (const Variable& v : input.variables) {
      variables.append(nb::make_tuple(v.name, v.offset, v.scale, v.default_value));
    }
    records.append(nb::make_tuple(input.name, describe(input.shape), variables));
  }
  return records;
}

nb::list describe_outputs(const Evaluator& evaluator) {
  nb::list records;
  for (const Output& output : evaluator.model().outputs()) {
    records.append(nb::make_tuple(output.name, describe(output.shape), output.labels, output.n_trees));
  }
  return records;
}

}  // namespace

void bind_inference(nb::module_& m) {
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const Error& error) {
      try {
        raise(error);
      } catch (nb::python_error& other) {
        other.restore();
      }
    }
  });

  m.def("cpus", &cpus);
  m.def(
      "image_summaries",
      [](const Floats& images) {
        const std::size_t n = images.ndim() == 0 ? 0 : images.shape(0);
        auto out = array<double>({n, 3});
        for (std::size_t i = 0; i < n; ++i) {
          const std::size_t size = images.size() / n;
          const ImageSummary one = summarise({images.data() + i * size, size});
          const double nan = std::numeric_limits<double>::quiet_NaN();
          const double numbers[3] = {one.sum, one.maximum, one.cells};
          for (std::size_t k = 0; k < 3; ++k) out.data()[3 * i + k] = one.finite ? numbers[k] : nan;
        }
        return out;
      },
      nb::arg("images"),
      "(n, ...) float32 -> sum, maximum and cells above zero (n, 3); NaN if one is not finite");
  nb::class_<Evaluator>(m, "Evaluator", "A network file, packed for this processor; see hepml.Evaluator")
      .def_static(
          "load",
          [](const std::string& path, bool verify, const std::string& cpu, bool sparse) {
            return new Evaluator(Model::load(path, {verify, cpu, sparse}));
          },
          nb::arg("path"), nb::arg("verify") = true, nb::arg("cpu") = "", nb::arg("sparse") = true,
          nb::rv_policy::take_ownership)
      .def_static(
          "parse",
          [](const std::string& text, bool verify, const std::string& cpu, bool sparse) {
            return new Evaluator(Model::parse(text, {verify, cpu, sparse}));
          },
          nb::arg("text"), nb::arg("verify") = true, nb::arg("cpu") = "", nb::arg("sparse") = true,
          nb::rv_policy::take_ownership)
      .def(
          "evaluate",
          [](Evaluator& e, const std::vector<Floats>& inputs, const std::vector<Integers>& steps, int what,
             std::size_t threads) {
            return e.evaluate(inputs, steps, static_cast<What>(std::clamp(what, 0, 2)),
                              std::max(threads, std::size_t{1}));
          },
          nb::arg("inputs"), nb::arg("steps"), nb::arg("what") = 0, nb::arg("threads") = 1,
          "what: 0 outputs, 1 logits, 2 leaves; arrays (n, ...) float32 in the order of the inputs, and for "
          "each the steps of the events or "
          "nothing "
          "-> arrays (n, ...) float32")
      .def("count", &Evaluator::count, nb::arg("inputs"), nb::arg("steps"), nb::arg("weights"),
           "arrays as for evaluate, and a weight for each event or none -> the counts of a Monitor, as JSON")
      .def(
          "efp",
          [](const Evaluator& e, const Floats& ecal, const Floats& hcal, std::size_t n, std::size_t threads) {
            return polynomials(e.model(), ecal, hcal, n, threads);
          },
          nb::arg("ecal"), nb::arg("hcal"), nb::arg("n"), nb::arg("threads"),
          "n ET images of each calorimeter that a polynomial needs -> (n, columns) float32")
      .def("tag", &tag, nb::arg("ecal"), nb::arg("hcal"), nb::arg("row"), nb::arg("eta"), nb::arg("phi"),
           "towers (offsets, et, e, eta, phi) of two calorimeters and seeds -> score, logit, status of each "
           "seed")
      .def_prop_ro("inputs", &describe_inputs)
      .def_prop_ro("outputs", &describe_outputs)
      .def_prop_ro("metadata", [](const Evaluator& e) { return e.model().metadata(); })
      .def_prop_ro("model_id", [](const Evaluator& e) { return e.model().model_id(); })
      .def_prop_ro("format_version", [](const Evaluator& e) { return e.model().format_version(); })
      .def_prop_ro("validity", [](const Evaluator& e) { return e.model().validity(); })
      .def_prop_ro("cpu", [](const Evaluator& e) { return std::string(e.model().cpu()); })
      .def_prop_ro("n_parameters", [](const Evaluator& e) { return e.model().n_parameters(); })
      .def_prop_ro("session_bytes", [](const Evaluator& e) { return e.model().session_bytes(); });
}
