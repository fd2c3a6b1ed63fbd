// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 32
// an asynchronous copy of eight bytes starts at a pair
#include <cuda_pipeline.h>
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ __align__(16) float tile[72];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&tile[2 * t], &x[2 * t], 8);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[2 * t] = tile[63 - 2 * t];
  y[2 * t + 1] = tile[62 - 2 * t];
}
