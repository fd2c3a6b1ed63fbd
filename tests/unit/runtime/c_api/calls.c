/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "tests/unit/runtime/c_api/calls.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heddle.h"

static char text[1024];

static const char* at_line(int line, const char* what) {
  snprintf(text, sizeof text, "calls.c:%d: %s", line, what);
  return text;
}

/* Frees the error; says what is wrong unless it is of that kind and speaks of `part`. */
static const char* differs(int line, heddle_error* error, int kind, const char* part) {
  const char* result = NULL;
  if (heddle_error_kind(error) != kind || strstr(heddle_error_message(error), part) == NULL) {
    char found[900];
    snprintf(found, sizeof found, "kind %d, \"%s\", and not kind %d, \"%s\"",
             (int)heddle_error_kind(error), heddle_error_message(error), kind, part);
    result = at_line(line, found);
  }
  heddle_error_free(error);
  return result;
}

#define CHECK(condition)                                    \
  do {                                                      \
    if (!(condition)) return at_line(__LINE__, #condition); \
  } while (0)
#define OK(call)                                                  \
  do {                                                            \
    const char* wrong = differs(__LINE__, (call), HEDDLE_OK, ""); \
    if (wrong != NULL) return wrong;                              \
  } while (0)
#define REFUSED(call, part)                                                 \
  do {                                                                      \
    const char* wrong = differs(__LINE__, (call), HEDDLE_WRONG_CALL, part); \
    if (wrong != NULL) return wrong;                                        \
  } while (0)

/* A launch of the artifact y = gamma * x on [2, 3, 2, 4]. */
enum { kBatch = 2, kTokens = 3, kHeads = 2, kChannels = 4, kCount = 48 };
static float x[kCount], y[kCount + 1];
static const int64_t shape[4] = {kBatch, kTokens, kHeads, kChannels};

struct problem {
  heddle_buffer buffers[3];
  heddle_size sizes[3];
  heddle_scalar scalars[2];
  heddle_launch launch;
};

static void prepare(struct problem* problem) {
  const heddle_buffer in = {"x", x, HEDDLE_F32, 4, shape, NULL};
  const heddle_buffer out = {"y", y, HEDDLE_F32, 4, shape, NULL};
  const heddle_scalar gamma = {"gamma", 0.5f};
  const heddle_launch launch = {sizeof(heddle_launch),
                                "prefill",
                                problem->buffers,
                                2,
                                problem->sizes,
                                0,
                                problem->scalars,
                                1,
                                0,
                                NULL};
  int i;
  memset(problem, 0, sizeof *problem);
  problem->buffers[0] = in;
  problem->buffers[1] = out;
  problem->scalars[0] = gamma;
  problem->launch = launch;
  for (i = 0; i < kCount; ++i) {
    x[i] = (float)i;
    y[i] = -1.0f;
  }
}

static int is_half(void) {
  int i;
  for (i = 0; i < kCount; ++i) {
    if (y[i] != 0.5f * (float)i) return 0;
  }
  return 1;
}

static int is_untouched(void) {
  int i;
  for (i = 0; i < kCount; ++i) {
    if (y[i] != -1.0f) return 0;
  }
  return 1;
}

const char* calls_in_order(const char* folder) {
  heddle_artifact artifact = 0;
  heddle_open_options options = {sizeof(heddle_open_options), 2, 0};
  heddle_buffer_info info;
  struct problem problem;
  const char* json = NULL;
  size_t count = 0;
  int64_t size = 0;
  const int64_t strides[4] = {24, 8, 4, 1};
  int threads;
  CHECK(heddle_abi() == HEDDLE_ABI);
  OK(heddle_open(folder, &options, &artifact));
  CHECK(artifact != 0);
  OK(heddle_manifest(artifact, &json));
  CHECK(strstr(json, "\"scale\"") != NULL);
  OK(heddle_buffer_count(artifact, "prefill", &count));
  CHECK(count == 2);
  OK(heddle_buffer_at(artifact, "prefill", 1, &info));
  CHECK(strcmp(info.name, "y") == 0 && info.type == HEDDLE_F32 && info.access == HEDDLE_WRITE);
  CHECK(info.rank == 4 && strcmp(info.extents[2], "heads") == 0);
  OK(heddle_slots(artifact, 'b', 17, &size));
  CHECK(size == 17);
  OK(heddle_slots(artifact, 'a', 17, &size));
  CHECK(size == 0);
  OK(heddle_columns(artifact, 'b', 17, &size));
  CHECK(size == 3);
  for (threads = 0; threads <= 3; ++threads) {
    prepare(&problem);
    problem.launch.threads = threads;
    problem.buffers[0].strides = threads == 1 ? strides : NULL;
    OK(heddle_run(artifact, &problem.launch));
    CHECK(is_half());
  }
  OK(heddle_synchronize(artifact));
  /* Sizes that agree with the shapes, and an empty batch. */
  prepare(&problem);
  problem.sizes[0].name = "tokens";
  problem.sizes[0].value = kTokens;
  problem.launch.size_count = 1;
  OK(heddle_run(artifact, &problem.launch));
  CHECK(is_half());
  {
    const int64_t nothing[4] = {0, kTokens, kHeads, kChannels};
    prepare(&problem);
    problem.buffers[0].shape = problem.buffers[1].shape = nothing;
    OK(heddle_run(artifact, &problem.launch));
    CHECK(is_untouched());
  }
  OK(heddle_close(artifact));
  return NULL;
}

const char* calls_with_wrong_handles(const char* folder) {
  heddle_artifact first = 0, second = 0;
  const char* json = NULL;
  size_t count = 0;
  int64_t size = 0;
  struct problem problem;
  prepare(&problem);
  OK(heddle_open(folder, NULL, &first));
  OK(heddle_close(first));
  OK(heddle_open(folder, NULL, &second));
  CHECK(second != first);
  REFUSED(heddle_close(first), "is closed");
  REFUSED(heddle_run(first, &problem.launch), "is closed");
  REFUSED(heddle_manifest(first, &json), "is closed");
  REFUSED(heddle_buffer_count(first, "prefill", &count), "is closed");
  REFUSED(heddle_slots(first, 'a', 1, &size), "is closed");
  REFUSED(heddle_synchronize(first), "is closed");
  REFUSED(heddle_run(0, &problem.launch), "no artifact with this handle");
  REFUSED(heddle_close(0), "no artifact with this handle");
  REFUSED(heddle_run(second + 1, &problem.launch), "no artifact with this handle");
  CHECK(is_untouched());
  OK(heddle_run(second, &problem.launch));
  CHECK(is_half());
  OK(heddle_close(second));
  return NULL;
}

const char* calls_with_null_pointers(const char* folder) {
  heddle_artifact artifact = 0;
  heddle_open_options options = {0, 0, 0};
  heddle_buffer_info info;
  struct problem problem;
  REFUSED(heddle_open(NULL, NULL, &artifact), "folder is a null pointer");
  REFUSED(heddle_open(folder, NULL, NULL), "handle is a null pointer");
  REFUSED(heddle_open(folder, &options, &artifact), "another size");
  options.size = sizeof options;
  options.threads = -1;
  REFUSED(heddle_open(folder, &options, &artifact), "threads");
  CHECK(artifact == 0);
  OK(heddle_open(folder, NULL, &artifact));
  REFUSED(heddle_manifest(artifact, NULL), "null pointer");
  REFUSED(heddle_buffer_count(artifact, NULL, NULL), "null pointer");
  REFUSED(heddle_buffer_count(artifact, "prefill", NULL), "null pointer");
  REFUSED(heddle_buffer_at(artifact, "prefill", 0, NULL), "null pointer");
  REFUSED(heddle_buffer_at(artifact, "prefill", 2, &info), "takes 2 buffers");
  REFUSED(heddle_slots(artifact, 'b', 1, NULL), "null pointer");
  REFUSED(heddle_run(artifact, NULL), "null pointer");
  prepare(&problem);
  problem.launch.op = NULL;
  REFUSED(heddle_run(artifact, &problem.launch), "null pointer");
  prepare(&problem);
  problem.launch.buffers = NULL;
  REFUSED(heddle_run(artifact, &problem.launch), "null pointer");
  prepare(&problem);
  problem.launch.scalars = NULL;
  REFUSED(heddle_run(artifact, &problem.launch), "null pointer");
  prepare(&problem);
  problem.buffers[1].name = NULL;
  REFUSED(heddle_run(artifact, &problem.launch), "no name");
  prepare(&problem);
  problem.buffers[1].data = NULL;
  REFUSED(heddle_run(artifact, &problem.launch), "\"y\" is not given");
  prepare(&problem);
  problem.buffers[0].data = NULL;
  problem.buffers[0].shape = NULL;
  REFUSED(heddle_run(artifact, &problem.launch), "\"x\" is not given");
  prepare(&problem);
  problem.buffers[0].shape = NULL;
  REFUSED(heddle_run(artifact, &problem.launch), "no shape");
  prepare(&problem);
  problem.scalars[0].name = NULL;
  REFUSED(heddle_run(artifact, &problem.launch), "no name");
  CHECK(is_untouched());
  CHECK(heddle_error_kind(NULL) == HEDDLE_OK && heddle_error_message(NULL)[0] == '\0');
  heddle_error_free(NULL);
  OK(heddle_close(artifact));
  return NULL;
}

const char* launches_that_do_not_fit(const char* folder) {
  heddle_artifact artifact = 0;
  struct problem problem;
  const int64_t more_heads[4] = {kBatch, kTokens, kHeads + 1, kChannels};
  const int64_t more_channels[4] = {kBatch, kTokens, kHeads, kChannels + 1};
  const int64_t negative[4] = {kBatch, -3, kHeads, kChannels};
  const int64_t huge[4] = {2147483647, 2147483647, 2147483647, kChannels};
  const int64_t turned[4] = {24, 1, 4, 2};
  int64_t size = 0;
  OK(heddle_open(folder, NULL, &artifact));
#define WITH(change, part)                                \
  do {                                                    \
    prepare(&problem);                                    \
    change;                                               \
    REFUSED(heddle_run(artifact, &problem.launch), part); \
    CHECK(is_untouched());                                \
  } while (0)
  WITH(problem.launch.size = 8, "another size");
  WITH(problem.launch.op = "backward", "no kernel for \"backward\"");
  WITH(problem.launch.threads = -1, "threads");
  WITH(problem.buffers[0].name = "z", "takes no buffer \"z\"");
  WITH(problem.buffers[0].name = "y", "is given twice");
  WITH(problem.launch.buffer_count = 1, "\"y\" is not given");
  WITH(problem.launch.scalar_count = 0, "\"gamma\" is not given");
  WITH(problem.scalars[0].name = "delta", "takes no scalar \"delta\"");
  WITH((problem.scalars[1] = problem.scalars[0], problem.launch.scalar_count = 2), "given twice");
  WITH(problem.buffers[0].type = HEDDLE_BF16, "holds bf16, the kernel takes f32");
  WITH(problem.buffers[0].type = 17, "no known type");
  WITH(problem.buffers[0].rank = 3, "has 3 dimensions");
  WITH(problem.buffers[0].rank = -1, "dimensions");
  WITH(problem.buffers[1].shape = more_heads,
       "the buffer \"y\" says heads = 3, and the buffer \"x\" says 2");
  WITH(problem.buffers[0].shape = more_channels, "the manifest says 4");
  WITH(problem.buffers[0].shape = negative, "has the shape [2, -3, 2, 4]");
  WITH(problem.buffers[0].shape = huge, "larger than memory");
  WITH(problem.buffers[0].strides = turned, "gaps or another order");
  WITH(problem.buffers[1].data = x, "overlap");
  WITH(problem.buffers[1].data = x + kCount - 1, "overlap");
  WITH(problem.buffers[1].data = (char*)y + 1, "not aligned");
  WITH(
      (problem.sizes[0].name = "tokens", problem.sizes[0].value = 2, problem.launch.size_count = 1),
      "the launch says tokens = 2");
  WITH((problem.sizes[0].name = "width_b", problem.launch.size_count = 1), "takes no size");
  WITH((problem.sizes[0].name = problem.sizes[1].name = "tokens",
        problem.sizes[0].value = problem.sizes[1].value = kTokens, problem.launch.size_count = 2),
       "given twice");
  REFUSED(heddle_slots(artifact, 'c', 1, &size), "a side is");
  REFUSED(heddle_slots(artifact, 'b', -1, &size), "negative");
  REFUSED(heddle_columns(artifact, 'a', 1, &size), "no columns");
  REFUSED(heddle_columns(artifact, 'b', -1, &size), "between 0 and");
  REFUSED(heddle_columns(artifact, 'b', INT64_MAX, &size), "between 0 and");
  OK(heddle_close(artifact));
  return NULL;
}

/* What the child finds, as its exit code: 0 when all is well. */
static int in_child(const char* folder, heddle_artifact of_parent) {
  heddle_artifact artifact = 0;
  struct problem problem;
  prepare(&problem);
  if (differs(0, heddle_run(of_parent, &problem.launch), HEDDLE_WRONG_CALL, "was forked")) return 1;
  if (differs(0, heddle_open(folder, NULL, &artifact), HEDDLE_OK, "")) return 2;
  if (differs(0, heddle_run(artifact, &problem.launch), HEDDLE_OK, "")) return 3;
  if (!is_half()) return 4;
  if (differs(0, heddle_close(artifact), HEDDLE_OK, "")) return 5;
  return 0;
}

const char* calls_after_fork(const char* folder) {
  heddle_artifact artifact = 0;
  heddle_open_options options = {sizeof(heddle_open_options), 2, 0};
  struct problem problem;
  int status = 0;
  pid_t child;
  OK(heddle_open(folder, &options, &artifact));
  child = fork();
  if (child == 0) {
    alarm(60);
    _exit(in_child(folder, artifact));
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    snprintf(text, sizeof text, "the child of fork() ended with the status %d", status);
    return text;
  }
  prepare(&problem);
  OK(heddle_run(artifact, &problem.launch)); /* the parent's are as they were */
  CHECK(is_half());
  OK(heddle_close(artifact));
  return NULL;
}

const char* open_is_refused(const char* folder, int kind, const char* part) {
  heddle_artifact artifact = 7;
  const char* wrong = differs(__LINE__, heddle_open(folder, NULL, &artifact), kind, part);
  if (wrong != NULL) return wrong;
  CHECK(artifact == 0);
  return NULL;
}
