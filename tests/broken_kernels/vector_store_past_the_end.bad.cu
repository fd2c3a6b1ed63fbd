// SPDX-License-Identifier: Apache-2.0
// expect: out_of_bounds
// launch: 1 17
// the last vector of four has room for none
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  const int t = threadIdx.x;
  const float v = x[t];
  reinterpret_cast<float4*>(y)[t] = make_float4(v, v, v, v);  // here
}
