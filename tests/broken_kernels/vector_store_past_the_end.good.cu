// SPDX-License-Identifier: Apache-2.0
// expect: clean
// launch: 1 17
// vectors stop where the array does
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const float v = x[t];
  if (t < n / 4) reinterpret_cast<float4*>(y)[t] = make_float4(v, v, v, v);
}
