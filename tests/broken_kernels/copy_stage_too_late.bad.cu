// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 64
// of two stages in flight the newer one is used
#include <cuda_pipeline.h>
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float stage[2][64];
  const int t = threadIdx.x;
  for (int s = 0; s < 2; ++s) {
    __pipeline_memcpy_async(&stage[s][t], &x[(t + s) % 64], 4);
    __pipeline_commit();
  }
  __pipeline_wait_prior(1);
  __syncthreads();
  y[t] = stage[1][63 - t];  // here
}
