// SPDX-License-Identifier: Apache-2.0
// expect: hang
// launch: 1 32
// the holder of a lock waits for lanes that wait for the lock
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ int lock;
  const int t = threadIdx.x;
  if (t == 0) lock = 0;
  __syncthreads();
  while (atomicCAS(&lock, 0, 1) != 0) {  // here
  }
  __syncwarp();
  atomicExch(&lock, 0);
  y[t] = x[t];
  y[t + 32] = x[t + 32];
}
