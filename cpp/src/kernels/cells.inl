// Positions of towers to cells, in double precision. Plain loops: the compiler makes vectors of them.

template <bool ring>
HEPML_INLINE void cells_on(const CellAxis& axis, const double* position, std::int16_t* cell, std::size_t n) {
  const double first = axis.first, scale = axis.cells_per_unit, size = axis.size;
  const double low = ring ? 0.0 : -1.0, high = ring ? size : size + 1;
  const double elsewhere = ring ? 0.0 : size + 0.5;  // an edge is unsure, a cell behind the last is none
  for (std::size_t i = 0; i < n; ++i) {
    const double x = (position[i] - first) * scale;
    const bool there = (x > low) & (x < high);
    const double inside = there ? x : elsewhere;
    const auto index = static_cast<std::int32_t>(inside);
    const double rest = inside - static_cast<double>(index);
    const std::int32_t found = inside < size ? index : -1;
    const bool sure = (rest > 1e-9) & (rest < 1 - 1e-9);
    cell[i] = static_cast<std::int16_t>(sure ? found : CellAxis::unsure);
  }
}

void cells(const CellAxis& axis, const double* position, std::int16_t* cell, std::size_t n) noexcept {
  axis.ring ? cells_on<true>(axis, position, cell, n) : cells_on<false>(axis, position, cell, n);
}

bool within(const double* x, double limit, std::size_t n) noexcept {
  std::int64_t beyond = 0;
  for (std::size_t i = 0; i < n; ++i) beyond += __builtin_fabs(x[i]) <= limit ? 0 : 1;
  return beyond == 0;
}
