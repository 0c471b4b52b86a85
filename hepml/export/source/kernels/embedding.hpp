// Categories to columns of a table.

/// The N numbers of a category; NaN of what is none.
template <std::size_t N>
inline void look_up(float value, const float* table, std::size_t categories, float* y) {
  const bool inside = value >= 0.0F && value < static_cast<float>(categories);
  const std::size_t category = inside ? static_cast<std::size_t>(value) : 0;
  if (inside && static_cast<float>(category) == value) {
    copy_floats(table + category * N, y, N);
  } else {
    fill(y, N, nan);
  }
}
