#include "parse/packed.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "parse/text.hpp"

namespace hepml::parse {
namespace {

/// CRC-32 of zlib, eight bytes at a time: tables[k] is the effect of a byte that k more follow.
constexpr auto crc_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
    tables[0][i] = value;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t i = 0; i < 256; ++i)
      tables[k][i] = tables[0][tables[k - 1][i] & 0xFFU] ^ (tables[k - 1][i] >> 8);
  }
  return tables;
}();

/// Goes on with a checksum, from all ones; the complement of the last one is that of zlib.
std::uint32_t crc32(std::uint32_t crc, const unsigned char* bytes, std::size_t n) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const unsigned char* p = bytes + i;
    const auto table = [p](std::size_t k, std::uint32_t with) {
      return crc_tables[7 - k][(with ^ p[k]) & 0xFFU];
    };
    crc = table(0, crc) ^ table(1, crc >> 8) ^ table(2, crc >> 16) ^ table(3, crc >> 24) ^ table(4, 0) ^
          table(5, 0) ^ table(6, 0) ^ table(7, 0);
  }
  for (; i < n; ++i) crc = crc_tables[0][(crc ^ bytes[i]) & 0xFFU] ^ (crc >> 8);
  return crc;
}

constexpr std::uint32_t no_digit = std::uint32_t{1} << 31;
/// Of the character at place k of a group of 4, its 6 bits where they belong in 24.
constexpr auto digits = [] {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::array<std::uint32_t, 256>, 4> tables{};
  for (std::size_t k = 0; k < 4; ++k) {
    for (auto& digit : tables[k]) digit = no_digit;
    for (std::size_t i = 0; i < alphabet.size(); ++i)
      tables[k][static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint32_t>(i) << (18 - 6 * k);
  }
  return tables;
}();

/// The numbers of type T in base64, and the CRC-32 of their bytes.
template <class T, class Widen>
Value::Numbers decode(const At& at, std::uint32_t& crc, Widen widen) {
  const std::string& words = at.string();
  const auto wrong = [&at](const std::string& found) {
    at.wrong("not base64", "groups of 4 of A-Z a-z 0-9 + /, = at the end", found);
  };
  if (words.size() % 4 != 0) wrong(std::to_string(words.size()) + " characters");
  std::string last = words.substr(words.size() - std::min<std::size_t>(words.size(), 4));
  std::size_t padding = 0;
  for (; padding < 2 && !last.empty() && last[3 - padding] == '='; ++padding) last[3 - padding] = 'A';
  const std::size_t n_bytes = words.size() / 4 * 3 - padding;
  if (n_bytes % sizeof(T) != 0)
    at.wrong("not a whole number of values", "a multiple of " + std::to_string(sizeof(T)) + " bytes",
             std::to_string(n_bytes));
  Value::Numbers numbers;
  numbers.reserve(n_bytes / sizeof(T));
  std::uint32_t all = 0;
  bool all_finite = true;
  crc = 0xFFFFFFFFU;
  // In parts that stay in the cache; 1024 groups are whole values.
  std::array<unsigned char, 3 * 1024> part{};
  for (std::size_t start = 0; start < words.size();) {
    const std::size_t stop = std::min(start + 4 * 1024, words.size());
    unsigned char* out = part.data();
    const auto group = [&](const char* from) {
      std::uint32_t bits = 0;
      for (std::size_t k = 0; k < 4; ++k) bits |= digits[k][static_cast<unsigned char>(from[k])];
      all |= bits;
      for (std::size_t k = 0; k < 3; ++k) *out++ = static_cast<unsigned char>(bits >> (16 - 8 * k));
    };
    const std::size_t whole = stop == words.size() ? stop - 4 : stop;
    for (; start < whole; start += 4) group(words.data() + start);
    if (stop == words.size()) {
      group(last.data());
      out -= padding;
      start = stop;
    }
    const auto n = static_cast<std::size_t>(out - part.data());
    crc = crc32(crc, part.data(), n);
    for (std::size_t i = 0; i < n; i += sizeof(T)) {
      T value{};
      std::memcpy(&value, part.data() + i, sizeof value);
      const auto wide = static_cast<double>(widen(value));
      all_finite &= wide - wide == 0;
      numbers.push_back(wide);
    }
  }
  crc = ~crc;
  if ((all & no_digit) != 0) wrong("another character");
  if (!all_finite) {
    const auto bad = std::find_if(numbers.begin(), numbers.end(), [](double x) { return !std::isfinite(x); });
    at.wrong("a number that is not finite", "finite numbers", text::number(*bad));
  }
  return numbers;
}

float of_bfloat16(std::uint16_t half) noexcept {
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value = 0.0F;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float of_float16(std::uint16_t half) noexcept {
  const int exponent = half >> 10 & 0x1F;
  const int fraction = half & 0x3FF;
  const float size = exponent == 31  ? std::numeric_limits<float>::infinity()
                     : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                     : std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
  return (half & 0x8000) != 0 ? -size : size;
}

/// From numbers of steps to numbers; the step is that of a channel, along the first axis of the weights or
/// the last.
void scale_steps(Value::Numbers& numbers, const At& at) {
  const auto scale = at.member("scale").floats();
  const std::string axis = at.member("axis").string();
  if (axis != "first" && axis != "last") at.member("axis").wrong("no such axis", "first or last", axis);
  if (scale.empty() || numbers.size() % scale.size() != 0) {
    at.member("scale").wrong("the scales do not fit the numbers",
                             "a divisor of " + std::to_string(numbers.size()), std::to_string(scale.size()));
  }
  if (std::any_of(scale.begin(), scale.end(), [](float step) { return step < 0; }))
    at.member("scale").wrong("a step of a negative size", "sizes from 0");
  if (std::any_of(numbers.begin(), numbers.end(), [](double n) { return n < -127; }))
    at.member("int8").wrong("too many steps", "-127 to 127", "-128");
  const std::size_t run = numbers.size() / scale.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const float step = scale[axis == "first" ? i / run : i % scale.size()];
    numbers[i] = static_cast<double>(static_cast<float>(numbers[i]) * step);
  }
}

/// The name of the packed kind, empty if it is an object like any other. A writer may order keys.
std::string_view packed_kind(const Value::Object& object) {
  const auto has = [&object](std::string_view key) {
    return std::any_of(object.begin(), object.end(), [key](const auto& item) { return item.first == key; });
  };
  for (const char* kind : {"float32", "float64", "bfloat16", "float16"}) {
    if (object.size() == 2 && has(kind) && has("crc32")) return kind;
  }
  return object.size() == 4 && has("int8") && has("scale") && has("axis") && has("crc32") ? "int8" : "";
}

Value::Numbers decode(std::string_view kind, const At& at, std::uint32_t& crc) {
  const auto same = [](auto value) { return value; };
  if (kind == "float32") return decode<float>(at, crc, same);
  if (kind == "float64") return decode<double>(at, crc, same);
  if (kind == "bfloat16") return decode<std::uint16_t>(at, crc, of_bfloat16);
  if (kind == "float16") return decode<std::uint16_t>(at, crc, of_float16);
  return decode<std::int8_t>(at, crc, same);
}

void unpack_at(Value& value, const std::string& path) {
  if (auto* array = std::get_if<Value::Array>(&value.data)) {
    for (std::size_t i = 0; i < array->size(); ++i)
      unpack_at((*array)[i], path + "[" + std::to_string(i) + "]");
    return;
  }
  auto* object = std::get_if<Value::Object>(&value.data);
  if (object == nullptr) return;
  const std::string_view kind = packed_kind(*object);
  if (kind.empty() || kind == "int8") {  // whose scales may be packed themselves
    for (auto& [key, member] : *object) unpack_at(member, path.empty() ? key : path + "." + key);
  }
  if (kind.empty()) return;
  const At at(value, path);
  std::uint32_t found = 0;
  Value::Numbers numbers = decode(kind, at.member(std::string(kind)), found);
  const std::size_t expected = at.member("crc32").count(0, 0xFFFFFFFFU);
  if (found != expected)
    at.wrong("the numbers are damaged", "crc32 " + std::to_string(expected), std::to_string(found));
  if (kind == "int8") scale_steps(numbers, at);
  value.data = std::move(numbers);
}

}  // namespace

void unpack(Value& root) {
  unpack_at(root, "");
}

}  // namespace hepml::parse
