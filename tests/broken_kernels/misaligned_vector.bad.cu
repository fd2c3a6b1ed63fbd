// SPDX-License-Identifier: Apache-2.0
// expect: misaligned
// launch: 1 8
// four floats at once from an address that is only good for one
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const float4 v = *reinterpret_cast<const float4*>(x + t * 8 + 1);  // here
  const float sum = v.x + v.y + v.z + v.w;
  for (int k = 0; k < 8; ++k) y[t * 8 + k] = k * sum;
}
