// score net.json 0.1 0.9 ...: the score of one event, given the values of the network's first input.
#include <hepml/hepml.hpp>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: score net.json value...\n");
    return 2;
  }
  try {
    const auto model = hepml::Model::load(argv[1]);  // immutable: one for all threads
    hepml::Session session(model);                   // the memory of one thread
    const auto input = session.input(std::size_t{0});
    if (static_cast<std::size_t>(argc - 2) != input.size()) {
      std::fprintf(stderr, "the input '%s' has %zu values\n", model.inputs()[0].name.c_str(), input.size());
      return 2;
    }
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = std::strtof(argv[i + 2], nullptr);
    for (const float score : session.run()) std::printf("%.9g\n", static_cast<double>(score));
  } catch (const hepml::Error& error) {  // at load or set-up; run() does not throw
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
