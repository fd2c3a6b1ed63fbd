// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 64
// an asynchronous copy is read before anybody has waited for it
#include <cuda_pipeline.h>
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&tile[t], &x[t], 4);
  __pipeline_commit();
  __syncthreads();
  y[t] = tile[63 - t];  // here
}
