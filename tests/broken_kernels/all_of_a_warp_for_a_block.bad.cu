// SPDX-License-Identifier: Apache-2.0
// expect: uninitialised_read
// launch: 1 64
// one warp decides for both which slots are filled
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  if (x[t] > 0.0f) tile[t] = x[t];
  const bool filled = __all_sync(0xffffffffu, t >= 0);
  __syncthreads();
  y[t] = filled ? tile[63 - t] : 0.0f;  // here
}
