// hepml-run net.json < events.csv > scores.csv: one line an event, the raw values of all inputs in the order
// of the file, separated by commas, blanks or semicolons. A first line of names may give another order: a
// variable's name, or input.variable where a name is not unique; the pixels of image et are et.0, et.1, ...

#include <hepml/hepml.hpp>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

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
    for (std::size_t j = 0; j < input.size; ++j) {
      const std::string name = input.variables.empty() ? std::to_string(j) : input.variables[j].name;
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

/// The column that each word of a header names.
std::vector<Column> reorder(const std::vector<Column>& known, const std::vector<std::string>& header) {
  std::vector<Column> order;
  for (const auto& word : header) {
    std::vector<const Column*> found;
    for (const auto& column : known) {
      if (column.full_name == word || column.name == word) found.push_back(&column);
    }
    if (found.size() != 1) {
      std::string names;
      for (std::size_t i = 0; i < known.size() && i < 20; ++i)
        names += (i == 0 ? "" : ", ") + known[i].full_name;
      throw Error(Error::Code::usage,
                  {"the header names " + std::string(found.empty() ? "no" : "more than one") +
                       " variable of the network",
                   {},
                   "line 1",
                   names,
                   word,
                   {},
                   {}});
    }
    order.push_back(*found[0]);
  }
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
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: hepml-run net.json < events.csv > scores.csv\n");
    return 2;
  }
  try {
    run(argv[1]);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "hepml-run: %s\n", error.what());
    return error.code() == Error::Code::verification ? 3 : 1;
  }
}
