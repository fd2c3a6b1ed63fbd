// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 64
// every slot is filled
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  const int t = threadIdx.x;
  tile[t] = x[t] > 0.0f ? x[t] : 0.0f;
  const bool filled = __all_sync(0xffffffffu, t >= 0);
  __syncthreads();
  y[t] = filled ? tile[63 - t] : 0.0f;
}
