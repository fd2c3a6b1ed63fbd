// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 32
// half a warp cannot multiply matrices
#include "tensor_prelude.cuh"
using namespace heddle;
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ __align__(16) bf16 a[16 * 24];
  __shared__ __align__(16) bf16 b[8 * 24];
  const int t = threadIdx.x;
  for (int e = t; e < 16 * 16; e += 32) a[e / 16 * 24 + e % 16] = to_bf16(x[e % 64]);
  for (int e = t; e < 8 * 16; e += 32) b[e / 16 * 24 + e % 16] = to_bf16(x[e % 64]);
  __syncthreads();
  float sums[4] = {0, 0, 0, 0};
  if (n > 16) {
    multiply_rows_by_rows<1, 16>(sums, a, 24, b, 24);
  }
  y[t] = sums[0];
  y[t + 32] = sums[3];
}
