#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {
namespace {

/// A column of a table for each category.
struct Table {
  std::size_t index;  // of the variable that holds the category
  std::size_t n_out, n_categories;
  std::vector<float> columns;  // [category][n_out]

  /// NaN for what is no category.
  void look_up(float value, float* to) const noexcept {
    const bool known =
        value >= 0.0F && value < static_cast<float>(n_categories) && value == std::floor(value);
    if (known) {
      std::memcpy(to, columns.data() + static_cast<std::size_t>(value) * n_out, n_out * sizeof(float));
    } else {
      std::fill_n(to, n_out, std::numeric_limits<float>::quiet_NaN());
    }
  }
};

/// lwtnn's: some variables of each step give way to their columns, the others stay.
class Replace : public Operation {
 public:
  Replace(std::vector<const Table*> by_variable, std::shared_ptr<const std::vector<Table>> tables,
          Shape shape)
      : Operation(std::move(shape)), by_variable_(std::move(by_variable)), tables_(std::move(tables)) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    float* to = output.data;
    for (std::size_t step = 0; step < inputs->columns; ++step) {
      for (std::size_t i = 0; i < inputs->channels; ++i) {
        const float value = inputs->data[step * inputs->channels + i];
        if (by_variable_[i] == nullptr) {
          *to++ = value;
        } else {
          by_variable_[i]->look_up(value, to);
          to += by_variable_[i]->n_out;
        }
      }
    }
  }

 private:
  std::vector<const Table*> by_variable_;
  std::shared_ptr<const std::vector<Table>> tables_;
};

/// Keras': every number is a category.
class Embedding : public Operation {
 public:
  Embedding(Table table, Shape shape) : Operation(std::move(shape)), table_(std::move(table)) {}
  void run(const View* inputs, const View& output, float*) const noexcept override {
    const std::size_t n = inputs->columns * inputs->channels;
    for (std::size_t row = 0; row < inputs->rows; ++row) {
      const float* from = inputs->data + row * inputs->row_stride;
      float* to = output.data + row * n * table_.n_out;
      for (std::size_t i = 0; i < n; ++i) table_.look_up(from[i], to + i * table_.n_out);
    }
  }

 private:
  Table table_;
};

Table read_table(const At& at, bool transposed) {
  Table table{0, at.member("n_out").count(1, std::size_t{1} << 20), 0, {}};
  const At weights = at.member("weights");
  const std::size_t n = weights.numbers().size();
  if (n == 0 || n % table.n_out != 0) {
    weights.wrong("the weights do not fit the embedding", "a multiple of " + std::to_string(table.n_out),
                  std::to_string(n));
  }
  table.n_categories = n / table.n_out;
  table.columns = weights.floats();
  if (!transposed) return table;
  const auto rows = table.columns;  // lwtnn: [n_out][category]
  for (std::size_t c = 0; c < table.n_categories; ++c) {
    for (std::size_t o = 0; o < table.n_out; ++o)
      table.columns[c * table.n_out + o] = rows[o * table.n_categories + c];
  }
  return table;
}

}  // namespace

// With sublayers, lwtnn's: `index` counts the variables of the input, as its converter writes them. Without,
// Keras': weights [category][n_out].
Made make_embedding(const At& layer, const Shapes& inputs, const Kernels&) {
  if (!layer.has("sublayers")) {
    Table table = read_table(layer, false);
    Shape shape = need_one(layer, inputs);
    if (shape.size() == 2 && shape[1] == 1 && is_dynamic(shape)) shape.pop_back();  // categories, a step each
    shape.push_back(table.n_out);
    if (shape.size() > 4)
      layer.wrong("an embedding of too many dimensions", "at most 4", std::to_string(shape.size()));
    elements(shape, layer);
    return {std::make_shared<Embedding>(std::move(table), std::move(shape)), {}};
  }
  Shape shape = need_sequence(layer, inputs);
  const std::size_t n_in = shape[1];
  const At sublayers = layer.member("sublayers");
  auto tables = std::make_shared<std::vector<Table>>();
  tables->reserve(sublayers.size());
  std::vector<const Table*> by_variable(n_in, nullptr);
  for (std::size_t k = 0; k < sublayers.size(); ++k) {
    const At at = sublayers.item(k);
    Table table = read_table(at, true);
    table.index = at.member("index").count(0, n_in - 1);
    if (by_variable[table.index] != nullptr)
      at.member("index").wrong("two embeddings of one variable", "distinct indices",
                               std::to_string(table.index));
    shape[1] += table.n_out - 1;
    tables->push_back(std::move(table));
    by_variable[tables->back().index] = &tables->back();
  }
  elements(shape, layer);
  return {std::make_shared<Replace>(std::move(by_variable), std::move(tables), std::move(shape)), {}};
}

}  // namespace hepml::layers
