#pragma once

// From the towers of one event to images, high-level variables and masses: the code behind
// hepml.select_candidates, hepml.make_images, hepml.high_level and hepml.mass, and behind hepml::Tagger.
// Nothing here throws or allocates once an ImageMaker stands.
//
// Images are row-major: row 0 is the largest phi, columns go up in eta. Energies in GeV, angles in radians.

#include <hepml/export.hpp>
#include <hepml/span.hpp>
#include <hepml/tower.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace hepml {

class TowerChoice;

/// Cells of equal size; phi covers [-pi, pi) and wraps.
struct HEPML_API Grid {
  int n_eta = 0;
  int n_phi = 0;
  double eta_min = -2.5;
  double eta_max = 2.5;

  double eta_width() const noexcept;
  double phi_width() const noexcept;
  double eta_center(int index) const noexcept;
  double phi_center(int index) const noexcept;
  /// Index of the cell that holds eta; -1 outside of the grid or not finite.
  int eta_index(double eta) const noexcept;
  /// Index of the cell that holds phi, wrapped; -1 where phi is not finite.
  int phi_index(double phi) const noexcept;
};

/// Two grids and the windows that images are cut from. The default is that of arXiv:2011.01984.
struct HEPML_API Geometry {
  Grid ecal{200, 252, -2.5, 2.5};
  Grid hcal{50, 62, -2.5, 2.5};
  int ecal_window = 31;  ///< pixels of the ECal image along each axis, odd
  int hcal_window = 8;   ///< cells of the HCal image along each axis, even
  int hcal_expand = 4;   ///< pixels that an HCal cell is divided into, along each axis
  int search = 8;        ///< half width, in ECal cells, of the square searched for the hottest cell

  int ecal_pixels() const noexcept { return ecal_window * ecal_window; }
  int hcal_cells() const noexcept { return hcal_window * hcal_window; }
  int hcal_pixels() const noexcept { return hcal_cells() * hcal_expand * hcal_expand; }
  /// nullptr, or the sentence that says why no image can be cut from these grids.
  const char* problem() const noexcept;
};

/// The correct definitions, or those of the published macros with their quirks.
enum class Convention : std::uint8_t { standard = 0, arxiv_2011_01984 = 1 };

/// Which towers of an event count; the others are as if they were not there.
struct TowerSelection {
  /// Of both calorimeters together, those of highest ET; of equal ET the first, ECal before HCal. 0: all.
  std::size_t most = 0;
  /// Leave out towers with a NaN or a magnitude beyond 1e30, which otherwise make their event not_finite.
  bool skip_not_finite = false;
};

/// Why an object is a candidate (ok) or is not.
enum class Status : std::uint8_t {
  ok = 0,
  no_object = 1,      ///< the event holds no object of the collection
  outside_grid = 2,   ///< the object lies outside of the ECal grid
  search_window = 3,  ///< the square searched for the hottest cell leaves the grid
  image_window = 4,   ///< an image leaves the grid
  not_finite = 5,     ///< NaN, or a magnitude beyond 1e30 (phi of the object: 1e6), in the object or a tower
  other_granularity = 6,  ///< towers that do not nest in the model's cells
  below_min_pt = 7,       ///< a pT cut asked for by the user
  above_max_eta = 8,      ///< an eta cut asked for by the user
  preselection = 9,       ///< a named preselection asked for by the user
  own_cell_hottest = 10,  ///< convention 2011.01984 only: its search forgets the object's own cell
  wrong_steps = 11,  ///< a sequence with more steps than the Session holds, or others than the network needs
};
/// Its name as printed in cut flows, "ok" to "wrong_steps".
HEPML_API const char* name(Status status) noexcept;

/// Where the images of one object are cut.
struct Candidate {
  Status status = Status::no_object;
  int cell_eta = -1;  ///< hottest ECal cell, the centre of the ECal image
  int cell_phi = -1;
  int hcal_eta = -1;  ///< first (lowest eta, lowest phi) HCal cell of the HCal window; phi wrapped
  int hcal_phi = -1;
  double hcal_deta = 0;  ///< centre of the HCal image minus centre of the ECal image
  double hcal_dphi = 0;
};

/// The four images of one candidate: ecal_window^2 pixels and hcal_window^2 cells (not expanded).
template <class T>
struct ImageSpans {
  span<T> ecal_et;
  span<T> ecal_e;
  span<T> hcal_et;
  span<T> hcal_e;
};

/// Finds candidates and fills images; owns every buffer that it needs. One per thread.
class HEPML_API ImageMaker {
 public:
  /// Throws std::invalid_argument with Geometry::problem().
  explicit ImageMaker(const Geometry& geometry = {}, Convention convention = Convention::standard,
                      const TowerSelection& towers = {});
  ~ImageMaker();
  ImageMaker(ImageMaker&&) noexcept;
  ImageMaker& operator=(ImageMaker&&) noexcept;

  const Geometry& geometry() const noexcept { return geometry_; }
  Convention convention() const noexcept { return convention_; }

  /// The hottest ECal cell around an object at (eta, phi), and whether its images fit. Looks for NaN and
  /// infinity in every tower of both lists; takes those that count.
  Candidate find(span<const Tower> ecal, span<const Tower> hcal, double eta, double phi) noexcept;

  /// The images of a candidate that find() accepted: sums in float64 in the order of the towers, rounded
  /// once; of the towers that count.
  void fill(const Candidate& candidate, span<const Tower> ecal, span<const Tower> hcal,
            const ImageSpans<float>& images) noexcept;

  /// find() without the look at the towers' values, for callers who did that once an event. Every tower
  /// counts, here and below.
  Candidate find_in_finite(span<const Tower> ecal, double eta, double phi) noexcept;

  /// One pair of images as ascending pixel numbers and values; zeros left out. Returns how many were written;
  /// the buffers must hold min(towers, pixels) values.
  struct Sparse {
    std::uint16_t* index;
    float* value;
    std::size_t count;
  };
  void fill_ecal(const Candidate& candidate, span<const Tower> towers, Sparse& et, Sparse& e) noexcept;
  void fill_hcal(const Candidate& candidate, span<const Tower> towers, Sparse& et, Sparse& e) noexcept;

 private:
  friend struct ColumnsMaker;  // the same on columns of many events, for Python
  template <class Towers>
  HEPML_LOCAL Candidate find_in(const Towers& ecal, double eta, double phi) noexcept;
  template <class Towers>
  HEPML_LOCAL void fill_ecal_of(const Candidate& candidate, const Towers& towers, Sparse& et,
                                Sparse& e) noexcept;
  template <class Towers>
  HEPML_LOCAL void fill_hcal_of(const Candidate& candidate, const Towers& towers, Sparse& et,
                                Sparse& e) noexcept;
  template <class Towers>
  HEPML_LOCAL void fill_window(const Grid& grid, int side, int first_eta, int first_phi, const Towers& towers,
                               Sparse& et, Sparse& e) noexcept;
  template <class Towers, class Pixel>
  HEPML_LOCAL void fill_sparse(const Towers& towers, Pixel pixel_of, Sparse& et, Sparse& e) noexcept;
  template <bool both, class Towers, class Pixel>
  HEPML_LOCAL void fill_sums(const Towers& towers, Pixel pixel_of, Sparse& et, Sparse& e) noexcept;
  HEPML_LOCAL const TowerChoice* chosen(span<const Tower> ecal, span<const Tower> hcal) noexcept;
  Candidate place_windows(int seed_eta, int seed_phi, int cell_eta, int cell_phi) const noexcept;

  Geometry geometry_;
  Convention convention_;
  std::unique_ptr<TowerChoice> choice_;
  std::vector<double> search_;         // (2 search + 1)^2 sums of ET
  std::vector<double> et_, e_;         // sums of one image pair, zero between calls
  std::vector<std::uint64_t> filled_;  // a bit a pixel, zero between calls
  std::vector<std::uint16_t> index_;   // scratch of fill(): one sparse pair
  std::vector<float> value_;
};

/// True if every et, eta, phi and e is finite.
HEPML_API bool all_finite(span<const Tower> towers) noexcept;

/// HCal cells -> pixels: each cell divided equally over hcal_expand^2 pixels (float32 division), the sum
/// unchanged.
HEPML_API void expand_hcal(const Geometry& geometry, span<const float> cells, span<float> pixels) noexcept;

constexpr std::size_t n_features = 7;
/// r_had, w_eta2, r_phi, r_eta, sigma_etaeta, iso_03, iso_04 in double precision; a ratio whose denominator
/// is not positive is 0, a negative variance is 0.
HEPML_API void high_level(const Geometry& geometry, Convention convention,
                          const ImageSpans<const float>& images, span<double> features) noexcept;

/// all: ET of ECal and HCal; et: ET of the ECal; ee: E of the ECal in place of its ET.
enum class MassKind : std::uint8_t { all = 0, et = 1, ee = 2 };
/// Invariant mass in GeV of the deposits as massless objects at their cell centres. hcal_deta, hcal_dphi: the
/// candidate's; used by MassKind::all only. Negative squared masses (negative deposits) give 0.
HEPML_API double mass(const Geometry& geometry, MassKind kind, const ImageSpans<const float>& images,
                      double hcal_deta, double hcal_dphi) noexcept;

/// Width of the shower in eta, in cells: 5x5 ECal cells weighted by max(0, 4.7 + ln(E / E_5x5)) about their
/// weighted mean.
HEPML_API double sigma_etaeta_log(const Geometry& geometry, span<const float> ecal_e) noexcept;

/// ET of the towers within each radius of the hottest cell's centre (strictly), the core left out, divided by
/// pt; 0 where pt is not positive. The core is the square of `core` x `core` ECal cells around the hottest
/// one (0: none) and concerns ECal towers only.
HEPML_API void isolation(const Geometry& geometry, const Candidate& candidate, span<const Tower> ecal,
                         span<const Tower> hcal, int core, double pt, span<const double> radii,
                         span<double> cones) noexcept;

/// Is R_had < 0.15 and (ET outside of 3x7 cells) / (ET in 3x7 cells) < 0.5?
HEPML_API bool hard_selection(const Geometry& geometry, const ImageSpans<const float>& images) noexcept;

}  // namespace hepml
