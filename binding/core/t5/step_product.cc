#include "core/t5/step_product.h"

#include <algorithm>
#include <vector>

#include "core/ops/int8_product.h"
#include "core/ops/product.h"

namespace softprompt {
namespace {

constexpr int64_t kPieces = 6;         // of a product for each member: who was late does fewer
constexpr int64_t kLeastBytes = 8192;  // of weights in a piece
constexpr int64_t kColumns = 16;       // a piece's columns are a multiple

// Rows in int8 of this thread's own.
struct Int8Room {
  std::vector<uint8_t> values;
  std::vector<float> scales;
};

Int8Room& int8Room(int64_t rows, int64_t depth) {
  thread_local Int8Room own;
  const auto bytes = static_cast<size_t>(rows * int8Depth(depth));
  if (own.values.size() < bytes) own.values.resize(bytes);
  if (static_cast<int64_t>(own.scales.size()) < rows) own.scales.resize(rows);
  return own;
}

}  // namespace

template <class T>
StepInput<T>::StepInput(const T* x, int64_t rows, const StepMatrix& matrix) : x_(x), rows_(rows), matrix_(matrix) {
  if (!matrix.isInt8()) return;
  Int8Room& room = int8Room(rows, matrix.depth);
  toInt8(x, rows, matrix.depth, room.values.data(), room.scales.data());
  values_ = room.values.data();
  scales_ = room.scales.data();
}

template <class T>
void StepInput<T>::multiplyRows(int64_t row, int64_t rows, int64_t from, int64_t columns, Target target) const {
  const int64_t depth = matrix_.depth;
  if (!matrix_.isInt8()) {
    const T* weight = bitsOf<T>(matrix_.values) + from * depth;
    softprompt::multiply(
        Product<T>{x_ + row * depth, rows, weight, columns, depth, target.y, target.stride, target.adds});
    return;
  }
  const Int8Weight weight{matrix_.values.const_data_ptr<int8_t>(), matrix_.scales.const_data_ptr<float>(),
                          matrix_.sums.const_data_ptr<int32_t>()};
  softprompt::multiply(Int8Product{{values_ + row * int8Depth(depth), scales_ + row, rows},
                                   weight,
                                   from,
                                   from + columns,
                                   depth,
                                   target.y,
                                   target.stride,
                                   target.adds});
}

template <class T>
void StepInput<T>::multiply(int64_t from, int64_t columns, Target target) const {
  multiplyRows(0, rows_, from, columns, target);
}

template <class T>
float StepInput<T>::at(int64_t row, int64_t column) const {
  float y;
  multiplyRows(row, 1, column, 1, {&y, 1});
  return y;
}

template <class T>
int64_t StepInput<T>::columnsAPiece(const Team& team, int64_t columns, int64_t matrices) const {
  if (team.members() == 1) return columns;
  const int64_t bytes = matrices * matrix_.depth * static_cast<int64_t>(matrix_.values.element_size());
  const int64_t wanted = std::max(columns / (kPieces * team.members()), kLeastBytes / bytes);
  return (wanted + kColumns - 1) / kColumns * kColumns;
}

template <class T>
void StepInput<T>::multiplyBy(Team& team, Target target) const {
  const int64_t columns = matrix_.columns;
  team.divide(columns, columnsAPiece(team, columns), [&](int64_t from, int64_t to) {
    multiply(from, to - from, {target.y + from, target.stride, target.adds});
  });
}

template class StepInput<float>;
template class StepInput<uint16_t>;

}  // namespace softprompt
