// Images are mostly empty. The response to an empty image is computed once; an event is then computed only at
// the pixels that its deposits reach, and the others keep that response from event to event. A bit a pixel, a
// word a row.

/// Which places of an axis a place of the output depends on: place * step - before and the `reach` - 1 behind
/// it.
struct Reach {
  std::size_t reach, step, before;
};

HEPML_SOURCE_INLINE std::uint64_t all_bits(std::size_t n) {
  return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
}
HEPML_SOURCE_INLINE std::size_t lowest_bit(std::uint64_t bits) {
#if defined(__GNUC__)
  return static_cast<std::size_t>(__builtin_ctzll(bits));
#else
  std::size_t n = 0;
  for (; (bits & 1U) == 0; bits >>= 1) ++n;
  return n;
#endif
}

/// The pixels of an image that are not 0.
inline void find_active(const float* x, std::size_t rows, std::size_t columns, std::size_t channels,
                        std::uint64_t* active) noexcept {
  for (std::size_t row = 0; row < rows; ++row) {
    std::uint64_t found = 0;
    for (std::size_t column = 0; column < columns; ++column) {
      bool filled = false;
      for (std::size_t c = 0; c < channels; ++c) filled |= x[column * channels + c] != 0.0F;
      found |= static_cast<std::uint64_t>(filled) << column;
    }
    x += columns * channels;
    active[row] = found;
  }
}

/// Bit c of the result: is a bit set among the places that output place c depends on?
inline std::uint64_t reached(std::uint64_t from, Reach reach, std::size_t n_out) noexcept {
  if (from == 0) return 0;
  std::uint64_t out = 0;
  if (reach.step == 1) {
    for (std::size_t k = 0; k < reach.reach; ++k)
      out |=
          k >= reach.before ? from >> smaller(k - reach.before, 63) : from << smaller(reach.before - k, 63);
    return out & all_bits(n_out);
  }
  for (std::size_t c = 0; c < n_out; ++c) {
    const std::size_t end = c * reach.step + reach.reach;
    if (end <= reach.before) continue;
    const std::size_t first = c * reach.step > reach.before ? c * reach.step - reach.before : 0;
    const std::uint64_t window = all_bits(end - reach.before) & ~all_bits(first);
    if ((from & window) != 0) out |= std::uint64_t{1} << c;
  }
  return out;
}

/// The pixels of an output that those of an input reach; their number.
inline std::size_t find_reached(const std::uint64_t* from, std::size_t from_rows, Reach rows, Reach columns,
                                std::uint64_t* to, std::size_t to_rows, std::size_t to_columns,
                                Pixel* at) noexcept {
  std::size_t n = 0;
  for (std::size_t row = 0; row < to_rows; ++row) {
    std::uint64_t found = 0;
    const std::size_t end = smaller(row * rows.step + rows.reach, rows.before + from_rows);
    for (std::size_t r = row * rows.step > rows.before ? row * rows.step : rows.before; r < end; ++r)
      found |= from[r - rows.before];
    found = reached(found, columns, to_columns);
    to[row] = found;
    for (; found != 0; found &= found - 1)
      at[n++] = {static_cast<std::uint16_t>(row), static_cast<std::uint16_t>(lowest_bit(found))};
  }
  return n;
}

/// The background again at the pixels of the event before that are not of this one.
inline void restore(std::uint64_t* before, const std::uint64_t* active, std::size_t rows, float* y,
                    const float* background, std::size_t y_row, std::size_t channels) noexcept {
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::uint64_t old = before[row] & ~active[row]; old != 0; old &= old - 1) {
      const std::size_t at = row * y_row + lowest_bit(old) * channels;
      copy_floats(background + at, y + at, channels);
    }
    before[row] = active[row];
  }
}
