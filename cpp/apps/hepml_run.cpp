// hepml-run net.json < events.csv > scores.csv: one line an event, the raw values of all inputs in the order
// of the file, separated by commas, blanks or semicolons. A first line of names may give another order: a
// variable's name, or input.variable where a name is not unique; the pixels of image et are et.0, et.1, ...;
// of a sequence of fixed steps, 0.pt is the variable pt of the first step. A header names every value once.

#include <hepml/hepml.hpp>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "guarded.hpp"
#include "options.hpp"

namespace {

using hepml::Error;

struct Column {
  std::string name, full_name;
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
      std::string name = n == 0 ? std::to_string(j) : input.variables[j % n].name;
      if (input.shape.size() == 2 && n != 0) name = std::to_string(j / n) + "." + name;  // of a step
      columns.push_back({name, input.name + "." + name, i, j});
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

/// The column that each word of a header names; every one of the network's once.
std::vector<Column> reorder(const std::vector<Column>& known, const std::vector<std::string>& header) {
  std::map<std::string, std::vector<std::size_t>> by_name;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < known.size(); ++i) {
    by_name[known[i].name].push_back(i);
    by_name[known[i].full_name].push_back(i);
    names.push_back(known[i].full_name);
  }
  const auto refuse = [](const std::string& problem, const std::string& expected, const std::string& found) {
    throw Error(Error::Code::usage, {problem, {}, "line 1", expected, found, {}, {}});
  };
  std::vector<Column> order;
  std::vector<bool> given(known.size(), false);
  for (const auto& word : header) {
    const auto& found = by_name[word];
    if (found.size() != 1) {
      refuse("the header names " + std::string(found.empty() ? "no" : "more than one") +
                 " variable of the network",
             some(names), word);
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

void run(const char* path) {
  const auto model = hepml::Model::load(path);
  hepml::Session session(model);
  std::vector<Column> columns = columns_of(model);
  std::string header;
  for (const auto& output : model.outputs()) {
    for (const auto& label : output.labels) header += (header.empty() ? "" : ",") + output.name + "." + label;
  }
  std::printf("%s\n", header.c_str());
  std::string line;
  for (std::size_t number_of_line = 1; std::getline(std::cin, line); ++number_of_line) {
    const auto words = split(line);
    if (words.empty()) continue;
    float value = 0;
    if (number_of_line == 1 && !number(words[0], value)) {
      columns = reorder(columns, words);
      continue;
    }
    if (words.size() != columns.size()) {
      throw Error(Error::Code::usage, {"a line with a wrong number of values",
                                       {},
                                       "line " + std::to_string(number_of_line),
                                       std::to_string(columns.size()),
                                       std::to_string(words.size()),
                                       {},
                                       {}});
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (!number(words[i], value)) {
        throw Error(Error::Code::usage,
                    {"not a number", {}, "line " + std::to_string(number_of_line), {}, words[i], {}, {}});
      }
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

A line holds the raw values of all inputs in the order of the file, separated by commas, blanks or semicolons. A first
line of names may give another order, every value once: a variable's name, or input.variable where a name is not unique;
the pixels of an image et are et.0, et.1, ...; the variable pt in the first step of a sequence of fixed steps is 0.pt.
The first line that is written names the outputs: output.label.

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
