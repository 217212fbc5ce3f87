// float32 numbers in [-0.5, 0.5) made from integers alone: the same as hashed() of
// test/fixtures/train/make_optimizer.py.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

inline at::Tensor hashed(int64_t rows, int64_t columns, uint32_t step) {
  at::Tensor values = at::empty({rows, columns}, at::kFloat);
  float* to = values.mutable_data_ptr<float>();
  for (uint32_t i = 0; i < rows; ++i) {
    for (uint32_t j = 0; j < columns; ++j) {
      uint32_t x = i * 2654435761u + j * 2246822519u + step * 3266489917u;
      x ^= x >> 15;
      x *= 2246822519u;
      x ^= x >> 13;
      *to++ = static_cast<float>(x >> 8) * 0x1.0p-24f - 0.5f;
    }
  }
  return values;
}
