#pragma once

#include <hepml/version.hpp>

#include <cstdio>
#include <string>

namespace apps {

/// --help and --version are answered on stdout, 0; another option, or a wrong number of files and numbers, on
/// stderr, 2. -1: go on.
inline int answered(int argc, char** argv, const char* name, const std::string& help, int least, int most) {
  const std::string usage = help.substr(0, help.find('\n') + 1);
  int n = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help" || word == "-h") return std::printf("%s", help.c_str()) < 0 ? 4 : 0;
    if (word == "--version") return std::printf("%s %s\n", name, hepml::version()) < 0 ? 4 : 0;
    if (word.size() > 1 && word[0] == '-') {
      std::fprintf(stderr, "%s: no such option: %s\n%s", name, word.c_str(), usage.c_str());
      return 2;
    }
    ++n;
  }
  if (n >= least && n <= most) return -1;
  std::fprintf(stderr, "%s", usage.c_str());
  return 2;
}

}  // namespace apps
