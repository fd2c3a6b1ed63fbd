// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// what a copy under way will replace is gone already
#include "staging_prelude.cuh"
using namespace heddle;
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ __align__(16) float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  const float old = tile[63 - t];
  __syncthreads();
  if (t < 16) start_copy<4>(tile + 4 * t, x + 60 - 4 * t);
  close_batch();
  __syncthreads();
  await_batches<0>();
  __syncthreads();
  y[t] = old + tile[63 - t];
}
