#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hepml::text {

/// 'text' in single quotes, control and non-ASCII bytes escaped, cut at 60 characters: safe in any terminal.
std::string quoted(std::string_view text);

/// "3 x 4 x 5", "any x 5".
std::string times(const std::vector<std::size_t>& shape);

/// The shortest decimal that gives the double back.
std::string number(double value);

/// The known names closest to `name`, best first, at most three; empty if none is close.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& known);

/// "a, b, c".
std::string joined(const std::vector<std::string>& names);

}  // namespace hepml::text
