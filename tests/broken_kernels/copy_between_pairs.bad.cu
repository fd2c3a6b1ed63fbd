// SPDX-License-Identifier: Apache-2.0
// expect: misaligned
// launch: 1 32
// an asynchronous copy of eight bytes starts between two pairs
#include <cuda_pipeline.h>
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ __align__(16) float tile[72];
  const int t = threadIdx.x;
  if (t < 31) __pipeline_memcpy_async(&tile[2 * t + 1], &x[2 * t], 8);  // here
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  y[2 * t] = y[2 * t + 1] = 0.0f;
}
