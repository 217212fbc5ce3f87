// Rows times a matrix of the decoding step, whatever the matrix holds; a team divides the columns.
#pragma once

#include <cstdint>
#include <memory>

#include "core/runtime/team.h"
#include "core/t5/step_weights.h"

namespace softprompt {

// A contiguous tensor's numbers: float, or bfloat16 by its bits.
template <class T>
const T* bitsOf(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}
template <class T>
T* mutableBitsOf(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

// Where a product goes: a row every `stride` numbers.
struct Target {
  float* y;
  int64_t stride;
  bool adds = false;  // y += instead of y =
};

// Rows that are to be multiplied: as they are and, for a matrix in int8, in int8.
template <class T>
class StepInput {
 public:
  // x [rows, the matrix's depth]; both outlive it, and so does what follows until the next of this thread's is made.
  StepInput(const T* x, int64_t rows, const StepMatrix& matrix);

  int64_t rows() const { return rows_; }
  // y [rows, columns] = x times columns `from` .. `from` + columns of the matrix, on this thread.
  void multiply(int64_t from, int64_t columns, Target target) const;
  // The same of all columns, shared by the team.
  void multiplyBy(Team& team, Target target) const;
  // How many columns a member of the team takes at a time, where it reads `matrices` like this one.
  int64_t columnsAPiece(const Team& team, int64_t columns, int64_t matrices = 1) const;
  // Row `row` times column `column` alone: the same to the bit as in a larger product.
  float at(int64_t row, int64_t column) const;

 private:
  void multiplyRows(int64_t row, int64_t rows, int64_t from, int64_t columns, Target target) const;

  const T* x_;
  const int64_t rows_;
  const StepMatrix& matrix_;
  const uint8_t* values_ = nullptr;  // in int8
  const float* scales_ = nullptr;
};

}  // namespace softprompt
