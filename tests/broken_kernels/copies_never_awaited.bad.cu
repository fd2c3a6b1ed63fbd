// SPDX-License-Identifier: Apache-2.0
// expect: hang
// launch: 1 16
// more copies are started than a thread can have under way
#include <cuda_pipeline.h>
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[600 * 16];
  const int t = threadIdx.x;
  for (int i = 0; i < 600; ++i) {
    __pipeline_memcpy_async(&tile[i * 16 + t], &x[i % n], 4);  // here
    __pipeline_commit();
  }
  __pipeline_wait_prior(0);
  for (int j = 0; j < 4; ++j) y[t + 16 * j] = tile[199 * j * 16 + t];
}
