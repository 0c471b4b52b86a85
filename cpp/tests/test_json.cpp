// The reader of JSON against nlohmann/json: the same verdict and the same values, on good texts, bad ones and
// mutations.

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "check.hpp"
#include "parse/reader.hpp"

namespace {

using hepml::parse::NotJson;
using hepml::parse::Reader;

/// Builds what nlohmann builds.
struct Handler {
  nlohmann::json root;
  std::vector<nlohmann::json*> open;
  std::string name;

  void put(nlohmann::json value, bool container = false) {
    nlohmann::json* place = &root;
    if (!open.empty()) {
      nlohmann::json& parent = *open.back();
      if (parent.is_array()) {
        parent.push_back(std::move(value));
        place = &parent.back();
      } else {
        place = &parent[name];
        *place = std::move(value);
      }
    } else {
      root = std::move(value);
    }
    if (container) open.push_back(place);
  }
  void null() { put(nullptr); }
  void boolean(bool value) { put(value); }
  void number(double value) {
    CHECK(std::isfinite(value));
    put(value);
  }
  void string(std::string&& value) { put(std::move(value)); }
  void key(std::string&& value) { name = std::move(value); }
  void start_object() { put(nlohmann::json::object(), true); }
  void start_array() { put(nlohmann::json::array(), true); }
  void end_object() { open.pop_back(); }
  void end_array() { open.pop_back(); }
};

/// Numbers as doubles, since a network has no others.
nlohmann::json as_doubles(const nlohmann::json& value) {
  if (value.is_number()) return value.get<double>();
  nlohmann::json out = value;
  if (value.is_structured()) {
    for (auto& [key, item] : out.items()) item = as_doubles(item);
  }
  return out;
}

/// True if both refuse, or both read the same.
bool same(const std::string& text) {
  Handler handler;
  bool good = true;
  try {
    Reader<Handler>(text, handler).read();
  } catch (const NotJson& error) {
    good = false;
    CHECK(error.position <= text.size() && error.expected[0] != '\0');
  }
  bool theirs = true;
  nlohmann::json right;
  try {
    right = nlohmann::json::parse(text);
  } catch (const nlohmann::json::out_of_range&) {
    return !good;  // 1e400
  } catch (const nlohmann::json::exception&) {
    theirs = false;
  }
  if (good != theirs) return false;
  return !good || as_doubles(right) == handler.root;
}

const std::vector<std::string> texts = {
    "",
    " ",
    "null",
    " true\n",
    "false",
    "tru",
    "nul",
    "truefalse",
    "0",
    "-0",
    "01",
    "1.",
    ".5",
    "-",
    "+1",
    "1e",
    "1e+",
    "1E-5",
    "1e400",
    "-1e400",
    "1e-400",
    "0.1e1",
    "123456789012345678901234567890",
    "1e308",
    "2.2250738585072011e-308",
    "5e-324",
    "2e-324",
    "0.000000000000000000000000000000000000000000000000000000001e-300",
    "100000000000000000000e300",
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "0e99999999999",
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2",
    "[1,[2,[3,{}]]]",
    "{}",
    "{ }",
    "{\"a\":1}",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{a:1}",
    "{\"a\":}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":[{\"b\":null},true]}",
    "\"\"",
    "\"a",
    "\"\\n\\t\\\\\\/\\\"\\b\\f\\r\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u0041\\u00e9\\u20ac\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"\\ud83dx\"",
    "\"\\ud83d\\u0041\"",
    "\"\\ude00\"",
    "\"\x01\"",
    "\"\x7f\"",
    "\"\xc3\xa9\"",
    "\"\xc3\"",
    "\"\xc0\x80\"",
    "\"\xe0\x80\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\xf0\x80\x80\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xf5\x80\x80\x80\"",
    "\"\xff\"",
    "\xef\xbb\xbf[1]",
    "\xef\xbb[1]",
    "[1]\xef\xbb\xbf",
    "/* c */ 1",
    "1 // c",
    "'a'",
    "[1] 2",
    "]",
    "}",
    "[}",
    "{]",
    "[\"a\",\"b\\u0000c\"]",
    "\t[\r\n1 ,\n2 ]",
    "{\"\":{\"\":[]}}",
    "[1e5,-2.5E+3,0.0,-0.0]",
};

void corpus() {
  for (const std::string& text : texts) {
    const bool right = same(text);
    if (!right) std::fprintf(stderr, "differs: %s\n", text.c_str());
    CHECK(right);
  }
  CHECK(same(std::string("[1,\0]", 5)));
}

/// Bytes of a network file changed, dropped, doubled or exchanged.
void mutations() {
  const std::string file =
      R"({"inputs":[{"name":"a\u00e9\ud83d\ude00","offset":-1.5e-3,"scale":2}],"layers":[{"weights":[1,-2.25,3e5,0.1],)"
      R"("bias":[],"activation":{"function":"elu","alpha":1}}],"outputs":["s"],"x":{"y":[[1,2],[true,null]]}})";
  const std::string bytes = "{}[]\",:\\u0123456789.eE+-tfn \n\x80\xc3\xed\xf0\xff";
  std::uint64_t state = 1;
  const auto random = [&state](std::size_t n) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>((state >> 33) % n);
  };
  for (int i = 0; i < 40000; ++i) {
    std::string text = file;
    for (std::size_t k = 0; k <= random(3) && !text.empty(); ++k) {
      const std::size_t at = random(text.size());
      switch (random(4)) {
        case 0:
          text[at] = bytes[random(bytes.size())];
          break;
        case 1:
          text.erase(at, 1 + random(4));
          break;
        case 2:
          text.insert(at, 1, bytes[random(bytes.size())]);
          break;
        default:
          text.resize(at + 1);
      }
    }
    const bool right = same(text);
    if (!right) std::fprintf(stderr, "differs: %s\n", text.c_str());
    CHECK(right);
  }
}

/// Every double that is written comes back.
void numbers() {
  std::uint64_t state = 7;
  for (int i = 0; i < 100000; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const double mantissa = static_cast<double>(state >> 11) * 0x1p-53 - 0.5;
    const double value = std::ldexp(mantissa, static_cast<int>(state % 600) - 300);
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, i % 2 == 0 ? "%.17g" : "%.25e", value);
    Handler handler;
    Reader<Handler>(std::string_view(buffer), handler).read();
    CHECK(handler.root.get<double>() == value);
  }
}

}  // namespace

int main() {
  corpus();
  mutations();
  numbers();
  return check::failures == 0 ? 0 : 1;
}
