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
    if (word == "--help" || word == "-h") {
      std::printf("%s", help.c_str());
      return 0;
    }
    if (word == "--version") {
      std::printf("%s %s\n", name, hepml::version());
      return 0;
    }
    const bool negative = i > 1 && word.find_first_not_of("0123456789", 1) == std::string::npos;  // no option
    if (word.size() > 1 && word[0] == '-' && !negative) {
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
