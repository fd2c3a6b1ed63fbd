// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// a thread waits for its own copies and reads those of others
#include <cuda_pipeline.h>
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&tile[t], &x[t], 4);  // here
  __pipeline_commit();
  __pipeline_wait_prior(0);
  y[t] = tile[t ^ 32];  // here
}
