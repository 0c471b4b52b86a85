#pragma once

#include <cstddef>
#include <cstdint>

/// libFuzzer's hook: half of the changes are to bytes, half to values, keys and shapes of the JSON.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed);
