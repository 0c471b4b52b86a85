#pragma once

#include <string>
#include <vector>

#include "layers/layer.hpp"
#include "parse/text.hpp"

namespace hepml::layers {

/// A name in the file, and what it stands for.
template <class T>
struct Choice {
  const char* name;
  T value;
};

/// What the text stands for; throws Error (unsupported) with the nearest names for any other.
template <class T, std::size_t N>
T choose(const At& at, const Choice<T> (&choices)[N]) {
  const std::string& name = at.string();
  std::vector<std::string> names;
  for (const auto& choice : choices) {
    if (name == choice.name) return choice.value;
    names.emplace_back(choice.name);
  }
  at.fail(Error::Code::unsupported, "unknown name " + text::quoted(name), text::joined(names),
          text::quoted(name), text::nearest(name, names));
}

}  // namespace hepml::layers
