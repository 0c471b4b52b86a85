// Direct convolution, channels last. R pixels of one row times P vectors of filters stay in registers; for
// every (tap, channel) one broadcast a pixel meets P vectors of weights. Weights are packed
// [panel][tap][channel][lane].

constexpr std::size_t conv_panel = 3;
constexpr std::size_t conv_sum = 16;  // products summed before they join the total: keeps float32 sums exact
/// Pixels at once, so that R * P sums, P weights and a broadcast fit the registers.
template <std::size_t P>
constexpr std::size_t most_pixels = HEPML_REGISTERS >= 32 ? (P == 3 ? 8 : 12)
                                                          : (P == 3   ? 4
                                                             : P == 2 ? 6
                                                                      : 12);

std::size_t conv2d_size(std::size_t taps, std::size_t n_in, std::size_t n_out) {
  return taps * n_in * vectors(n_out) * width;
}

void pack_conv2d(const float* weights, std::size_t taps, std::size_t n_in, std::size_t n_out, float* packed) {
  const std::size_t n_vectors = vectors(n_out);
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, conv_panel, start);
    for (std::size_t k = 0; k < taps * n_in; ++k) {
      for (std::size_t o = start * width; o < (start + count) * width; ++o) {
        *packed++ = o < n_out ? weights[k * n_out + o] : 0.0F;
      }
    }
    start += count;
  }
}

/// What every block of pixels of one panel shares.
struct ConvPanel {
  const float* weights;
  const float* bias;
  std::size_t n_runs_rows, n_runs_columns;  // stretches of inputs that are contiguous in memory
  std::size_t run, row_offset, column_offset;
  std::size_t pixel_step;  // floats from one output pixel's inputs to the next
  std::size_t pixel_size;  // floats from one output pixel to the next
  std::size_t last_lanes;  // outputs in the panel's last vector
  bool rectified;
};

/// P vectors of filters at R pixels: x(r, offset) is an input of pixel r, y(r) where its outputs go.
template <std::size_t P, std::size_t R, class X, class Y>
HEPML_INLINE void conv_pixels(const ConvPanel& panel, X x, Y y) {
  V totals[R][P];
#pragma GCC unroll 16
  for (std::size_t p = 0; p < P; ++p) {
    const V bias = load(panel.bias + p * width);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) totals[r][p] = bias;
  }
  const float* weights = panel.weights;
  for (std::size_t row = 0; row < panel.n_runs_rows; ++row) {
    for (std::size_t column = 0; column < panel.n_runs_columns; ++column) {
      const std::size_t run = row * panel.row_offset + column * panel.column_offset;
      for (std::size_t start = 0; start < panel.run; start += conv_sum) {
        const std::size_t stop = smaller(start + conv_sum, panel.run);
        V sums[R][P] = {};
        for (std::size_t i = start; i < stop; ++i, weights += P * width) {
          V w[P];
#pragma GCC unroll 16
          for (std::size_t p = 0; p < P; ++p) w[p] = load(weights + p * width);
#pragma GCC unroll 16
          for (std::size_t r = 0; r < R; ++r) {
            const V value = set(x(r, run + i));
#pragma GCC unroll 16
            for (std::size_t p = 0; p < P; ++p) sums[r][p] = fma(value, w[p], sums[r][p]);
          }
        }
#pragma GCC unroll 16
        for (std::size_t r = 0; r < R; ++r) {
#pragma GCC unroll 16
          for (std::size_t p = 0; p < P; ++p) totals[r][p] += sums[r][p];
        }
      }
    }
  }
  const V floor = floor_of(panel.rectified);
  const std::size_t lanes = panel.last_lanes;
#pragma GCC unroll 16
  for (std::size_t r = 0; r < R; ++r) {
    float* out = y(r);
#pragma GCC unroll 16
    for (std::size_t p = 0; p + 1 < P; ++p) store(out + p * width, at_least(totals[r][p], floor));
    store_some(out + (P - 1) * width, at_least(totals[r][P - 1], floor), lanes);
  }
}

/// Pixels side by side in one row.
template <std::size_t P, std::size_t R>
void conv_block(const ConvPanel& panel, const float* x, float* y) {
  const std::size_t step = panel.pixel_step;
  const std::size_t size = panel.pixel_size;
  conv_pixels<P, R>(
      panel, [x, step](std::size_t r, std::size_t i) { return x[i + r * step]; },
      [y, size](std::size_t r) { return y + r * size; });
}

/// Pixels anywhere.
template <std::size_t P, std::size_t R>
void conv_block_at(const ConvPanel& panel, const float* const* x, float* const* y) {
  conv_pixels<P, R>(
      panel, [x](std::size_t r, std::size_t i) { return x[r][i]; }, [y](std::size_t r) { return y[r]; });
}

using ConvBlock = void (*)(const ConvPanel&, const float*, float*);

template <std::size_t P, std::size_t R>
HEPML_INLINE void fill_conv_table(ConvBlock* table) {
  table[R] = &conv_block<P, R>;
  if constexpr (R > 1) fill_conv_table<P, R - 1>(table);
}

template <std::size_t P>
void conv_panel_of(const Conv2DArgs& args, const ConvPanel& panel, const View& x, const View& y, float* out) {
  constexpr std::size_t most = most_pixels<P>;
  ConvBlock table[most + 1];
  fill_conv_table<P, most>(table);
  const float* origin = x.data - args.pad_top * x.row_stride - args.pad_left * x.channels;
  for (std::size_t row = 0; row < y.rows; ++row) {
    const float* from = origin + row * args.row_step * x.row_stride;
    float* to = out + row * y.row_stride;
    for (std::size_t column = 0; column < y.columns;) {
      const std::size_t count = piece(y.columns, most, column);
      table[count](panel, from + column * panel.pixel_step, to + column * panel.pixel_size);
      column += count;
    }
  }
}

using ConvBlockAt = void (*)(const ConvPanel&, const float* const*, float* const*);

template <std::size_t P, std::size_t R>
HEPML_INLINE void fill_conv_table_at(ConvBlockAt* table) {
  table[R] = &conv_block_at<P, R>;
  if constexpr (R > 1) fill_conv_table_at<P, R - 1>(table);
}

template <std::size_t P>
void conv_panel_at(const Conv2DArgs& args, const ConvPanel& panel, const View& x, const View& y, float* out,
                   const Pixel* pixels, std::size_t n) {
  constexpr std::size_t most = most_pixels<P>;
  ConvBlockAt table[most + 1];
  fill_conv_table_at<P, most>(table);
  const float* origin = x.data - args.pad_top * x.row_stride - args.pad_left * x.channels;
  for (std::size_t start = 0; start < n;) {
    const std::size_t count = piece(n, most, start);
    const float* from[most];
    float* to[most];
    for (std::size_t r = 0; r < count; ++r) {
      const Pixel pixel = pixels[start + r];
      from[r] = origin + pixel.row * args.row_step * x.row_stride + pixel.column * panel.pixel_step;
      to[r] = out + pixel.row * y.row_stride + pixel.column * panel.pixel_size;
    }
    table[count](panel, from, to);
    start += count;
  }
}

/// Calls visit(Count<P>, panel, where its outputs begin) for every panel of filters.
template <class Visit>
HEPML_INLINE void each_conv_panel(const Conv2DArgs& args, const View& x, const View& y, Visit visit) {
  const bool contiguous = args.column_dilation == 1;  // the taps of a kernel row lie side by side
  ConvPanel panel{};
  panel.weights = args.weights;
  panel.n_runs_rows = args.kernel_rows;
  panel.n_runs_columns = contiguous ? 1 : args.kernel_columns;
  panel.run = contiguous ? args.kernel_columns * args.n_in : args.n_in;
  panel.row_offset = args.row_dilation * x.row_stride;
  panel.column_offset = args.column_dilation * x.channels;
  panel.pixel_step = args.column_step * x.channels;
  panel.pixel_size = y.channels;
  panel.rectified = args.rectified;
  const std::size_t n_vectors = vectors(args.n_out);
  for (std::size_t start = 0; start < n_vectors;) {
    const std::size_t count = piece(n_vectors, conv_panel, start);
    panel.bias = args.bias + start * width;
    panel.last_lanes = smaller(args.n_out - (start + count - 1) * width, width);
    float* out = y.data + start * width;
    if (count == 3) visit(Count<3>{}, panel, out);
    if (count == 2) visit(Count<2>{}, panel, out);
    if (count == 1) visit(Count<1>{}, panel, out);
    panel.weights += args.kernel_rows * args.kernel_columns * args.n_in * count * width;
    start += count;
  }
}

/// Images of one channel to few filters: the lanes are pixels side by side, and are turned at the end.
bool lanes_are_pixels(const Conv2DArgs& args, const View& y) {
  return args.n_in == 1 && 2 * args.n_out <= width &&
         (args.n_out == 1 || args.n_out == 2 || args.n_out == 4) && args.column_step == 1 &&
         args.column_dilation == 1 && y.columns >= width;
}

/// F vectors of pixels, one a filter, to pixels of F filters.
template <std::size_t F>
HEPML_INLINE void store_turned(float* out, const V* v) {
  if constexpr (F == 1) {
    store(out, v[0]);
  } else if constexpr (F == 2) {
    store(out, zip_low(v[0], v[1]));
    store(out + width, zip_high(v[0], v[1]));
  } else {
    const V even[2] = {zip_low(v[0], v[2]), zip_high(v[0], v[2])};
    const V odd[2] = {zip_low(v[1], v[3]), zip_high(v[1], v[3])};
    for (std::size_t half = 0; half < 2; ++half) {
      store(out + 2 * half * width, zip_low(even[half], odd[half]));
      store(out + (2 * half + 1) * width, zip_high(even[half], odd[half]));
    }
  }
}

/// The sums of conv_pixels, in its order.
template <std::size_t F>
void conv_lanes(const Conv2DArgs& args, const View& x, const View& y) {
  const V floor = floor_of(args.rectified);
  const float* origin = x.data - args.pad_top * x.row_stride - args.pad_left;
  for (std::size_t row = 0; row < y.rows; ++row) {
    const float* top = origin + row * args.row_step * x.row_stride;
    for (std::size_t done = 0; done < y.columns; done += width) {
      const std::size_t column = smaller(done, y.columns - width);  // the last ones overlap
      V totals[F];
#pragma GCC unroll 4
      for (std::size_t f = 0; f < F; ++f) totals[f] = set(args.bias[f]);
      const float* weights = args.weights;
      for (std::size_t i = 0; i < args.kernel_rows; ++i) {
        const float* from = top + i * args.row_dilation * x.row_stride + column;
        for (std::size_t start = 0; start < args.kernel_columns; start += conv_sum) {
          const std::size_t stop = smaller(start + conv_sum, args.kernel_columns);
          V sums[F] = {};
          for (std::size_t k = start; k < stop; ++k, weights += width) {
            const V value = load(from + k);
#pragma GCC unroll 4
            for (std::size_t f = 0; f < F; ++f) sums[f] = fma(value, set(weights[f]), sums[f]);
          }
#pragma GCC unroll 4
          for (std::size_t f = 0; f < F; ++f) totals[f] += sums[f];
        }
      }
#pragma GCC unroll 4
      for (std::size_t f = 0; f < F; ++f) totals[f] = at_least(totals[f], floor);
      store_turned<F>(y.data + row * y.row_stride + column * F, totals);
    }
  }
}

void conv2d(const Conv2DArgs& args, const View& x, const View& y) noexcept {
  if (lanes_are_pixels(args, y)) {
    if (args.n_out == 4) return conv_lanes<4>(args, x, y);
    if (args.n_out == 2) return conv_lanes<2>(args, x, y);
    return conv_lanes<1>(args, x, y);
  }
  each_conv_panel(args, x, y, [&](auto count, const ConvPanel& panel, float* out) {
    conv_panel_of<decltype(count)::value>(args, panel, x, y, out);
  });
}

void conv2d_at(const Conv2DArgs& args, const View& x, const View& y, const Pixel* pixels,
               std::size_t n) noexcept {
  each_conv_panel(args, x, y, [&](auto count, const ConvPanel& panel, float* out) {
    conv_panel_at<decltype(count)::value>(args, panel, x, y, out, pixels, n);
  });
}
