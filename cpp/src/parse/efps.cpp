#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "efp/program.hpp"
#include "parse/file.hpp"
#include "parse/text.hpp"

// The object "efps": which energy-flow polynomials of the images the numbers of the input `efp` are.

namespace hepml::parse {
namespace {

constexpr std::size_t newest_version = 1;
constexpr std::size_t most_columns = 4096;
constexpr std::size_t most_vertices = 16;
constexpr std::size_t most_edges = 16;
constexpr std::size_t most_pixels = 4096;  // of an image
constexpr std::size_t most_events = 4;     // of reference, and so many pixels that are not 0 in each image
constexpr std::size_t most_filled = 32;

struct SourceRow {
  const char* name;
  const char* prefix;  // of the names of columns
  efp::Source source;
};
constexpr std::array<SourceRow, 2> sources{
    {{"ecal", "et", efp::Source::ecal}, {"hcal", "ht", efp::Source::hcal}}};

/// As printf's %g writes it, in any locale.
std::string general(double value) {
  std::array<char, 40> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::general, 6);
  return {buffer.data(), end.ptr};
}

/// Takes a whole number off the front.
bool take_number(std::string_view& text, std::size_t& value) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end == text.data()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

/// Vertices and edges of a graph "n_d_k", or of several joined by x.
bool read_graph_name(std::string_view text, std::size_t& n, std::size_t& d) {
  n = d = 0;
  do {
    std::size_t vertices = 0, edges = 0, number = 0;
    if (!take_number(text, vertices) || !take(text, '_') || !take_number(text, edges) || !take(text, '_') ||
        !take_number(text, number))
      return false;
    n += vertices;
    d += edges;
  } while (take(text, 'x'));
  return text.empty();
}

/// Does a name <et|ht>_efp_<graph>_k_<kappa>_b_<beta> say what the definition does?
void check_name(const At& at, const efp::Column& column, const SourceRow& row) {
  const std::string& name = at.string();
  const std::string head = std::string(row.prefix) + "_efp_";
  const std::string tail = "_k_" + general(column.kappa) + "_b_" + general(column.beta);
  const std::size_t n = column.graph.vertices, d = column.graph.edges.size();
  const std::string_view text = name;
  std::size_t named_n = 0, named_d = 0;
  const bool framed = text.size() > head.size() + tail.size() && text.substr(0, head.size()) == head &&
                      text.substr(text.size() - tail.size()) == tail;
  if (!framed ||
      !read_graph_name(text.substr(head.size(), text.size() - head.size() - tail.size()), named_n, named_d) ||
      named_n != n || named_d != d) {
    at.wrong("a name that contradicts the polynomial",
             head + std::to_string(n) + "_" + std::to_string(d) + "_<number>" + tail, text::quoted(name));
  }
}

const SourceRow& read_source(const At& at) {
  std::vector<std::string> known;
  for (const SourceRow& row : sources) {
    if (at.string() == row.name) return row;
    known.emplace_back(row.name);
  }
  at.fail(Error::Code::unsupported, "unknown calorimeter " + text::quoted(at.string()), text::joined(known),
          text::quoted(at.string()), text::nearest(at.string(), known));
}

Polynomials::Graph read_graph(const At& at) {
  Polynomials::Graph graph;
  graph.vertices = at.member("n").count(1, most_vertices);
  const At edges = at.member("edges");
  if (edges.size() > most_edges)
    edges.wrong("too many edges", "at most " + std::to_string(most_edges), std::to_string(edges.size()));
  std::vector<bool> named(graph.vertices, graph.vertices == 1);
  for (std::size_t k = 0; k < edges.size(); ++k) {
    const At edge = edges.item(k);
    const auto ends = edge.counts(0, graph.vertices - 1);
    if (ends.size() != 2) edge.wrong("not an edge", "two vertices", std::to_string(ends.size()));
    if (ends[0] == ends[1])
      edge.wrong("not an edge", "two different vertices", std::to_string(ends[0]) + " twice");
    named[ends[0]] = named[ends[1]] = true;
    graph.edges.emplace_back(static_cast<std::uint8_t>(ends[0]), static_cast<std::uint8_t>(ends[1]));
  }
  const auto alone = std::find(named.begin(), named.end(), false);
  if (alone != named.end())
    edges.wrong("a vertex without edges", "an edge of each vertex",
                "none of " + std::to_string(alone - named.begin()));
  if (!efp::Program().add(graph.vertices, graph.edges))
    edges.fail(Error::Code::unsupported, "a graph is too dense",
               "all vertices but one summed over one after another", "a hub within a hub, as in K5");
  return graph;
}

/// [row, column, ET] of each pixel that is not 0.
std::vector<float> read_image(const At& at, std::size_t side) {
  std::vector<float> image(side * side);
  if (at.size() > most_filled)
    at.wrong("too many pixels", "at most " + std::to_string(most_filled), std::to_string(at.size()));
  for (std::size_t k = 0; k < at.size(); ++k) {
    const At pixel = at.item(k);
    if (pixel.size() != 3) pixel.wrong("not a pixel", "[row, column, ET]");
    const std::size_t row = pixel.item(0).count(0, side - 1), column = pixel.item(1).count(0, side - 1);
    image[row * side + column] = pixel.floats()[2];
  }
  return image;
}

EFPEvent read_event(const At& at, const Geometry& geometry, const std::vector<efp::Column>& columns) {
  EFPEvent event;
  for (const efp::Column& column : columns) {
    const bool ecal = column.source == efp::Source::ecal;
    auto& image = ecal ? event.ecal : event.hcal;
    if (image.empty())
      image = read_image(at.member(ecal ? "ecal" : "hcal"), efp::side(geometry, column.source));
  }
  event.values = at.member("values").numbers();
  if (event.values.size() != columns.size())
    at.member("values").wrong("a wrong number of values", std::to_string(columns.size()),
                              std::to_string(event.values.size()));
  return event;
}

}  // namespace

EFPs read_efps(const At& at, const File& file, const std::optional<Geometry>& geometry) {
  EFPs efps;
  const At version = at.member("version");
  if (version.number() > static_cast<double>(newest_version)) {
    version.fail(Error::Code::unsupported, "the polynomials are newer than this library",
                 "version " + std::to_string(newest_version), text::number(version.number()), {},
                 "update hepml");
  }
  version.count(1, newest_version);
  if (!geometry) at.wrong("polynomials of images of unknown pixels", "the key geometry beside", "none");
  const auto input = std::find_if(file.inputs.begin(), file.inputs.end(),
                                  [](const InputRecord& record) { return record.input.name == efp_input; });
  if (input == file.inputs.end() || input->input.shape.size() != 1)
    at.wrong("polynomials for no input", std::string("a vector ") + efp_input + " among the inputs", "none");
  const auto& variables = input->input.variables;
  const At columns = at.member("columns");
  if (columns.size() != variables.size() || columns.size() > most_columns) {
    columns.wrong("the polynomials are not those of the input " + text::quoted(efp_input),
                  std::to_string(variables.size()) + " columns, at most " + std::to_string(most_columns),
                  std::to_string(columns.size()));
  }
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const At one = columns.item(k);
    const SourceRow& row = read_source(one.member("calorimeter"));
    if (const std::size_t n = efp::side(*geometry, row.source); n * n > most_pixels)
      one.member("calorimeter")
          .wrong("an image of too many pixels for polynomials", std::to_string(most_pixels),
                 std::to_string(n * n));
    efp::Column column{row.source, read_graph(one), one.member("kappa").number(), one.member("beta").number(),
                       one.member("normed").boolean()};
    const At name = one.member("name");
    if (name.string() != variables[k].name)
      name.wrong("not the variable of the input " + text::quoted(efp_input), text::quoted(variables[k].name),
                 text::quoted(name.string()));
    check_name(name, column, row);
    efps.columns.push_back(std::move(column));
  }
  if (at.has("reference")) {
    const At events = at.member("reference");
    if (events.size() > most_events)
      events.wrong("too many reference events", "at most " + std::to_string(most_events),
                   std::to_string(events.size()));
    for (std::size_t k = 0; k < events.size(); ++k)
      efps.reference.push_back(read_event(events.item(k), *geometry, efps.columns));
  }
  return efps;
}

}  // namespace hepml::parse
