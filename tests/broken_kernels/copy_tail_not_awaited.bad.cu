// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 64
// behind a pipelined loop the last stage is read while it may still be in flight
#include <cuda_pipeline.h>
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float stage[4][64];
  const int t = threadIdx.x;
  float sum = 0.0f;
  for (int s = 0; s < 4; ++s) {
    __pipeline_memcpy_async(&stage[s][t], &x[(t + s) % 64], 4);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    if (s > 0) sum += stage[s - 1][63 - t];
  }
  __syncthreads();
  y[t] = sum + stage[3][63 - t];  // here
}
