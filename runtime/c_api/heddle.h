/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface to verified kernels: open what `heddle generate` left in a folder, ask what its
 * kernels take, launch them. Needs neither the prover nor the compiler front end. C99 and C++.
 *
 * Handles     A heddle_artifact is a number that is never given twice; one that is closed, or that
 *             nobody gave out, is told apart from an open one.
 * Errors      A function that can fail returns null, or a heddle_error that says why in a sentence
 *             and belongs to the caller, who frees it. Nothing is launched and no output is written
 *             then, unless heddle_error_kind says HEDDLE_FAILED. Nothing is thrown, and nothing a
 *             caller passes ends the process, as far as its pointers point to what they should.
 * Ownership   Arrays stay the caller's. Texts that a function gives live as long as it says.
 * Threads     Every function may be called from any number of threads at once. Launches of one
 *             artifact on the cpu take turns, unless they ask for one thread. An artifact may be
 *             closed during a launch: it goes when the launch is done.
 * Processes   In a child of fork() the artifacts of the parent are refused: the threads that ran
 *             them are not there. Open them again.
 * Units       Sizes count elements and tokens, from 0 up; heddle_buffer.data is an address.
 *
 * Names of sizes, buffers and scalars, and what the arrays hold, are those of the manifest;
 * README.md in the folder of this file lists them. cuda artifacts take addresses of device memory.
 */
#ifndef HEDDLE_H_
#define HEDDLE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when this header does so incompatibly. */
#define HEDDLE_ABI 1
int32_t heddle_abi(void);

/* ---- errors -------------------------------------------------------------------------------- */

typedef struct heddle_error heddle_error;

enum {
  HEDDLE_OK = 0,
  HEDDLE_WRONG_CALL = 1, /* an argument of the call: a null pointer, a closed handle, a wrong name,
                            shape, type or size */
  HEDDLE_REFUSED = 2,    /* the artifact does not open: it is not there, damaged or not verified, or
                            there is no device for it */
  HEDDLE_FAILED = 3      /* the machine: no compiler, no memory, a launch that failed */
};

/* HEDDLE_OK for null. */
int32_t heddle_error_kind(const heddle_error* error);
/* Lives as long as the error; "" for null. */
const char* heddle_error_message(const heddle_error* error);
/* Null is allowed. */
void heddle_error_free(heddle_error* error);

/* ---- artifacts ----------------------------------------------------------------------------- */

typedef uint64_t heddle_artifact; /* 0 is none */

typedef struct heddle_open_options {
  size_t size;     /* sizeof(heddle_open_options) */
  int32_t threads; /* most threads of a launch on the cpu; 0: one for each processor */
  int32_t device;  /* of cuda artifacts, as the driver counts; 0 is the first */
} heddle_open_options;

/* Opens the folder that `heddle generate` wrote; compiles its kernels where the user's cache has
 * not got them yet. Refuses an artifact that is not verified, or whose files are not those that its
 * manifest was written for. `options` may be null. */
heddle_error* heddle_open(const char* folder, const heddle_open_options* options,
                          heddle_artifact* artifact);
heddle_error* heddle_close(heddle_artifact artifact);

/* The manifest as JSON; lives until the artifact is closed. */
heddle_error* heddle_manifest(heddle_artifact artifact, const char** json);

enum { HEDDLE_F32 = 0, HEDDLE_BF16 = 1, HEDDLE_F16 = 2, HEDDLE_I32 = 3 };
enum { HEDDLE_READ = 0, HEDDLE_WRITE = 1, HEDDLE_READ_WRITE = 2 };

/* The number of arrays that an op takes: "prefill", "decode" or "backward", where there is one. */
heddle_error* heddle_buffer_count(heddle_artifact artifact, const char* op, size_t* count);

typedef struct heddle_buffer_info {
  const char* name; /* these texts live until the artifact is closed */
  int32_t type;     /* HEDDLE_F32 .. */
  int32_t access;   /* HEDDLE_READ .. */
  size_t rank;
  const char* const* extents; /* `rank` names of sizes, decimals, or "batch+1"; outermost first */
} heddle_buffer_info;

/* The array with that index, in the order of the kernel. */
heddle_error* heddle_buffer_at(heddle_artifact artifact, const char* op, size_t index,
                               heddle_buffer_info* info);

/* side is 'a' (inputs) or 'b' (earlier outputs), tokens the length of a sequence.
 * The cache slots that a state of that length needs: the size slots_a or slots_b. */
heddle_error* heddle_slots(heddle_artifact artifact, char side, int64_t tokens, int64_t* slots);
/* given and gated weights, and matrix states that rows mix: the least columns of coef_a or coef_b,
 * the size width_a or width_b. */
heddle_error* heddle_columns(heddle_artifact artifact, char side, int64_t tokens, int64_t* columns);

/* The chunks that a launch of `op` makes of so many tokens, the size `chunks` of its scratch; 0
 * where it makes none. Of sequences with lengths of their own `longest` counts, where `tokens` is
 * more. */
heddle_error* heddle_chunks(heddle_artifact artifact, const char* op, int64_t tokens,
                            int64_t* chunks);

/* ---- launches ------------------------------------------------------------------------------ */

typedef struct heddle_buffer {
  const char* name;
  void* data;   /* null for an array that is left out: no elements, or a state (initial_*,
                   dinitial_*, starts) where start is 0; its shape may then be null */
  int32_t type; /* must be that of the kernel */
  int32_t rank;
  const int64_t* shape;   /* `rank` extents, outermost first */
  const int64_t* strides; /* in elements; null for an array without gaps, and no other is taken */
} heddle_buffer;

typedef struct heddle_size {
  const char* name;
  int64_t value;
} heddle_size;

typedef struct heddle_scalar {
  const char* name;
  float value;
} heddle_scalar;

typedef struct heddle_launch {
  size_t size;    /* sizeof(heddle_launch) */
  const char* op; /* "prefill", "decode", "backward" */
  const heddle_buffer* buffers;
  size_t buffer_count;
  const heddle_size* sizes; /* those that no shape tells, `start` and `longest`; others must agree
                               with the shapes */
  size_t size_count;
  const heddle_scalar* scalars;
  size_t scalar_count;
  int32_t threads; /* cpu: 0 for all that the artifact was opened with */
  void* stream;    /* cuda: a CUstream or cudaStream_t, null for the default one */
} heddle_launch;

/* Checks everything, then launches. On the cpu it returns when the result is there; on a device
 * when the kernel is in the stream. Each name stands once and is one that the op takes; all arrays
 * lie apart from those that are written. */
heddle_error* heddle_run(heddle_artifact artifact, const heddle_launch* launch);

/* Waits for a device; what a kernel failed with is told here. */
heddle_error* heddle_synchronize(heddle_artifact artifact);

#ifdef __cplusplus
}
#endif

#endif /* HEDDLE_H_ */
