#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace hepml {

/// A view of consecutive values that somebody else owns; std::span's little brother for C++17.
template <class T>
class span {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;

  constexpr span() noexcept = default;
  constexpr span(T* data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <std::size_t N>
  constexpr span(T (&values)[N]) noexcept : data_(values), size_(N) {}
  template <std::size_t N>
  constexpr span(std::array<value_type, N>& values) noexcept : data_(values.data()), size_(N) {}
  template <std::size_t N, class U = T, class = std::enable_if_t<std::is_const_v<U>>>
  constexpr span(const std::array<value_type, N>& values) noexcept : data_(values.data()), size_(N) {}
  template <class A>
  span(std::vector<value_type, A>& values) noexcept : data_(values.data()), size_(values.size()) {}
  template <class A, class U = T, class = std::enable_if_t<std::is_const_v<U>>>
  span(const std::vector<value_type, A>& values) noexcept : data_(values.data()), size_(values.size()) {}
  template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
  constexpr span(const span<U>& other) noexcept : data_(other.data()), size_(other.size()) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T& operator[](std::size_t i) const noexcept { return data_[i]; }
  constexpr T& front() const noexcept { return data_[0]; }
  constexpr T& back() const noexcept { return data_[size_ - 1]; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }
  constexpr span subspan(std::size_t offset, std::size_t count) const noexcept {
    return span(data_ + offset, count);
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace hepml
