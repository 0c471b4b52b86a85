// A TTree in, a friend tree with the score out. Branches are called like the variables of the network, of any
// arithmetic type.
//   score_tree net.json events.root TREE scores.root
#include <hepml/hepml.hpp>

#include <TFile.h>
#include <TLeaf.h>
#include <TTree.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s net.json events.root TREE scores.root\n", argv[0]);
    return 2;
  }
  const auto model = hepml::Model::load(argv[1]);
  hepml::Session session(model);

  const std::unique_ptr<TFile> input(TFile::Open(argv[2]));
  auto* tree = input && !input->IsZombie() ? input->Get<TTree>(argv[3]) : nullptr;
  if (!tree) throw std::runtime_error(std::string("no tree ") + argv[3] + " in " + argv[2]);

  // Where each variable comes from and where it goes; no other branch is read.
  tree->SetBranchStatus("*", false);
  std::vector<std::pair<TLeaf*, float*>> variables;
  for (std::size_t i = 0; i < model.inputs().size(); ++i) {
    if (model.inputs()[i].shape.size() != 1)
      throw std::runtime_error(model.inputs()[i].name + " is no vector");
    float* to = session.input(i).data();
    for (const auto& variable : model.inputs()[i].variables) {
      TLeaf* leaf = tree->GetLeaf(variable.name.c_str());
      if (!leaf) throw std::runtime_error("no branch " + variable.name + " in " + argv[3]);
      leaf->GetBranch()->SetStatus(true);
      variables.emplace_back(leaf, to++);
    }
  }

  const std::unique_ptr<TFile> output(TFile::Open(argv[4], "CREATE"));
  if (!output || output->IsZombie()) throw std::runtime_error(std::string("cannot write ") + argv[4]);
  auto* scores = new TTree("hepml", "scores, one entry per input entry");  // the file owns it
  float score = 0;
  scores->Branch("score", &score);

  for (Long64_t entry = 0; entry < tree->GetEntries(); ++entry) {
    if (tree->GetEntry(entry) <= 0)
      throw std::runtime_error("entry " + std::to_string(entry) + " cannot be read");
    for (const auto& [leaf, to] : variables) *to = static_cast<float>(leaf->GetValue());
    score = session.run()[0];
    scores->Fill();
  }
  output->Write();
  std::printf("%lld scores in %s\n", static_cast<long long>(scores->GetEntries()), argv[4]);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
