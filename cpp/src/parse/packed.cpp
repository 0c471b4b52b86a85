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

using Bytes = std::vector<unsigned char>;

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

std::uint32_t crc32(const Bytes& bytes) noexcept {
  std::uint32_t crc = 0xFFFFFFFFU;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const unsigned char* p = bytes.data() + i;
    const auto table = [p](std::size_t k, std::uint32_t with) {
      return crc_tables[7 - k][(with ^ p[k]) & 0xFFU];
    };
    crc = table(0, crc) ^ table(1, crc >> 8) ^ table(2, crc >> 16) ^ table(3, crc >> 24) ^ table(4, 0) ^
          table(5, 0) ^ table(6, 0) ^ table(7, 0);
  }
  for (; i < bytes.size(); ++i) crc = crc_tables[0][(crc ^ bytes[i]) & 0xFFU] ^ (crc >> 8);
  return crc ^ 0xFFFFFFFFU;
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

Bytes decode(const At& at) {
  const std::string& text = at.string();
  const auto wrong = [&at](const std::string& found) {
    at.wrong("not base64", "groups of 4 of A-Z a-z 0-9 + /, = at the end", found);
  };
  if (text.size() % 4 != 0) wrong(std::to_string(text.size()) + " characters");
  std::string last = text.substr(text.size() - std::min<std::size_t>(text.size(), 4));
  std::size_t padding = 0;
  for (; padding < 2 && !last.empty() && last[3 - padding] == '='; ++padding) last[3 - padding] = 'A';
  Bytes bytes(text.size() / 4 * 3);
  std::uint32_t all = 0;
  unsigned char* out = bytes.data();
  const auto group = [&](const char* from) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 4; ++k) bits |= digits[k][static_cast<unsigned char>(from[k])];
    all |= bits;
    for (std::size_t k = 0; k < 3; ++k) *out++ = static_cast<unsigned char>(bits >> (16 - 8 * k));
  };
  for (std::size_t i = 0; i + 4 < text.size(); i += 4) group(text.data() + i);
  if (!last.empty()) group(last.data());
  if ((all & no_digit) != 0) wrong("another character");
  bytes.resize(bytes.size() - padding);
  return bytes;
}

template <class T, class Widen>
Value::Numbers numbers_of(const Bytes& bytes, const At& at, Widen widen) {
  if (bytes.size() % sizeof(T) != 0)
    at.wrong("not a whole number of values", "a multiple of " + std::to_string(sizeof(T)) + " bytes",
             std::to_string(bytes.size()));
  std::vector<T> stored(bytes.size() / sizeof(T));
  if (!stored.empty()) std::memcpy(stored.data(), bytes.data(), bytes.size());
  Value::Numbers values(stored.size());
  bool all_finite = true;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(widen(stored[i]));
    all_finite &= values[i] - values[i] == 0;
  }
  if (!all_finite) {
    const auto bad = std::find_if(values.begin(), values.end(), [](double x) { return x - x != 0; });
    at.wrong("a number that is not finite", "finite numbers", text::number(*bad));
  }
  return values;
}

template <class T>
Value::Numbers numbers_of(const Bytes& bytes, const At& at) {
  return numbers_of<T>(bytes, at, [](T value) { return value; });
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

/// Each a number of steps; the step is that of its channel, along the first axis of the weights or the last.
Value::Numbers of_int8(const Bytes& bytes, const At& at) {
  const auto scale = at.member("scale").floats();
  const std::string axis = at.member("axis").string();
  if (axis != "first" && axis != "last") at.member("axis").wrong("no such axis", "first or last", axis);
  if (scale.empty() || bytes.size() % scale.size() != 0) {
    at.member("scale").wrong("the scales do not fit the numbers",
                             "a divisor of " + std::to_string(bytes.size()), std::to_string(scale.size()));
  }
  const std::size_t run = bytes.size() / scale.size();
  Value::Numbers values(bytes.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto steps = static_cast<float>(static_cast<std::int8_t>(bytes[i]));
    values[i] = static_cast<double>(steps * scale[axis == "first" ? i / run : i % scale.size()]);
  }
  return values;
}

/// The name of the packed kind, which comes first; nullptr if it is an object like any other.
const char* packed_kind(const Value::Object& object) {
  for (const char* kind : {"float32", "float64", "bfloat16", "float16"}) {
    if (object.size() == 2 && object[0].first == kind && object[1].first == "crc32") return kind;
  }
  return object.size() == 4 && object[0].first == "int8" && object[3].first == "crc32" ? "int8" : nullptr;
}

void unpack(Value& value, const std::string& path) {
  if (auto* array = std::get_if<Value::Array>(&value.data)) {
    for (std::size_t i = 0; i < array->size(); ++i) unpack((*array)[i], path + "[" + std::to_string(i) + "]");
    return;
  }
  auto* object = std::get_if<Value::Object>(&value.data);
  if (object == nullptr) return;
  const char* name = packed_kind(*object);
  const std::string_view kind = name == nullptr ? "" : name;
  if (name == nullptr || kind == "int8") {  // whose scales may be packed themselves
    for (auto& [key, member] : *object) unpack(member, path.empty() ? key : path + "." + key);
  }
  if (name == nullptr) return;
  const At at(value, path);
  const At words = at.member(name);
  const Bytes bytes = decode(words);
  const std::size_t expected = at.member("crc32").count(0, 0xFFFFFFFFU);
  if (const std::size_t found = crc32(bytes); found != expected)
    at.wrong("the numbers are damaged", "crc32 " + std::to_string(expected), std::to_string(found));
  Value::Numbers numbers;
  if (kind == "float32") numbers = numbers_of<float>(bytes, words);
  if (kind == "float64") numbers = numbers_of<double>(bytes, words);
  if (kind == "bfloat16") numbers = numbers_of<std::uint16_t>(bytes, words, of_bfloat16);
  if (kind == "float16") numbers = numbers_of<std::uint16_t>(bytes, words, of_float16);
  if (kind == "int8") numbers = of_int8(bytes, at);
  value.data = std::move(numbers);
}

}  // namespace

void unpack(Value& root) {
  unpack(root, "");
}

}  // namespace hepml::parse
