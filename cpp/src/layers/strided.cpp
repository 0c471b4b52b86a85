#include "layers/strided.hpp"

#include <algorithm>
#include <cstring>

#include "parse/text.hpp"

namespace hepml::layers {

Strided strided(const Shape& shape, const View& view) noexcept {
  Strided s;
  s.rank = shape.size();
  auto stride = static_cast<std::ptrdiff_t>(view.row_stride);
  for (std::size_t i = s.rank; i-- > 0;) {
    s.size[i] = shape[i];
    if (i + 1 == s.rank) {
      s.stride[i] = 1;
    } else if (i + 2 == s.rank) {
      s.size[i] = view.columns;
      s.stride[i] = static_cast<std::ptrdiff_t>(view.channels);
    } else {
      s.stride[i] = stride;
      stride *= static_cast<std::ptrdiff_t>(shape[i]);
    }
  }
  return s;
}

Strided packed(const Shape& shape) noexcept {
  Strided s;
  s.rank = shape.size();
  std::ptrdiff_t stride = 1;
  for (std::size_t i = s.rank; i-- > 0;) {
    s.size[i] = shape[i];
    s.stride[i] = stride;
    stride *= static_cast<std::ptrdiff_t>(shape[i]);
  }
  return s;
}

Strided spread(const Strided& of, const Strided& to) noexcept {
  Strided s = to;
  const std::size_t more = to.rank - of.rank;
  for (std::size_t i = 0; i < to.rank; ++i)
    s.stride[i] = i < more || of.size[i - more] == 1 ? 0 : of.stride[i - more];
  return s;
}

void copy(const float* from, const Strided& x, float* to, const Strided& y) noexcept {
  Walk<2> walk;
  for (std::size_t i = 0; i < y.rank; ++i) walk.axis(y.size[i], y.stride[i], x.stride[i]);
  std::ptrdiff_t steps[2];
  const std::size_t n = walk.innermost(steps);
  walk.run([&](const std::ptrdiff_t* at) {
    float* out = to + at[0];
    const float* in = from + at[1];
    if (steps[0] == 1 && steps[1] == 1) {
      std::memcpy(out, in, n * sizeof(float));
    } else {
      for (std::size_t i = 0; i < n; ++i, out += steps[0], in += steps[1]) *out = *in;
    }
  });
}

std::vector<std::size_t> read_axes(const At& layer, const Shape& input) {
  const At list = layer.member("axes");
  const std::vector<std::size_t> axes = list.counts(0, input.size() - 1);
  if (axes.empty() || std::adjacent_find(axes.begin(), axes.end(), std::greater_equal<>()) != axes.end()) {
    list.wrong("not a list of axes", "at least one, in ascending order", "[" + text::times(axes) + "]");
  }
  return axes;
}

void need_axes(const At& layer, const Shape& shape) {
  if (shape.size() > most_axes) {
    layer.fail(Error::Code::unsupported, "a tensor of too many axes", "at most " + std::to_string(most_axes),
               describe(shape));
  }
}

void need_fixed(const At& layer, const Shape& shape) {
  if (is_dynamic(shape))
    layer.wrong("the layer does not take sequences of any length", "fixed steps", describe(shape));
}

Shape read_shape(const At& layer) {
  const At at = layer.member("shape");
  Shape shape = at.counts(1, most_elements);
  if (shape.empty() || shape.size() > most_axes) {
    at.fail(Error::Code::unsupported, "a tensor of so many axes",
            "1 to " + std::to_string(most_axes) + " sizes", "[" + text::times(shape) + "]");
  }
  elements(shape, at);
  return shape;
}

}  // namespace hepml::layers
