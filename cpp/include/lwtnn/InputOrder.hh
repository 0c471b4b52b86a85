#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lwt {

/// Names of inputs, each with the names of its variables, in the order in which the user will give them.
typedef std::vector<std::pair<std::string, std::vector<std::string>>> order_t;

struct InputOrder {
  order_t scalar;
  order_t sequence;
};

}  // namespace lwt
