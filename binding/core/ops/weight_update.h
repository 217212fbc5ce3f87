// The loops of the weights' optimisers over float32 memory, on the model's threads: each reads its operands once. Sums
// are of the same order in every run with as many threads.
//
// Letters: r rows, c columns of a weight; n = r c; P the weight, G its gradient.
#pragma once

#include <ATen/core/Tensor.h>

namespace softprompt {

double sumOfSquares(const at::Tensor& values);

struct SquareSums {
  at::Tensor rows;     // float64 [r]: of each row of G
  at::Tensor columns;  // float64 [c]
};
SquareSums squareSums(const at::Tensor& gradient);  // [r, c]

// U = G rows columns^T, float32 [r] and [c]. The sum of squares of U; P = keep P - rate U.
double factoredSquares(const at::Tensor& gradient, const at::Tensor& rows, const at::Tensor& columns);
void subtractFactored(const at::Tensor& weight, const at::Tensor& gradient, const at::Tensor& rows,
                      const at::Tensor& columns, double keep, double rate);

// Any shape. V = decay V + (1 - decay) ((scale G)^2 + epsilon), U = scale G / sqrt(V). The sum of squares of U.
double decaySquares(const at::Tensor& squares, const at::Tensor& gradient, double scale, double decay, double epsilon);
void subtractScaled(const at::Tensor& weight, const at::Tensor& gradient, const at::Tensor& squares, double scale,
                    double keep, double rate);  // P = keep P - rate U

// M = beta1 M + (1 - beta1) G, V = beta2 V + (1 - beta2) G^2 with G scaled;
// P = keep P - rate M / (sqrt(V squareScale) + epsilon)
struct AdamStep {
  double scale, beta1, beta2, squareScale, epsilon, keep, rate;
};
void adamStep(const at::Tensor& weight, const at::Tensor& gradient, const at::Tensor& mean, const at::Tensor& squares,
              const AdamStep& step);

}  // namespace softprompt
