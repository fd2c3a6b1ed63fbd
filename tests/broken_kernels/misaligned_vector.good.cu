// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 8
// the repaired twin
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const float4 v = *reinterpret_cast<const float4*>(x + t * 8 + 4);
  const float sum = v.x + v.y + v.z + v.w;
  for (int k = 0; k < 8; ++k) y[t * 8 + k] = k * sum;
}
