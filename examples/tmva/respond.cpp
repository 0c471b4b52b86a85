// respond bdt.json < events.txt: TMVA's response to each event, its values in the order of the training.
#include <hepml/hepml.hpp>

#include <cstdio>
#include <iostream>

int main(int argc, char** argv) try {
  const auto model = hepml::Model::load(argc > 1 ? argv[1] : "bdt.json");
  hepml::Session session(model);
  const auto values = session.input("x");
  for (;;) {
    for (float& value : values)
      if (!(std::cin >> value)) return std::cin.eof() && &value == values.begin() ? 0 : 1;
    for (const float response : session.run()) std::printf("%.9g ", static_cast<double>(response));
    std::puts("");
  }
} catch (const hepml::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
