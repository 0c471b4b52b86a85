#pragma once

#include <Eigen/Dense>

namespace lwt {

template <typename T>
using VectorX = Eigen::Matrix<T, Eigen::Dynamic, 1>;
template <typename T>
using MatrixX = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <typename T>
using ArrayX = Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic>;

}  // namespace lwt
