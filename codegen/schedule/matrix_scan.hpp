// SPDX-License-Identifier: Apache-2.0
// The launches of a scan over matrix states: the scratch that they hand on, how a chunk's rows come
// into shared memory, and the kernels on tensor cores that they are made of.
#pragma once

#include <functional>

#include "codegen/schedule/linear_frame.hpp"
#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

// Of every chunk of a scan: the state that it comes to from zero, which the chain turns into the
// one it begins with, and the product of its gates, of each key where each has its own. Backward
// also the gradient of the state behind it, which the chain makes of what the chunk itself adds in
// front.
struct MatrixScratch {
  ir::MemoryId carry, product, slope;
  ir::Ex chunks;  // of a head; with varlen a sequence has some of them, the others are left alone

  MatrixScratch(ir::Builder& builder, const KernelSpec& spec, LinearUse use, Access carries,
                Access products);
};

enum class LinearPart {
  kWhole,   // a head, in one launch
  kSums,    // chunks of a scan: their state from zero
  kSlopes,  // ... backward: what they add to the gradient of the state in front of them
  kRows,    // ... their rows, once it is known what state they begin with
};

// Brings kTensorChunk rows of the block's, from token `first` on; those behind the first `size` are
// zero, so that nothing else has to know of them.
void bring_rows(LinearFrame& frame, ir::MemoryId staged, ir::Ex thread, int threads,
                ir::MemoryId from, const ChunkRows& to, ir::Ex first, ir::Ex size);

// The launch of a scan that is this part of it, a block a chunk, of what `write` says for its
// frame.
ir::Kernel part_of_scan(const KernelSpec& spec, LinearPart part, LinearUse use,
                        const std::function<void(LinearFrame&, const MatrixScratch&)>& write);

// Prefill of linear() where spec.tensor says how and each key has a gate of its own.
ir::Kernel tensor_keys(const KernelSpec& spec);
// ... of a scan's chunks, and the rows' gradients, as below.
ir::Kernel tensor_keys_part(const KernelSpec& spec, LinearPart part, LinearUse use);
ir::Kernel tensor_key_gradients(const KernelSpec& spec);
// On tensor cores, a block a chunk of the scan.
ir::Kernel tensor_linear_part(const KernelSpec& spec, LinearPart part, LinearUse use);
// The rows' gradients, for chunks of kTensorChunk tokens.
ir::Kernel tensor_gradients(const KernelSpec& spec);

}  // namespace heddle::schedule
