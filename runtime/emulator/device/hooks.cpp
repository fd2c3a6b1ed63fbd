// SPDX-License-Identifier: Apache-2.0
// The module's half of the emulator. The compiler's thread sanitizer makes every load and store
// call a __tsan_ function and its other sanitizers call __ubsan_ ones; instead of the sanitizers'
// libraries they find these, which hand over to the emulator. Nothing here is itself instrumented.
#include "bridge.hpp"

using heddle_emulated::Bridge;
using heddle_emulated::Collective;
using heddle_emulated::Coordinates;
using heddle_emulated::Fault;
using heddle_emulated::FieldState;
using heddle_emulated::Module;
using heddle_emulated::Touch;

#define PLAIN __attribute__((no_sanitize("thread,undefined"), no_sanitize_coverage))
#define HIDDEN extern "C" PLAIN __attribute__((visibility("hidden")))
#define CALLER __builtin_return_address(0)

// Here they are variables; the kernel sees them as constants (emulated_device.hpp), which they are
// for one thread: the emulator changes them only when it changes threads.
extern "C" {
__attribute__((visibility("hidden"))) Coordinates heddle_thread_index, heddle_block_index,
    heddle_block_shape, heddle_grid_shape;
__attribute__((visibility("hidden")))
FieldState heddle_field_state;  // field.hpp's view is the same
}

// Keeps the section, and with it the linker's two symbols, alive in a kernel without shared memory.
__attribute__((section("heddle_shared"), used, aligned(256))) static char heddle_anchor[256];
#ifdef HEDDLE_HAS_DYNAMIC_SHARED
extern "C" {
__attribute__((visibility("hidden"), section("heddle_shared"), aligned(1024))) char
    heddle_dynamic_shared[
#ifdef HEDDLE_HAS_FIELD
        heddle_emulated::kMostDynamicSharedOfField
#else
        heddle_emulated::kMostDynamicShared
#endif
];
}
#endif
extern "C" char __start_heddle_shared[] __attribute__((visibility("hidden")));
extern "C" char __stop_heddle_shared[] __attribute__((visibility("hidden")));

extern "C" void heddle_entry(void** arguments);
static void forget_copies();
extern "C" const char* const heddle_signature;

// Until the emulator connects, while the text's own initialisers run, nothing is watched.
PLAIN static void idle_touch(void*, const void*, unsigned long, Touch, const void*) {}
PLAIN static void idle_barrier(void*, const void*) {}
PLAIN static unsigned long long idle_collective(void*, Collective, unsigned,
                                                unsigned long long value, int, int, const void*) {
  return value;
}
PLAIN static unsigned idle_mask(void*) { return 1; }
PLAIN static void idle_fault(void*, Fault, long long, const char*, const void*) {}
PLAIN static void idle_exhausted(void*, const void*) {}
PLAIN static void* idle_reserve(void*, int, unsigned long) { return nullptr; }

static Bridge bridge = {nullptr,    idle_touch,     idle_barrier, idle_collective, idle_mask,
                        idle_fault, idle_exhausted, idle_reserve, 1LL << 62,       nullptr,
                        0,          nullptr,        false,        nullptr,         nullptr};

extern "C" __attribute__((visibility("hidden"))) void __sanitizer_cov_trace_pc();
extern "C" __attribute__((visibility("default"))) Module heddle_module = {&bridge,
                                                                          &heddle_thread_index,
                                                                          &heddle_block_index,
                                                                          &heddle_block_shape,
                                                                          &heddle_grid_shape,
                                                                          __start_heddle_shared,
                                                                          __stop_heddle_shared,
                                                                          heddle_entry,
                                                                          forget_copies,
                                                                          &heddle_field_state,
                                                                          __sanitizer_cov_trace_pc,
                                                                          &heddle_signature};

PLAIN static inline signed char& gap_note(unsigned long place) {
  return *reinterpret_cast<signed char*>(heddle_emulated::kGapNotes + place / 8);
}
PLAIN static bool in_a_gap(unsigned long place, unsigned long size) {
  for (unsigned long at = place; at < place + size; at = (at / 8 + 1) * 8) {
    const signed char note = gap_note(at);
    const unsigned long last = at / 8 == (place + size - 1) / 8 ? (place + size - 1) % 8 : 7;
    if (note != 0 && static_cast<long>(last) >= note) return true;
  }
  return false;
}

PLAIN static inline void touch(const void* address, unsigned long size, Touch kind,
                               const void* site) {
  const auto place = reinterpret_cast<unsigned long>(address);
  if (place - reinterpret_cast<unsigned long>(bridge.stack_begin) < bridge.stack_bytes) {
    if (bridge.gaps && in_a_gap(place, size)) {
      bridge.fault(bridge.engine, Fault::kGap, static_cast<long long>(size), nullptr, site);
    }
    return;
  }
  bridge.touch(bridge.engine, address, size, kind, site);
}

// 1. Loads and stores.
HIDDEN void __tsan_init() {}
#define HEDDLE_ACCESS(size)                                                                   \
  HIDDEN void __tsan_read##size(void* p) { touch(p, size, Touch::kRead, CALLER); }            \
  HIDDEN void __tsan_write##size(void* p) { touch(p, size, Touch::kWrite, CALLER); }          \
  HIDDEN void __tsan_volatile_read##size(void* p) { touch(p, size, Touch::kRead, CALLER); }   \
  HIDDEN void __tsan_volatile_write##size(void* p) { touch(p, size, Touch::kWrite, CALLER); } \
  HIDDEN void __tsan_unaligned_read##size(void* p) { touch(p, size, Touch::kRead, CALLER); }  \
  HIDDEN void __tsan_unaligned_write##size(void* p) { touch(p, size, Touch::kWrite, CALLER); }
HEDDLE_ACCESS(1)
HEDDLE_ACCESS(2)
HEDDLE_ACCESS(4)
HEDDLE_ACCESS(8)
HEDDLE_ACCESS(16)
HIDDEN void __tsan_read_range(void* p, unsigned long size) { touch(p, size, Touch::kRead, CALLER); }
HIDDEN void __tsan_write_range(void* p, unsigned long size) {
  touch(p, size, Touch::kWrite, CALLER);
}
// A text with gaps reports them so.
#define HEDDLE_WATCHED(size)                                                                 \
  HIDDEN void __asan_load##size##_noabort(void* p) { touch(p, size, Touch::kRead, CALLER); } \
  HIDDEN void __asan_store##size##_noabort(void* p) { touch(p, size, Touch::kWrite, CALLER); }
HEDDLE_WATCHED(1)
HEDDLE_WATCHED(2)
HEDDLE_WATCHED(4)
HEDDLE_WATCHED(8)
HEDDLE_WATCHED(16)
HIDDEN void __asan_loadN_noabort(void* p, unsigned long size) {
  touch(p, size, Touch::kRead, CALLER);
}
HIDDEN void __asan_storeN_noabort(void* p, unsigned long size) {
  touch(p, size, Touch::kWrite, CALLER);
}
HIDDEN void __tsan_vptr_update(void**, void*) {}
HIDDEN void __tsan_vptr_read(void**) {}

// Gaps that the compiler leaves to a call: around arrays whose length is not constant, and where
// large arrays were whose block is over.
constexpr unsigned long kGap = 32;
PLAIN static void note_gap(unsigned long place, unsigned long end) {
  if (!bridge.gaps) return;
  if (place % 8 != 0) gap_note(place) = static_cast<signed char>(place % 8);
  for (place = (place + 7) / 8 * 8; place < end; place += 8) gap_note(place) = -1;
}
PLAIN static void forget_gap(unsigned long place, unsigned long end) {
  if (!bridge.gaps) return;
  for (unsigned long at = place; at < end; at += 8) gap_note(at) = 0;
  if (end % 8 != 0) gap_note(end) = static_cast<signed char>(end % 8);
}
HIDDEN void __asan_alloca_poison(unsigned long place, unsigned long size) {
  note_gap(place - kGap, place);
  note_gap(place + size, (place + size + kGap - 1) / kGap * kGap + kGap);
}
HIDDEN void __asan_allocas_unpoison(unsigned long top, unsigned long bottom) {
  if (top != 0 && top < bottom) forget_gap(top, bottom);
}
HIDDEN void __asan_poison_stack_memory(unsigned long place, unsigned long size) {
  note_gap(place, (place + size + 7) / 8 * 8);
}
HIDDEN void __asan_unpoison_stack_memory(unsigned long place, unsigned long size) {
  forget_gap(place, place + size);
}
HIDDEN void __asan_handle_no_return() {}

// 2. Block copies: those of the text (watched_copies.hpp), and what the compiler leaves as calls.
PLAIN static inline void* copy(void* to, const void* from, unsigned long size, const void* site) {
  if (size == 0) return to;
  touch(from, size, Touch::kRead, site);
  touch(to, size, Touch::kWrite, site);
  volatile char* target = static_cast<volatile char*>(to);  // volatile: not turned into a call
  const volatile char* source = static_cast<const volatile char*>(from);
  if (target < source) {
    for (unsigned long i = 0; i < size; ++i) target[i] = source[i];
  } else {
    for (unsigned long i = size; i > 0; --i) target[i - 1] = source[i - 1];
  }
  return to;
}
PLAIN static inline void* set(void* to, int value, unsigned long size, const void* site) {
  if (size == 0) return to;
  touch(to, size, Touch::kWrite, site);
  volatile char* target = static_cast<volatile char*>(to);
  for (unsigned long i = 0; i < size; ++i) target[i] = static_cast<char>(value);
  return to;
}
#define HEDDLE_COPY(name)                                             \
  HIDDEN void* name(void* to, const void* from, unsigned long size) { \
    return copy(to, from, size, CALLER);                              \
  }
HEDDLE_COPY(memcpy)
HEDDLE_COPY(memmove)
HEDDLE_COPY(heddle_memcpy)
HEDDLE_COPY(heddle_memmove)
HIDDEN void* memset(void* to, int value, unsigned long size) {
  return set(to, value, size, CALLER);
}
HIDDEN void* heddle_memset(void* to, int value, unsigned long size) {
  return set(to, value, size, CALLER);
}

// 3. Meeting points. The address is that of the kernel's own call: the header's wrappers are
// always inlined.
HIDDEN void heddle_barrier() { bridge.barrier(bridge.engine, CALLER); }
HIDDEN unsigned long long heddle_collective(unsigned kind, unsigned mask, unsigned long long value,
                                            int operand, int width) {
  return bridge.collective(bridge.engine, static_cast<Collective>(kind), mask, value, operand,
                           width, CALLER);
}
HIDDEN unsigned heddle_active_mask() { return bridge.active_mask(bridge.engine); }
HIDDEN void heddle_atomic(const void* address, unsigned long size) {
  touch(address, size, Touch::kAtomic, CALLER);
}

HIDDEN void* heddle_reserve(int number, unsigned long bytes) {
  return bridge.reserve(bridge.engine, number, bytes);
}

// Asynchronous copies: asked for, committed in batches, there after the wait for their batch.
struct Copy {
  char* to;
  const char* from;
  unsigned long size, blank;  // in bytes; the last `blank` become zero
  int batch;
  const void* site;
};
constexpr int kMostCopies = 512;  // of one thread at a time; over the field each element is one
constexpr int kMostThreads = 1024;
struct Copies {
  int begin, end;  // of the list, those that have not arrived
  int batch;       // the one being filled
};
static Copies copies[kMostThreads];
static Copy lists[kMostThreads][kMostCopies];  // whose pages exist once touched
static bool copies_used;

PLAIN static void forget_copies() {
  if (!copies_used) return;
  for (Copies& own : copies) own = {0, 0, 0};
}
HIDDEN void heddle_copy_start(void* to, const void* from, unsigned long size, unsigned long blank) {
  Copies& own = copies[heddle_thread_index.x];
  Copy* const list = lists[heddle_thread_index.x];
  const bool whole = size == 4 || size == 8 || size == 16;
  const auto where = reinterpret_cast<unsigned long>(to),
             source = reinterpret_cast<unsigned long>(from);
  if (!whole || blank > size || where % size != 0 || source % size != 0) {
    bridge.fault(bridge.engine, Fault::kAlignment, static_cast<long long>(where),
                 "copy of 4, 8 or 16 bytes", CALLER);
    return;
  }
  copies_used = true;
  if (own.begin == own.end) own.begin = own.end = 0;
  // Where some are always under way, those that have arrived make room.
  if (own.end == kMostCopies && own.begin > 0) {
    for (int i = own.begin; i < own.end; ++i) list[i - own.begin] = list[i];
    own.end -= own.begin;
    own.begin = 0;
  }
  if (own.end == kMostCopies) {
    bridge.fault(bridge.engine, Fault::kCopies, kMostCopies + 1, nullptr, CALLER);
    return;
  }
  if (blank < size) touch(from, size - blank, Touch::kRead, CALLER);
  touch(to, size, Touch::kCopyStarts, CALLER);
  list[own.end++] = {
      static_cast<char*>(to), static_cast<const char*>(from), size, blank, own.batch, CALLER};
}
HIDDEN void heddle_copy_commit() { ++copies[heddle_thread_index.x].batch; }
HIDDEN void heddle_copy_wait(int batches_left) {
  Copies& own = copies[heddle_thread_index.x];
  Copy* const list = lists[heddle_thread_index.x];
  for (; own.begin < own.end; ++own.begin) {
    const Copy& copy = list[own.begin];
    if (copy.batch >= own.batch - batches_left) return;
    touch(copy.to, copy.size, Touch::kCopyArrives, copy.site);
    for (unsigned long i = 0; i < copy.size; ++i) {
      const volatile char* source = copy.from + i;
      copy.to[i] = i < copy.size - copy.blank ? *source : static_cast<char>(0);
    }
  }
}

// 4. Every basic block: an endless loop and a runaway recursion end here.
HIDDEN void __sanitizer_cov_trace_pc() {
  if (bridge.entered) bridge.entered[static_cast<const char*>(CALLER) - bridge.code] = 1;
  if (--bridge.steps_left < 0 ||
      static_cast<const char*>(__builtin_frame_address(0)) < bridge.stack_limit) {
    bridge.exhausted(bridge.engine, CALLER);
  }
}

// 5. Arithmetic. The layouts of the first arguments are the compiler's.
struct Place {
  const char* file;
  unsigned line, column;
};
struct Type {
  unsigned short kind, info;
  char name[1];
};
struct IndexData {
  Place place;
  const Type* array;
  const Type* index;
};
struct AlignmentData {
  Place place;
  const Type* type;
  unsigned char log_alignment, kind;
};
// Values of up to 64 bits travel in the handle itself; info holds the width and the sign.
PLAIN static long long value_of(const Type* type, unsigned long handle) {
  const unsigned width = 1u << (type->info >> 1);
  const bool is_signed = (type->info & 1) != 0;
  if (!is_signed || width >= 64) return static_cast<long long>(handle);
  return static_cast<long long>(handle << (64 - width)) >> (64 - width);
}
PLAIN static void fault(Fault kind, const void* site, long long detail = 0,
                        const char* type = nullptr) {
  bridge.fault(bridge.engine, kind, detail, type, site);
}
HIDDEN void __ubsan_handle_out_of_bounds(IndexData* data, unsigned long index) {
  fault(Fault::kIndex, CALLER, value_of(data->index, index), data->array->name);
}
HIDDEN void __ubsan_handle_add_overflow(void*, void*, void*) { fault(Fault::kOverflow, CALLER); }
HIDDEN void __ubsan_handle_sub_overflow(void*, void*, void*) { fault(Fault::kOverflow, CALLER); }
HIDDEN void __ubsan_handle_mul_overflow(void*, void*, void*) { fault(Fault::kOverflow, CALLER); }
HIDDEN void __ubsan_handle_negate_overflow(void*, void*) { fault(Fault::kOverflow, CALLER); }
HIDDEN void __ubsan_handle_divrem_overflow(void*, void*, void*) { fault(Fault::kDivision, CALLER); }
HIDDEN void __ubsan_handle_shift_out_of_bounds(void*, void*, void*) {
  fault(Fault::kShift, CALLER);
}
// Where a pointer may point but not so much follow, it is the size of the object that is exceeded.
HIDDEN void __ubsan_handle_type_mismatch_v1(AlignmentData* data, unsigned long address) {
  const bool aligned = (address & ((1ul << data->log_alignment) - 1)) == 0;
  fault(aligned ? Fault::kObject : Fault::kAlignment, CALLER, static_cast<long long>(address),
        data->type->name);
}
