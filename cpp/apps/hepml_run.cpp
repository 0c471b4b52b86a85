// hepml-run net.json < events.csv > scores.csv: one line an event, the raw values of all inputs in the order
// of the file, separated by commas, blanks or semicolons. A first line of names may give another order: see
// the help below.

#include <hepml/hepml.hpp>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "guarded.hpp"
#include "options.hpp"

namespace {

using hepml::Error;

struct Column {
  std::string name;       // the variable's, not always unique; empty for a pixel
  std::string full_name;  // input.variable
  std::size_t input, element;
};

std::vector<Column> columns_of(const hepml::Model& model) {
  std::vector<Column> columns;
  for (std::size_t i = 0; i < model.inputs().size(); ++i) {
    const auto& input = model.inputs()[i];
    if (input.shape[0] == hepml::any_steps) {
      throw Error(Error::Code::usage, {"the input '" + input.name + "' is a sequence of any length",
                                       {},
                                       "inputs",
                                       "inputs of fixed size: a line is an event",
                                       {},
                                       {},
                                       "evaluate it from Python: hepml.Evaluator"});
    }
    const std::size_t n = input.variables.size();
    for (std::size_t j = 0; j < input.size; ++j) {
      std::string name = n == 0 ? "" : input.variables[j % n].name;
      if (input.shape.size() == 2 && n != 0) name = std::to_string(j / n) + "." + name;  // of a step
      columns.push_back({name, input.name + "." + (n == 0 ? std::to_string(j) : name), i, j});
    }
  }
  return columns;
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(" \t,;\r", at)) != std::string::npos) {
    const std::size_t end = line.find_first_of(" \t,;\r", at);
    words.push_back(line.substr(at, end - at));
    at = end == std::string::npos ? line.size() : end;
  }
  return words;
}

bool number(const std::string& word, float& value) {
  char* end = nullptr;
  value = std::strtof(word.c_str(), &end);
  return end != word.c_str() && *end == '\0';
}

/// The first names, for messages.
std::string some(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < 20; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > 20 ? text + ", ..." : text;
}

/// The columns of a network by their names; input.variable before a variable of that name.
class Names {
 public:
  explicit Names(const std::vector<Column>& columns) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      full_[columns[i].full_name].push_back(i);
      if (!columns[i].name.empty()) short_[columns[i].name].push_back(i);
    }
  }
  std::vector<std::size_t> find(const std::string& word) const {
    for (const auto* names : {&full_, &short_}) {
      const auto found = names->find(word);
      if (found != names->end()) return found->second;
    }
    return {};
  }

 private:
  std::map<std::string, std::vector<std::size_t>> full_, short_;
};

/// Whether a line is a header: it begins with no number, or a name of the network is among its words.
bool is_header(const std::vector<std::string>& words, const Names& names) {
  float value = 0;
  if (!number(words[0], value)) return true;
  for (const auto& word : words) {
    if (!number(word, value) && !names.find(word).empty()) return true;
  }
  return false;
}

/// The column that each word of a header names; every one of the network's once.
std::vector<Column> reorder(const std::vector<Column>& known, const Names& names,
                            const std::vector<std::string>& header, const std::string& where) {
  const auto refuse = [&where](const std::string& problem, const std::string& expected,
                               const std::string& found) {
    throw Error(Error::Code::usage, {problem, {}, where, expected, found, {}, {}});
  };
  std::vector<Column> order;
  std::vector<bool> given(known.size(), false);
  for (const auto& word : header) {
    const auto found = names.find(word);
    if (found.size() != 1) {
      std::vector<std::string> expected;
      for (const auto& column : known) expected.push_back(column.full_name);
      refuse("the header names " + std::string(found.empty() ? "no" : "more than one") +
                 " variable of the network",
             some(expected), word);
    }
    if (given[found[0]]) refuse("the header names a variable twice", "each variable once", word);
    given[found[0]] = true;
    order.push_back(known[found[0]]);
  }
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (!given[i]) missing.push_back(known[i].full_name);
  }
  if (!missing.empty())
    refuse("the header leaves out variables of the network", some(missing), "no such names");
  return order;
}

/// A name for each score: output.label, or output.number.label where an output has steps or pixels.
std::string scores_of(const hepml::Model& model) {
  std::string names;
  for (const auto& output : model.outputs()) {
    const std::size_t n = output.labels.size();
    for (std::size_t j = 0; j < output.size; ++j) {
      names += (names.empty() ? "" : ",") + output.name + ".";
      if (output.shape.size() > 1) names += std::to_string(j / n) + ".";
      names += output.labels[j % n];
    }
  }
  return names;
}

void run(const char* path) {
  const auto model = hepml::Model::load(path);
  hepml::Session session(model);
  std::vector<Column> columns = columns_of(model);
  const Names names(columns);
  std::printf("%s\n", scores_of(model).c_str());
  std::string line;
  bool first_line = true;
  for (std::size_t number_of_line = 1; std::getline(std::cin, line); ++number_of_line) {
    if (number_of_line == 1 && line.compare(0, 3, "\xef\xbb\xbf") == 0) line.erase(0, 3);  // UTF-8's mark
    const auto words = split(line);
    if (words.empty()) continue;
    const std::string where = "line " + std::to_string(number_of_line);
    if (std::exchange(first_line, false) && is_header(words, names)) {
      columns = reorder(columns, names, words, where);
      continue;
    }
    if (words.size() != columns.size()) {
      throw Error(Error::Code::usage, {"a line with a wrong number of values",
                                       {},
                                       where,
                                       std::to_string(columns.size()),
                                       std::to_string(words.size()),
                                       {},
                                       {}});
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
      float value = 0;
      if (!number(words[i], value))
        throw Error(Error::Code::usage, {"not a number", {}, where, {}, words[i], {}, {}});
      session.input(columns[i].input)[columns[i].element] = value;
    }
    session.run();
    bool first = true;
    for (std::size_t k = 0; k < model.outputs().size(); ++k) {
      for (const float score : session.output(k)) {
        std::printf("%s%.9g", first ? "" : ",", static_cast<double>(score));
        first = false;
      }
    }
    std::printf("\n");
    if (std::ferror(stdout) != 0) throw apps::OutputError();
  }
}

constexpr const char* help = R"(usage: hepml-run net.json < events.csv > scores.csv

Scores the events of a table with an exported network, one line an event.

A line holds the raw values of all inputs in the order of the file, separated by commas, blanks or semicolons. The first
line that is not blank may name every value once, in any order; it is taken for names if it does not begin with a number
or if a name of the network is in it. A name is a variable's, or input.variable where that is not unique or reads as a
number. The pixels of an image et are et.0, et.1, ..., row by row with the channels of a pixel together; the variable pt
in the first step of a sequence of fixed steps is 0.pt.

The first line that is written names the scores: output.label; output.0.label, output.1.label, ... where an output has
steps, or pixels, row by row.

  -h, --help  this text
  --version   the version of hepml

Exit codes: 0 done, 1 an error in the network file or the events, 2 usage, 3 the network file does not reproduce its
reference vectors, 4 standard output cannot be written.
)";

}  // namespace

int main(int argc, char** argv) {
  return apps::guarded("hepml-run", [&] {
    const int answer = apps::answered(argc, argv, "hepml-run", help, 1, 1);
    if (answer >= 0) return answer;
    run(argv[1]);
    return 0;
  });
}
