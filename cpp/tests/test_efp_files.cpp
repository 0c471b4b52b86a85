// What network files say of polynomials: definitions that cannot be, and images that must give their values.

#include <hepml/hepml.hpp>

#include <cstdio>
#include <string>
#include <vector>

#include "check.hpp"
#include "networks.hpp"

namespace {

using hepml::Error;

/// A network of polynomials, with one thing of its definitions changed: what loading says.
void what_a_file_may_not_say() {
  const std::vector<networks::Polynomial> columns{{"et_efp_3_3_1", 3, "[[0,1],[0,2],[1,2]]", "0.5", "2"},
                                                  {"ht_efp_2_1_0", 2, "[[0,1]]", "-1", "1"}};
  const std::string good = networks::efp_network(columns);
  const std::string dense = "[[0,1],[0,2],[0,3],[0,4],[1,2],[1,3],[1,4],[2,3],[2,4],[3,4]]";
  std::string many, image;
  for (int k = 0; k < 33; ++k) {
    many += (k == 0 ? "[" : ",") + std::string("[0,1]");
    image += (k == 0 ? "[" : ",") + std::string("[0,0,1]");
  }
  const std::string three = R"("n":3,"edges":[[0,1],[0,2],[1,2]])";
  const auto with_reference = [](const std::string& ecal, const std::string& hcal, const std::string& found) {
    return R"("version":1,"reference":[{"ecal":)" + ecal + R"(,"hcal":)" + hcal + R"(,"values":)" + found +
           "}]";
  };
  const auto schema = Error::Code::schema, unsupported = Error::Code::unsupported,
             syntax = Error::Code::syntax;
  struct Bad {
    std::string from, to;
    Error::Code code;
    std::string message;
  };
  const Bad cases[] = {
      {"\"version\":1", "\"version\":2", unsupported, "hepml.efps.version"},
      {"\"version\":1", "\"version\":0", schema, "hepml.efps.version"},
      {"\"version\":1", "\"version\":1.5", unsupported, "hepml.efps.version"},
      {"\"version\":1,", "", schema, "'version' is missing"},
      {"\"geometry\"", "\"geometri\"", schema, "unknown pixels"},
      {"\"name\":\"efp\"", "\"name\":\"efpe\"", schema, "polynomials for no input"},
      {"\"columns\":[", "\"columns\":[[],", schema, "2 columns"},
      {"\"columns\":[{", "\"columns\":[3,{", schema, "2 columns"},
      {"\"columns\":", "\"columns\":7,\"more\":", schema, "hepml.efps.columns"},
      {"\"efps\":{", "\"efps\":[1],\"more\":{", schema, "hepml.efps"},
      {"\"ecal\",\"n\"", "\"ecol\",\"n\"", unsupported, "nearest:  'ecal'"},
      {"\"ecal\",\"n\"", "\"hcal\",\"n\"", schema, "hepml.efps.columns[0].name"},
      {"\"n\":3", "\"n\":0", schema, "hepml.efps.columns[0].n"},
      {"\"n\":3", "\"n\":17", schema, "hepml.efps.columns[0].n"},
      {"\"n\":3", "\"n\":1e300", schema, "hepml.efps.columns[0].n"},
      {"\"n\":3", "\"n\":-3", schema, "hepml.efps.columns[0].n"},
      {"\"n\":3", "\"n\":2", schema, "hepml.efps.columns[0].edges[1][1]"},
      {"\"n\":3", "\"n\":4", schema, "none of 3"},
      {"[0,2],[1,2]", "[0,2],[1,3]", schema, "hepml.efps.columns[0].edges[2][1]"},
      {"[0,2],[1,2]", "[0,2],[1,-1]", schema, "hepml.efps.columns[0].edges[2][1]"},
      {"[0,2],[1,2]", "[0,2],[1,1]", schema, "hepml.efps.columns[0].edges[2]"},
      {"[0,2],[1,2]", "[0,2],[1,2,0]", schema, "hepml.efps.columns[0].edges[2]"},
      {"[0,2],[1,2]", "[0,2],[1]", schema, "hepml.efps.columns[0].edges[2]"},
      {"[0,2],[1,2]", "[0,2],\"12\"", schema, "hepml.efps.columns[0].edges[2]"},
      {"[0,2],[1,2]", "[0,2]", schema, "et_efp_3_2_<number>_k_0.5_b_2"},
      {"[[0,1],[0,2],[1,2]]", "[]", schema, "none of 0"},
      {"[[0,1]]", many + "]", schema, "too many edges"},
      {three, R"("n":5,"edges":)" + dense, unsupported, "hepml.efps.columns[0].edges"},
      {"\"kappa\":0.5", "\"kappa\":0.25", schema, "contradicts"},
      {"\"kappa\":0.5", "\"kappa\":NaN", syntax, "JSON"},
      {"\"kappa\":0.5", "\"kappa\":1e999", syntax, "1e999"},
      {"\"kappa\":0.5", "\"kappa\":\"0.5\"", schema, "hepml.efps.columns[0].kappa"},
      {"\"beta\":2", "\"beta\":1", schema, "contradicts"},
      {"\"beta\":2", "\"beta\":null", schema, "hepml.efps.columns[0].beta"},
      {"\"normed\":true", "\"normed\":1", schema, "hepml.efps.columns[0].normed"},
      {"[{\"name\":\"et_efp_3_3_1", "[{\"name\":\"et_efp_3_3_2", schema, "not the variable"},
      {"et_efp_3_3_1", "et_efp_3_3", schema, "contradicts"},
      {"et_efp_3_3_1", "et_efp_3_3_1_1", schema, "contradicts"},
      {"et_efp_3_3_1", "et_efp_99999999999999999999_3_1", schema, "contradicts"},
      {"et_efp_3_3_1", "et_efp_2_3_1x", schema, "contradicts"},
      {"\"version\":1", with_reference("[[0,0]]", "[]", "[0,0]"), schema, "reference[0].ecal[0]"},
      {"\"version\":1", with_reference("[[0,31,1]]", "[]", "[0,0]"), schema, "reference[0].ecal[0][1]"},
      {"\"version\":1", with_reference("[[0,0,1e39]]", "[]", "[0,0]"), schema, "reference[0].ecal[0]"},
      {"\"version\":1", with_reference(image + "]", "[]", "[0,0]"), schema, "too many pixels"},
      {"\"version\":1", with_reference("[]", "[]", "[0]"), schema, "reference[0].values"},
      {"\"version\":1", with_reference("[]", "[[0,0,1],[0,1,1]]", "[0,0]"), Error::Code::verification,
       "reference[0].values[1] (ht_efp_2_1_0_k_-1_b_1)"},
      {"\"version\":1", R"("version":1,"reference":[0,0,0,0,0])", schema, "at most 4"},
  };
  hepml::Model::parse(good);
  for (const Bad& bad : cases) {
    std::string text = good;
    for (auto at = text.find(bad.from); at != std::string::npos;
         at = text.find(bad.from, at + bad.to.size())) {
      text.replace(at, bad.from.size(), bad.to);
      if (check::contains(bad.from, "[{\"name\"")) at = text.size() - bad.to.size();
    }
    CHECK(text != good);
    const auto error = ERROR_OF(hepml::Model::parse(text));
    const bool right = error.code() == bad.code && check::contains(error.what(), bad.message);
    if (!right) std::fprintf(stderr, "%s -> %s: %s\n", bad.from.c_str(), bad.to.c_str(), error.what());
    CHECK(right);
  }
}

/// What it says in advance is computed again.
void images_of_reference() {
  const std::vector<networks::Polynomial> columns{{"ht_efp_2_1_0", 2, "[[0,1]]", "1", "1"}};
  std::string text = networks::efp_network(columns);
  const double theta = 5.0 / 50 / 4;  // neighbours in eta: 2 (1/4) (3/4) theta
  text.replace(text.find("\"version\":1"), 11,
               R"("version":1,"reference":[{"hcal":[[4,9,1],[4,10,3]],"values":[)" +
                   std::to_string(0.375 * theta) + "]}]");
  hepml::Model::parse(text);
  text.replace(text.find("[4,10,3]"), 8, "[4,11,3]");
  const auto error = ERROR_OF(hepml::Model::parse(text));
  CHECK(error.code() == Error::Code::verification);
  CHECK(check::contains(error.what(), "hepml.efps.reference[0].values[0]"));
  hepml::Model::parse(text, {false});
}

}  // namespace

int main() {
  what_a_file_may_not_say();
  images_of_reference();
  return check::failures == 0 ? 0 : 1;
}
