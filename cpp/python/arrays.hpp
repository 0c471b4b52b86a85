#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <vector>

template <class T>
using Out = nanobind::ndarray<nanobind::numpy, T>;

/// A new NumPy array that owns its memory; not filled.
template <class T>
Out<T> array(std::vector<std::size_t> shape) {
  std::size_t size = 1;
  for (const std::size_t dimension : shape) size *= dimension;
  T* data = new T[size];
  nanobind::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return Out<T>(data, shape.size(), shape.data(), owner);
}
