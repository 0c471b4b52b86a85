#pragma once

namespace hepml {

/// An energy deposit of the detector: transverse energy and energy in GeV, and the centre of its cell.
struct Tower {
  double et;
  double eta;
  double phi;
  double e;
};

}  // namespace hepml
