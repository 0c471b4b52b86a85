#include <hepml/error.hpp>

#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "parse/text.hpp"

namespace hepml::kernels {
namespace {

/// The sets that this processor can run, fastest first.
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

}  // namespace

const Kernels& select() {
  const auto sets = available();
  const char* wanted = std::getenv("HEPML_CPU");
  if (wanted == nullptr || *wanted == '\0') return *sets.front();
  std::vector<std::string> names;
  for (const Kernels* set : sets) {
    if (std::string(wanted) == set->name) return *set;
    names.emplace_back(set->name);
  }
  throw Error(Error::Code::usage,
              {"the environment variable HEPML_CPU names no instruction set of this processor",
               {},
               "HEPML_CPU",
               text::joined(names),
               text::quoted(wanted),
               text::nearest(wanted, names),
               "unset HEPML_CPU"});
}

}  // namespace hepml::kernels
