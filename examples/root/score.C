// hepml in cling, without compiling anything: include and load.
//   P=$(hepml --cmake-dir)/../../..
//   ROOT_INCLUDE_PATH=$P/include root -l -b -q -e "gSystem->Load(\"$P/lib/libhepml.so\")"
//   'score.C("net.json")'
// or in Python: hepml.root.load().gROOT.Macro('score.C("net.json")')
#include <hepml/hepml.hpp>

void score(const char* path) {
  const auto model = hepml::Model::load(path);
  hepml::Session session(model);
  for (const auto& input : model.inputs()) {
    auto values = session.input(input.name);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.1f * i;  // raw values
  }
  printf("%.9g\n", session.run()[0]);
}
