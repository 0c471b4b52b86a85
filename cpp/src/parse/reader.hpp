#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// Strict JSON (RFC 8259) as events. A network is mostly numbers, and a reader that keeps no text of them is
// several times faster than a general one.
namespace hepml::parse {

/// What a text is not, and where.
struct NotJson {
  std::size_t position;
  const char* expected;
};

/// Calls of Handler: null(), boolean(bool), number(double), string(std::string&&), key(std::string&&),
/// start_object(), end_object(), start_array(), end_array(). Throws NotJson.
template <class Handler>
class Reader {
 public:
  Reader(std::string_view text, Handler& handler)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()), handler_(handler) {}

  void read() {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, 3) == "\xEF\xBB\xBF") at_ += 3;
    do {
      value();
    } while (next());
  }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
  Handler& handler_;
  std::vector<char> open_;  // '{' or '[' of the containers around

  [[noreturn]] void fail(const char* expected) const {
    throw NotJson{static_cast<std::size_t>(at_ - begin_), expected};
  }
  char peek() const noexcept { return at_ == end_ ? '\0' : *at_; }
  void skip() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  static bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

  /// A scalar, an empty container, or the first value inside of containers that it opens.
  void value() {
    for (;;) {
      skip();
      switch (peek()) {
        case '{':
          ++at_;
          handler_.start_object();
          skip();
          if (peek() == '}') {
            ++at_;
            handler_.end_object();
            return;
          }
          open_.push_back('{');
          key();
          break;
        case '[':
          ++at_;
          handler_.start_array();
          skip();
          if (peek() == ']') {
            ++at_;
            handler_.end_array();
            return;
          }
          open_.push_back('[');
          break;
        case '"':
          handler_.string(string());
          return;
        case 't':
          word("true");
          handler_.boolean(true);
          return;
        case 'f':
          word("false");
          handler_.boolean(false);
          return;
        case 'n':
          word("null");
          handler_.null();
          return;
        default:
          handler_.number(number());
          return;
      }
    }
  }

  /// Behind a value: closes containers, and says whether another value follows.
  bool next() {
    for (;;) {
      skip();
      if (open_.empty()) {
        if (at_ != end_) fail("the end of the text");
        return false;
      }
      const bool object = open_.back() == '{';
      const char c = peek();
      if (c == ',') {
        ++at_;
        if (object) key();
        return true;
      }
      if (c != (object ? '}' : ']')) fail(object ? "a comma or }" : "a comma or ]");
      ++at_;
      open_.pop_back();
      if (object) {
        handler_.end_object();
      } else {
        handler_.end_array();
      }
    }
  }

  void key() {
    skip();
    if (peek() != '"') fail("a key in quotes");
    handler_.key(string());
    skip();
    if (peek() != ':') fail("a colon");
    ++at_;
  }

  void word(std::string_view text) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, text.size()) != text)
      fail("true, false or null");
    at_ += text.size();
  }

  double number() {
    const char* start = at_;
    if (peek() == '-') ++at_;
    if (!digit(peek())) {
      at_ = start;
      fail("a value");
    }
    if (peek() == '0') {
      ++at_;
    } else {
      while (digit(peek())) ++at_;
    }
    if (peek() == '.') {
      ++at_;
      if (!digit(peek())) fail("a digit");
      while (digit(peek())) ++at_;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digit(peek())) fail("a digit");
      while (digit(peek())) ++at_;
    }
    double found = 0;
    if (std::from_chars(start, at_, found).ec == std::errc()) return found;
    if (too_large(start)) {
      at_ = start;
      fail("a number of double precision");
    }
    return 0;
  }

  /// Is the number from `start`, which double precision cannot hold, too large for it, and not too small?
  bool too_large(const char* start) const noexcept {
    constexpr long most = 1'000'000'000;
    long power = 0;     // of the first digit that is not 0
    bool seen = false;  // that digit
    bool fraction = false;
    const char* p = *start == '-' ? start + 1 : start;
    for (; p != at_ && *p != 'e' && *p != 'E'; ++p) {
      if (*p == '.') {
        fraction = true;
        continue;
      }
      if (!fraction && (seen || *p != '0')) ++power;
      if (fraction && !seen && *p == '0') --power;
      seen |= *p != '0';
    }
    long exponent = 0;
    if (p != at_) {
      ++p;
      const bool down = *p == '-';
      if (*p == '-' || *p == '+') ++p;
      for (; p != at_; ++p) exponent = exponent >= most ? most : 10 * exponent + (*p - '0');
      if (down) exponent = -exponent;
    }
    return seen && power + exponent > 0;
  }

  std::string string() {
    std::string out;
    ++at_;
    for (;;) {
      const char* plain = at_;
      while (end_ - at_ >= 8 && plain_8(at_)) at_ += 8;
      while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20 &&
             static_cast<unsigned char>(*at_) < 0x80)
        ++at_;
      out.append(plain, at_);
      if (at_ == end_) fail("the end of the string");
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\') {
        ++at_;
        escape(out);
      } else if (c < 0x20) {
        fail("a control character written as an escape");
      } else {
        character(out);
      }
    }
  }

  /// Are these 8 bytes ASCII without quotes, backslashes and control characters? A byte minus 1 borrows its
  /// upper bit if it was 0; a wrong answer for a byte above a 0 byte does no harm.
  static bool plain_8(const char* p) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    std::uint64_t x = 0;
    std::memcpy(&x, p, sizeof x);
    const std::uint64_t quote = (x ^ ones * '"') - ones;
    const std::uint64_t backslash = (x ^ ones * '\\') - ones;
    return ((x | quote | backslash | (x - ones * 0x20)) & ones * 0x80) == 0;
  }

  /// A character of several bytes, as UTF-8 allows it.
  void character(std::string& out) {
    const auto byte = [this](std::size_t i) {
      return i < static_cast<std::size_t>(end_ - at_) ? static_cast<unsigned char>(at_[i]) : 0U;
    };
    const unsigned first = byte(0);
    const std::size_t n = first >= 0xC2 && first <= 0xDF   ? 2
                          : first >= 0xE0 && first <= 0xEF ? 3
                          : first >= 0xF0 && first <= 0xF4 ? 4
                                                           : 0;
    unsigned low = 0x80;
    unsigned high = 0xBF;
    if (first == 0xE0) low = 0xA0;   // no longer forms than needed
    if (first == 0xED) high = 0x9F;  // no surrogates
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;  // up to U+10FFFF
    bool good = n != 0 && byte(1) >= low && byte(1) <= high;
    for (std::size_t i = 2; i < n; ++i) good = good && byte(i) >= 0x80 && byte(i) <= 0xBF;
    if (!good) fail("UTF-8");
    out.append(at_, n);
    at_ += n;
  }

  unsigned hexadecimal() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int value = digit(c)               ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (value < 0) fail("four hexadecimal digits");
      code = 16 * code + static_cast<unsigned>(value);
    }
    return code;
  }

  void escape(std::string& out) {
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view values = "\"\\/\b\f\n\r\t";
    if (at_ != end_) {
      const auto known = names.find(*at_);
      if (known != std::string_view::npos) {
        out += values[known];
        ++at_;
        return;
      }
    }
    if (peek() != 'u') fail("an escape");
    ++at_;
    unsigned code = hexadecimal();
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (peek() != '\\') fail("the second half of a surrogate pair");
      ++at_;
      if (peek() != 'u') fail("the second half of a surrogate pair");
      ++at_;
      const unsigned second = hexadecimal();
      if (second < 0xDC00 || second > 0xDFFF) fail("the second half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      fail("the first half of a surrogate pair");
    }
    const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | (code >> 6));
      put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      put(0xE0 | (code >> 12));
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    } else {
      put(0xF0 | (code >> 18));
      put(0x80 | ((code >> 12) & 0x3F));
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    }
  }
};

}  // namespace hepml::parse
