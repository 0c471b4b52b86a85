#include "parse/json.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "parse/reader.hpp"
#include "parse/text.hpp"

namespace hepml::parse {
namespace {

constexpr std::size_t deepest = 64;
constexpr std::size_t most_values = 2'000'000;  // other than numbers in an array of numbers

/// Builds a Value from parse events; the stack is explicit, so that nesting cannot overflow the program's.
class Builder {
 public:
  Value root;

  void null() { put(Value{}); }
  void boolean(bool value) { put(Value{value}); }
  void string(std::string&& value) { put(Value{std::move(value)}); }

  void start_object() { open(Value{Value::Object{}}); }
  void start_array() { open(Value{Value::Numbers{}}); }
  void key(std::string&& name) {
    std::get<Value::Object>(stack_.back()->data).emplace_back(std::move(name), Value{});
  }
  void end_object() {
    std::vector<std::string_view> keys;
    for (const auto& [name, value] : std::get<Value::Object>(stack_.back()->data)) keys.push_back(name);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) fail("the key " + text::quoted(*twice) + " occurs twice in one object");
    stack_.pop_back();
  }
  void end_array() { stack_.pop_back(); }

  void number(double value) {
    if (!stack_.empty()) {
      if (auto* numbers = std::get_if<Value::Numbers>(&stack_.back()->data)) {
        numbers->push_back(value);
        return;
      }
    }
    put(Value{value});
  }

 private:
  std::vector<Value*> stack_;
  std::size_t n_values_ = 0;

  [[noreturn]] void fail(std::string problem) const {
    throw Error(Error::Code::syntax, {std::move(problem), {}, path(), {}, {}, {}, {}});
  }

  std::string path() const {
    std::string out;
    for (const Value* value : stack_) {
      if (const auto* object = std::get_if<Value::Object>(&value->data)) {
        if (!object->empty() && value != stack_.back())
          out += (out.empty() ? "" : ".") + object->back().first;
      } else if (const auto* array = std::get_if<Value::Array>(&value->data)) {
        if (!array->empty()) out += "[" + std::to_string(array->size() - 1) + "]";
      }
    }
    return out.empty() ? "the top level" : out;
  }

  void open(Value value) {
    if (stack_.size() >= deepest) fail("nested more than " + std::to_string(deepest) + " deep");
    put(std::move(value));
  }

  /// Hang the value under the innermost open container; a container becomes the innermost one.
  void put(Value value) {
    if (++n_values_ > most_values) fail("more than " + std::to_string(most_values) + " values");
    const bool container = value.data.index() >= 4;
    Value* place = &root;
    if (!stack_.empty()) {
      Value& parent = *stack_.back();
      if (auto* object = std::get_if<Value::Object>(&parent.data)) {
        place = &object->back().second;
      } else {
        unpack(parent);
        auto& array = std::get<Value::Array>(parent.data);
        array.emplace_back();
        place = &array.back();
      }
    }
    *place = std::move(value);
    if (container) stack_.push_back(place);
  }

  /// Turn an array of numbers into an array of values, since something else follows.
  void unpack(Value& parent) {
    auto* numbers = std::get_if<Value::Numbers>(&parent.data);
    if (numbers == nullptr) return;
    n_values_ += numbers->size();
    if (n_values_ > most_values) fail("more than " + std::to_string(most_values) + " values");
    Value::Array array;
    for (const double number : *numbers) {
      array.emplace_back();
      array.back().data = number;
    }
    parent.data = std::move(array);
  }
};

}  // namespace

const char* Value::kind() const noexcept {
  constexpr const char* names[] = {"null",   "true or false", "a number", "a string", "a list of numbers",
                                   "a list", "an object"};
  const auto* numbers = std::get_if<Numbers>(&data);
  return numbers != nullptr && numbers->empty() ? "an empty list" : names[data.index()];
}

Value parse_json(std::string_view text) {
  Builder builder;
  try {
    Reader<Builder>(text, builder).read();
  } catch (const NotJson& error) {
    const std::string_view before = text.substr(0, error.position);
    const auto line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    const std::size_t column = error.position - (before.rfind('\n') + 1);  // npos + 1 is 0
    const bool ended = error.position >= text.size();
    throw Error(Error::Code::syntax,
                {"not JSON, or truncated",
                 {},
                 "line " + std::to_string(line) + ", column " + std::to_string(column + 1),
                 error.expected,
                 ended ? "the end of the text" : text::quoted(std::string(text.substr(error.position, 20))),
                 {},
                 {}});
  }
  return std::move(builder.root);
}

std::string read_file(const std::string& path) {
  const auto failed = [&path](const char* problem, const char* fix) -> Error {
    return Error(Error::Code::file, {problem, path, {}, "a network in JSON", {}, {}, fix});
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw failed("cannot open the file", "check the path and its permissions");
  std::string text;
  if (std::fseek(file.get(), 0, SEEK_END) == 0) {  // not of a pipe
    const long size = std::ftell(file.get());
    if (size > 0 && size <= (1L << 30)) text.reserve(static_cast<std::size_t>(size));
    std::rewind(file.get());
  }
  char buffer[1 << 16];
  std::size_t n = 0;
  while ((n = std::fread(buffer, 1, sizeof buffer, file.get())) > 0) {
    text.append(buffer, n);
    if (text.size() > (std::size_t{1} << 30)) throw failed("the file is larger than 1 GiB", "");
  }
  if (std::ferror(file.get()) != 0) throw failed("cannot read the file", "a folder, or a damaged disk?");
  if (text.empty()) throw failed("the file is empty", "");
  return text;
}

std::string to_text(const Value& value) {
  struct Visitor {
    std::string& out;
    void operator()(std::monostate) { out += "null"; }
    void operator()(bool flag) { out += flag ? "true" : "false"; }
    void operator()(double number) { out += text::number(number); }
    void operator()(const std::string& string) {
      out += nlohmann::json(string).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    }
    void operator()(const Value::Numbers& numbers) {
      out += '[';
      for (std::size_t i = 0; i < numbers.size(); ++i) out += (i == 0 ? "" : ",") + text::number(numbers[i]);
      out += ']';
    }
    void operator()(const Value::Array& array) {
      out += '[';
      for (std::size_t i = 0; i < array.size(); ++i) {
        if (i != 0) out += ',';
        std::visit(*this, array[i].data);
      }
      out += ']';
    }
    void operator()(const Value::Object& object) {
      out += '{';
      for (std::size_t i = 0; i < object.size(); ++i) {
        if (i != 0) out += ',';
        (*this)(object[i].first);
        out += ':';
        std::visit(*this, object[i].second.data);
      }
      out += '}';
    }
  };
  std::string out;
  std::visit(Visitor{out}, value.data);
  return out;
}

void At::fail(Error::Code code, std::string problem, std::string expected, std::string found,
              std::vector<std::string> nearest, std::string fix) const {
  throw Error(code, {std::move(problem),
                     {},
                     path_.empty() ? "the top level" : path_,
                     std::move(expected),
                     std::move(found),
                     std::move(nearest),
                     std::move(fix)});
}

void At::wrong(std::string problem, std::string expected, std::string found) const {
  fail(Error::Code::schema, std::move(problem), std::move(expected), std::move(found));
}

void At::not_a(const char* expected) const {
  std::string found = value_->kind();
  if (const auto* number = std::get_if<double>(&value_->data)) found = text::number(*number);
  if (const auto* string = std::get_if<std::string>(&value_->data)) found = text::quoted(*string);
  fail(Error::Code::schema, "a value of the wrong kind", expected, found);
}

const Value::Object& At::members() const {
  const auto* object = std::get_if<Value::Object>(&value_->data);
  if (object == nullptr) not_a("an object");
  return *object;
}

bool At::has(std::string_view key) const {
  for (const auto& [name, value] : members()) {
    if (name == key) return !std::holds_alternative<std::monostate>(value.data);
  }
  return false;
}

At At::member(const std::string& key) const {
  std::vector<std::string> names;
  for (const auto& [name, value] : members()) {
    if (name == key) return At(value, path_.empty() ? key : path_ + "." + key);
    names.push_back(name);
  }
  auto close = text::nearest(key, names);
  fail(Error::Code::schema, "the key " + text::quoted(key) + " is missing", {}, {}, std::move(close));
}

std::size_t At::size() const {
  if (const auto* numbers = std::get_if<Value::Numbers>(&value_->data)) return numbers->size();
  const auto* array = std::get_if<Value::Array>(&value_->data);
  if (array == nullptr) not_a("a list");
  return array->size();
}

At At::item(std::size_t index) const {
  std::string path = path_ + "[" + std::to_string(index) + "]";
  if (const auto* numbers = std::get_if<Value::Numbers>(&value_->data)) {
    return At(std::make_shared<Value>(Value{numbers->at(index)}), std::move(path));
  }
  const auto* array = std::get_if<Value::Array>(&value_->data);
  if (array == nullptr) not_a("a list");
  return At(array->at(index), std::move(path));
}

bool At::boolean() const {
  const auto* boolean = std::get_if<bool>(&value_->data);
  if (boolean == nullptr) not_a("true or false");
  return *boolean;
}

double At::number() const {
  const auto* number = std::get_if<double>(&value_->data);
  if (number == nullptr) not_a("a number");
  return *number;
}

std::size_t At::count(std::size_t smallest, std::size_t largest) const {
  const double value = number();
  if (!(value >= static_cast<double>(smallest) && value <= static_cast<double>(largest)) ||
      value != std::floor(value)) {
    wrong("a number out of range",
          "an integer from " + std::to_string(smallest) + " to " + std::to_string(largest),
          text::number(value));
  }
  return static_cast<std::size_t>(value);
}

std::vector<std::size_t> At::counts(std::size_t smallest, std::size_t largest) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < numbers().size(); ++i) out.push_back(item(i).count(smallest, largest));
  return out;
}

const std::string& At::string() const {
  const auto* string = std::get_if<std::string>(&value_->data);
  if (string == nullptr) not_a("a string");
  return *string;
}

std::vector<std::string> At::strings() const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < size(); ++i) out.push_back(item(i).string());
  return out;
}

const Value::Numbers& At::numbers() const {
  const auto* numbers = std::get_if<Value::Numbers>(&value_->data);
  if (numbers == nullptr) not_a("a list of numbers");
  return *numbers;
}

std::vector<float> At::floats() const {
  std::vector<float> out;
  out.reserve(numbers().size());
  for (const double value : numbers()) {
    if (!(std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()))) {
      wrong("not a number of float32", "at most 3.4e38", text::number(value));
    }
    out.push_back(static_cast<float>(value));
  }
  return out;
}

bool At::is_null() const {
  return std::holds_alternative<std::monostate>(value_->data);
}
bool At::is_object() const {
  return std::holds_alternative<Value::Object>(value_->data);
}
bool At::is_array() const {
  return std::holds_alternative<Value::Array>(value_->data) ||
         std::holds_alternative<Value::Numbers>(value_->data);
}
bool At::is_string() const {
  return std::holds_alternative<std::string>(value_->data);
}
bool At::is_number() const {
  return std::holds_alternative<double>(value_->data);
}

}  // namespace hepml::parse
