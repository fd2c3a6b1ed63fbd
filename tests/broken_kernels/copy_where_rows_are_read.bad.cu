// SPDX-License-Identifier: Apache-2.0
// expect: race_shared
// launch: 1 64
// the next rows come in where slower warps still read the old ones
#include "staging_prelude.cuh"
using namespace heddle;
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ __align__(16) float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t];
  __syncthreads();
  if (t < 16) start_copy<4>(tile + 4 * t, x + 60 - 4 * t);  // here
  close_batch();
  const float old = tile[63 - t];  // here
  await_batches<0>();
  __syncthreads();
  y[t] = old + tile[63 - t];
}
