// SPDX-License-Identifier: Apache-2.0
// expect: misaligned
// launch: 1 32
// a pair of floats is loaded from an odd place of a tile
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ __align__(16) float tile[72];
  const int t = threadIdx.x;
  tile[t] = x[t];
  tile[t + 32] = x[t + 32];
  if (t < 8) tile[t + 64] = 0.0f;
  __syncthreads();
  const float2 pair = *reinterpret_cast<const float2*>(&tile[2 * t + 1]);  // here
  y[2 * t] = pair.x;
  y[2 * t + 1] = pair.y;
}
