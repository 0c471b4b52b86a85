#pragma once

#include <hepml/error.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hepml::parse {

struct Member;

/// A JSON value as a network file needs it: an array of numbers is one packed vector of doubles.
class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::vector<Member>;
  using Numbers = std::vector<double>;
  std::variant<std::monostate, bool, double, std::string, Numbers, Array, Object> data;

  /// "a number", "an object", ... for messages.
  const char* kind() const noexcept;
};

/// Of an object. No std::pair, which asks for the constructors of a Value before Value is complete.
struct Member {
  Member(std::string key, Value&& value) : first(std::move(key)), second(std::move(value)) {}
  Member(std::string key, const Value& value) : first(std::move(key)), second(value) {}
  std::string first;
  Value second;
};

/// Parse strictly: one value, no duplicate keys, no NaN or overflowing numbers, nested at most 64 deep.
/// Throws Error (syntax), with line and column or the JSON path.
Value parse_json(std::string_view text);

/// Read a whole file; throws Error (file).
std::string read_file(const std::string& path);

/// The value as JSON text again, keys in the order of the file.
std::string to_text(const Value& value);

/// A value and its JSON path: every accessor throws Error (schema) that says where, expected and found.
class At {
 public:
  At(const Value& value, std::string path) : value_(&value), path_(std::move(path)) {}

  At(std::shared_ptr<const Value> value, std::string path)
      : value_(value.get()), owner_(std::move(value)), path_(std::move(path)) {}

  const Value& value() const noexcept { return *value_; }
  const std::string& path() const noexcept { return path_; }

  bool has(std::string_view key) const;  ///< a member of that name that is not null
  At member(const std::string& key) const;
  const Value::Object& members() const;
  std::size_t size() const;  ///< of an array, packed or not
  At item(std::size_t index) const;

  double number() const;
  bool boolean() const;
  std::size_t count(std::size_t smallest, std::size_t largest) const;  ///< an integer in a range
  std::vector<std::size_t> counts(std::size_t smallest, std::size_t largest) const;
  const std::string& string() const;
  std::vector<std::string> strings() const;
  const Value::Numbers& numbers() const;  ///< an array of numbers, [] included
  std::vector<float> floats() const;      ///< numbers rounded to float32; too large is an error
  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  bool is_number() const;

  [[noreturn]] void fail(Error::Code code, std::string problem, std::string expected = {},
                         std::string found = {}, std::vector<std::string> nearest = {},
                         std::string fix = {}) const;
  [[noreturn]] void wrong(std::string problem, std::string expected = {}, std::string found = {}) const;

 private:
  [[noreturn]] void not_a(const char* expected) const;
  const Value* value_;
  std::shared_ptr<const Value> owner_;  // of a number taken out of a packed array
  std::string path_;
};

}  // namespace hepml::parse
