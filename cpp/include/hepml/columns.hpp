#pragma once

#include <hepml/session.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace hepml {

/// Scores the rows of a table, one Session a slot (a thread at a time), for RDataFrame and loops like it.
/// The columns of a row come in the order of the file's inputs: a vector is one number for each variable or
/// one container of them; an image one container in C order; a sequence one container for each variable, all
/// of the same length, or one of steps x variables. Containers are anything with size() and [] (RVec,
/// std::vector, std::array, span); numbers are of any arithmetic type and become float.
class Columns {
 public:
  /// `columns` says how many columns each input takes: 1, or one for each of its variables. Throws Error
  /// (usage) as Session does.
  Columns(const Model& model, std::size_t slots, std::vector<std::size_t> columns,
          std::size_t max_steps = default_max_steps)
      : columns_(std::move(columns)) {
    const auto& inputs = model.inputs();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool vector = inputs[i].shape.size() == 1, sequence = inputs[i].shape.size() == 2;
      const bool many = i < columns_.size() && columns_[i] != 1;
      if (i >= columns_.size() ||
          (many && (!(vector || sequence) || columns_[i] != inputs[i].variables.size()))) {
        throw Error(Error::Code::usage,
                    {"the input '" + inputs[i].name + "' cannot be taken from so many columns",
                     {},
                     {},
                     "1, or one for each of " + std::to_string(inputs[i].variables.size()) + " variables",
                     i < columns_.size() ? std::to_string(columns_[i]) : "nothing"});
      }
    }
    std::size_t size = 0;
    for (const Output& output : model.outputs()) size = std::max(size, output.size);
    missing_.assign(size, std::numeric_limits<float>::quiet_NaN());
    sessions_.reserve(slots);
    for (std::size_t s = 0; s < slots; ++s) sessions_.emplace_back(model, max_steps);
  }

  /// The output with this index for one row; its values stay until the next call with this slot. NaN, as many
  /// as the output has (of a sequence: as one step has), where a column has a length that the input cannot
  /// take, a number is not finite, or a sequence is longer than max_steps. Never throws, nothing allocates.
  template <class... Column>
  span<const float> operator()(std::size_t slot, std::size_t output, const Column&... columns) noexcept {
    Place place{&sessions_[slot], 0, 0, 0, true};
    (put(place, columns), ...);
    if (!place.fits || place.input != columns_.size()) {
      return {missing_.data(), sessions_[slot].model().outputs()[output].size};
    }
    sessions_[slot].run();
    return sessions_[slot].output(output);
  }

 private:
  struct Place {  // the next column: of which input, which of its columns, and its steps
    Session* session;
    std::size_t input, column, steps;
    bool fits;
  };

  template <class Column>
  void put(Place& place, const Column& column) noexcept {
    if (place.input >= columns_.size()) {
      place.fits = false;
      return;
    }
    const Input& input = place.session->model().inputs()[place.input];
    const std::size_t many = columns_[place.input];
    if constexpr (std::is_arithmetic_v<Column>) {
      const auto values = place.session->input(place.input);
      if (input.shape.size() == 1 && place.column < values.size()) {
        values[place.column] = static_cast<float>(column);
      } else {
        place.fits = false;
      }
    } else {
      const auto n = static_cast<std::size_t>(column.size());
      const bool sequence = input.shape.size() == 2;
      const std::size_t width = sequence ? input.shape[1] : 1;
      const std::size_t steps = many == 1 ? n / width : n;
      if (place.column == 0) place.steps = steps;
      const auto values = !sequence           ? place.session->input(place.input)
                          : place.column == 0 ? place.session->sequence(place.input, steps)
                                              : place.session->input(place.input);
      const bool whole =
          sequence ? (many == 1 ? n % width == 0 : steps == place.steps) : (many == 1 && n == values.size());
      place.fits = place.fits && whole;
      const std::size_t stride = many == 1 ? 1 : width;
      for (std::size_t k = 0, to = place.column; k < n && to < values.size(); ++k, to += stride) {
        values[to] = static_cast<float>(column[k]);
      }
    }
    if (++place.column == many) {
      ++place.input;
      place.column = 0;
    }
  }

  std::vector<std::size_t> columns_;
  std::vector<Session> sessions_;
  std::vector<float> missing_;  // NaN, as many as the largest output has
};

}  // namespace hepml
