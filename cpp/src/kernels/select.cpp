#include "kernels/select.hpp"

#include <hepml/error.hpp>

#include <cstdlib>

#include "parse/text.hpp"

namespace hepml::kernels {

std::vector<const Kernels*> available() {
  std::vector<const Kernels*> sets;
#if defined(HEPML_X86)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    sets.push_back(&avx512);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(&avx2);
#endif
  sets.push_back(&generic);
  return sets;
}

const Kernels& select(const std::string& name) {
  const auto sets = available();
  const char* variable = std::getenv("HEPML_CPU");
  const std::string wanted = name.empty() && variable != nullptr ? variable : name;
  if (wanted.empty()) return *sets.front();
  std::vector<std::string> names;
  for (const Kernels* set : sets) {
    if (wanted == set->name) return *set;
    names.emplace_back(set->name);
  }
  const std::string source = name.empty() ? "the environment variable HEPML_CPU" : "the option cpu";
  throw Error(Error::Code::usage,
              {source + " names no instruction set of this processor",
               {},
               name.empty() ? "HEPML_CPU" : "cpu",
               text::joined(names),
               text::quoted(wanted),
               text::nearest(wanted, names),
               name.empty() ? "unset HEPML_CPU" : "leave it empty for HEPML_CPU or the fastest"});
}

}  // namespace hepml::kernels
