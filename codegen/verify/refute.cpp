// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/refute.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "codegen/verify/free_slots.hpp"
#include "patterns/integer.hpp"

namespace heddle::verify {
namespace {

bool starts_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

// The first store to a buffer.
std::optional<TextPlace> store_to(const Lifted& lifted, const ir::Body& statements,
                                  const std::string& buffer) {
  std::optional<TextPlace> found;
  const auto into = [&](const ir::Body& inner) {
    if (!found) found = store_to(lifted, inner, buffer);
  };
  for (const ir::Statement& statement : statements) {
    match(
        statement.node,
        [&](const ir::Store& node) {
          const ir::BufferId* id = std::get_if<ir::BufferId>(&node.memory);
          if (found || id == nullptr || lifted.kernel[*id].name != buffer) return;
          found = lifted.place(statement);
        },
        [&](const ir::For& node) { into(node.body); },
        [&](const ir::While& node) { into(node.body); },
        [&](const ir::If& node) {
          into(node.body);
          into(node.otherwise);
        },
        [](const auto&) {});
  }
  return found;
}

struct Sequence {
  int batch = 1;
  int heads = 1;
  std::vector<int> pieces;  // tokens of each launch
};

class Run {
 public:
  Run(const Lifted& lifted, const Manifest& manifest, const KernelEntry& entry, Sequence sequence,
      std::int64_t extra_slots)
      : lifted_(lifted),
        manifest_(manifest),
        entry_(entry),
        sequence_(std::move(sequence)),
        extra_slots_(extra_slots) {}

  // False where the sequence is none that the runtime would let through.
  bool possible() {
    length_ = std::accumulate(sequence_.pieces.begin(), sequence_.pieces.end(), 0);
    for (const auto& [name, layout] :
         {std::pair{"slots_a", &manifest_.cache_a}, std::pair{"slots_b", &manifest_.cache_b}}) {
      const auto needed =
          layout->retention == CacheRetention::kAll    ? Result<std::int64_t>(std::int64_t{length_})
          : layout->retention == CacheRetention::kNone ? Result<std::int64_t>(std::int64_t{0})
                                                       : layout->slots(length_);
      if (!needed) return false;
      sizes_[name] = std::max<std::int64_t>(0, *needed + extra_slots_);
    }
    // Columns as few as may be, or more of them than needed.
    for (const auto& [name, width] :
         {std::pair{"width_a", &manifest_.width_a}, std::pair{"width_b", &manifest_.width_b}}) {
      const Result<std::int64_t> needed = width->columns(length_);
      if (!needed) return false;
      sizes_[name] = *needed + (extra_slots_ > 0 ? 3 : 0);
    }
    return true;
  }
  void without_state() { sizes_["slots_a"] = sizes_["slots_b"] = 0; }

  std::optional<Violation> run(std::int64_t& work) {
    sizes_["batch"] = sequence_.batch;
    sizes_[kBoundsExtent] = sequence_.batch + 1;
    sizes_["heads"] = sequence_.heads;
    starts_.assign(static_cast<std::size_t>(sequence_.batch), 0);
    for (const int tokens : sequence_.pieces) {
      share_out(tokens);
      sizes_["live_states"] = live_states_of(sizes_["slots_b"], tokens);
      if (entry_.chunk_tokens > 0) sizes_["chunks"] = chunks_of(entry_, most_of_one());
      if (auto violation = launch(work)) return violation;
      if (work <= 0) return std::nullopt;
      for (std::size_t b = 0; b < starts_.size(); ++b) starts_[b] += offsets_[b + 1] - offsets_[b];
    }
    return std::nullopt;
  }

 private:
  // The tokens of a launch: as many for each sequence or, where these have lengths of their own,
  // fewer for each but the first, whose length is `longest`.
  void share_out(int tokens) {
    offsets_ = {0};
    for (int b = 0; b < sequence_.batch; ++b) {
      const int own = !manifest_.varlen || b == 0 || entry_.op == "decode"
                          ? tokens
                          : std::max(0, tokens - 1 - b);
      offsets_.push_back(offsets_.back() + own);
    }
    sizes_["start"] = starts_.front();
    sizes_["longest"] = starts_.front() + tokens;
    sizes_["tokens"] = manifest_.varlen ? offsets_.back() : tokens;
  }
  // Tokens that a sequence may have of the launch's.
  std::int64_t most_of_one() const {
    return manifest_.varlen ? std::min(of("tokens"), of("longest")) : of("tokens");
  }
  std::int64_t of(const std::string& extent) const {
    const auto size = sizes_.find(extent);
    if (size != sizes_.end()) return size->second;
    return Integer::parse(extent).value_or(Integer(0)).to_int64().value_or(0);
  }
  std::int64_t product(const std::vector<std::string>& extents) const {
    std::int64_t result = 1;
    for (const std::string& extent : extents) result *= of(extent);
    return result;
  }

  // Before and after the launch. What a step of an operation finds in scratch or leaves there,
  // other steps have written or will read.
  bool means_nothing(const Argument& argument) const {
    return entry_.chunk_tokens == 0 && starts_with(argument.name, "scratch_");
  }

  bool is_missing(const Argument& argument) const {
    return is_of_state_before(argument.name) && of("start") == 0;
  }

  MemoryRecord buffer(const Argument& argument) {
    const bool scratch = means_nothing(argument);
    MemoryRecord::Options options;
    options.name = argument.name;
    options.length = product(argument.shape);
    options.global = true;
    options.written = argument.access != heddle::Access::kWrite && !scratch;
    // A gradient may be summed up where it is to stand.
    options.written_once =
        argument.access == heddle::Access::kWrite && !scratch && entry_.op != "backward";
    options.missing = is_missing(argument);
    MemoryRecord record(options);
    const auto kept = state_.find(argument.name.substr(argument.name.find('_') + 1));
    const bool stateful =
        starts_with(argument.name, "initial_") || starts_with(argument.name, "cache_");
    if (stateful && kept != state_.end()) {
      record.whole = kept->second.whole;
      record.real = kept->second.real;
    } else if (argument.access == heddle::Access::kRead) {
      for (float& number : record.real) {
        random_ = random_ * 1664525u + 1013904223u;
        number = static_cast<float>(random_ >> 8) / 8388608.0f - 1.0f;
      }
    }
    if (manifest_.varlen && argument.name == "offsets") record.whole = offsets_;
    if (manifest_.varlen && argument.name == "starts") record.whole = starts_;
    return record;
  }

  std::optional<Violation> launch(std::int64_t& work) {
    Memories buffers;
    for (const Argument& argument : entry_.arguments) {
      if (argument.kind != ArgumentKind::kBuffer) continue;
      buffers.emplace(argument.name, buffer(argument));
    }
    for (auto& [name, record] : buffers) leave_free_slots(name, record, buffers);
    ReplayLaunch launch;
    launch.sizes = sizes_;
    launch.blocks = product(entry_.grid);
    const SharedLaunch shared = manifest_.varlen
                                    ? shared_launch(manifest_, entry_, of("longest"), 0)
                                    : shared_launch(manifest_, entry_, of("tokens"), of("start"));
    for (const auto& [name, rows] : shared.rows) launch.sizes[name] = rows;
    launch.dynamic_bytes = shared.bytes;
    ReplayResult result = replay(lifted_, launch, buffers, work);
    work = result.gave_up ? 0 : work - result.work;
    if (!result.violation && !result.gave_up) result.violation = incomplete(buffers);
    if (result.violation) {
      result.violation->sentence = told() + result.violation->sentence;
      return result.violation;
    }
    for (auto& [name, record] : buffers) {
      if (starts_with(name, "cache_")) keep_blank(name, record, buffers);
    }
    for (auto& [name, record] : buffers) {
      if (!starts_with(name, "final_") && !starts_with(name, "cache_")) continue;
      state_.insert_or_assign(name.substr(name.find('_') + 1), std::move(record));
    }
    return std::nullopt;
  }

  // ---- slots that hold no token ----

  // use(element, slot, place of its position) for the contents of slots, [batch, slots, heads,
  // channels], with positions [batch, heads, slots].
  template <typename Use>
  void each_of_slots(const SlotBuffer& contents, std::int64_t elements, Use&& use) const {
    const std::int64_t slots = of(std::string("slots_") + contents.side);
    const std::int64_t heads = of("heads");
    const std::int64_t rows = of("batch") * slots * heads;
    if (rows == 0 || elements < rows) return;
    const std::int64_t channels = elements / rows;
    for (std::int64_t element = 0; element < elements; ++element) {
      const std::int64_t head = element / channels % heads;
      const std::int64_t slot = element / channels / heads % slots;
      const std::int64_t batch = element / channels / heads / slots;
      use(element, slot, (batch * heads + head) * slots + slot);
    }
  }

  void leave_free_slots(const std::string& name, MemoryRecord& record, const Memories& buffers) {
    const auto contents = contents_of_slots(name);
    if (!contents) return;
    const auto positions = buffers.find(contents->positions);
    const auto kept = state_.find(name.substr(name.find('_') + 1));
    const std::int64_t slots = of("heads") * of(std::string("slots_") + contents->side);
    each_of_slots(*contents, record.length(), [&](std::int64_t element, auto slot, auto place) {
      const bool free = positions == buffers.end()
                            ? slot >= starts_[static_cast<std::size_t>(place / slots)]
                            : positions->second.whole[static_cast<std::size_t>(place)] <= 0;
      const bool blank = kept != state_.end() && kept->second.blank(element);
      record.set_blank(element, free || blank);
    });
  }

  // What a launch of decode has written is there, and what was there before where the slot still
  // has the same token.
  void keep_blank(const std::string& name, MemoryRecord& record, const Memories& buffers) {
    const auto contents = contents_of_slots(name);
    if (!contents) return;
    const auto positions = buffers.find(contents->positions);
    each_of_slots(*contents, record.length(), [&](std::int64_t element, auto, auto place) {
      const bool moved = positions != buffers.end() && positions->second.was_written(place);
      record.set_blank(element, !record.was_written(element) && (record.blank(element) || moved));
    });
  }

  std::optional<Violation> incomplete(const Memories& buffers) const {
    for (const Argument& argument : entry_.arguments) {
      if (argument.kind != ArgumentKind::kBuffer || argument.access != heddle::Access::kWrite ||
          means_nothing(argument) || is_missing(argument)) {
        continue;
      }
      const auto index = buffers.at(argument.name).unwritten();
      if (!index) continue;
      return Violation{"outputs",
                       argument.name + "[" + std::to_string(*index) + "] is written by no thread",
                       store_to(lifted_, lifted_.kernel.body, argument.name)
                           .value_or(lifted_.place(lifted_.kernel.body.front()))};
    }
    return std::nullopt;
  }

  std::string told() const {
    const auto count = [](std::int64_t n, const char* one) {
      return std::to_string(n) + " " + one + (n == 1 ? "" : "s");
    };
    std::string text = "with batch " + std::to_string(sequence_.batch) + ", " +
                       count(sequence_.heads, "head") + " and " + count(of("tokens"), "token");
    if (of("start") > 0) text += " after " + std::to_string(of("start"));
    for (const char* side : {"slots_a", "slots_b"}) {
      const bool takes = std::any_of(entry_.arguments.begin(), entry_.arguments.end(),
                                     [&](const Argument& each) { return each.name == side; });
      if (takes) text += ", " + std::string(side) + " = " + std::to_string(of(side));
    }
    return text + ": ";
  }

  const Lifted& lifted_;
  const Manifest& manifest_;
  const KernelEntry& entry_;
  Sequence sequence_;
  std::int64_t extra_slots_;
  int length_ = 0;
  std::vector<std::int64_t> offsets_, starts_;  // of the sequences of a launch
  std::map<std::string, std::int64_t> sizes_;
  std::map<std::string, MemoryRecord> state_;  // by name without initial_, final_, cache_
  std::uint32_t random_ = 1;
};

std::vector<Sequence> usual(const std::string& op) {
  if (op == "decode") {
    return {{1, 1, {1}}, {1, 2, {3}}, {2, 3, {7}}, {1, 2, {20}}, {1, 1, {70}}, {1, 1, {150}}};
  }
  if (op == "prefill") {
    return {{1, 1, {1}},    {1, 1, {2}},  {1, 2, {3}},      {2, 1, {2, 1}},   {2, 3, {4, 3}},
            {1, 2, {9, 8}}, {1, 1, {33}}, {1, 1, {40, 30}}, {1, 1, {5, 140}}, {1, 1, {300}}};
  }
  return {{1, 1, {1}}, {1, 1, {2}}, {1, 2, {3}}, {2, 3, {5}}, {1, 2, {17}}, {1, 1, {33}}};
}

// What a kernel does may depend on reals of which the reader keeps where they lie, and not what
// they are.
bool decides_by_products(const Lifted& lifted) {
  const ir::Kernel& kernel = lifted.kernel;
  return lifted.prelude >= Prelude::kTensor &&
         std::any_of(kernel.values.begin(), kernel.values.end(), [&](const ir::Value& value) {
           const ir::Binary* node = std::get_if<ir::Binary>(&value.node);
           return node != nullptr && is_comparison(node->op) &&
                  kernel[node->left].type == ir::Type::kF32;
         });
}

}  // namespace

std::optional<Violation> refute(const Lifted& lifted, const Manifest& manifest,
                                const KernelEntry& entry, std::int64_t work) {
  if (decides_by_products(lifted)) return std::nullopt;
  for (Sequence& sequence : usual(entry.op)) {
    const int length = std::accumulate(sequence.pieces.begin(), sequence.pieces.end(), 0);
    if (entry.op == "decode") {
      // Tokens come one by one.
      sequence.pieces.assign(static_cast<std::size_t>(length), 1);
    }
    // More slots than needed may be given, many more to short sequences.
    for (const int extra : {0, 2, length < 8 ? 70 : 3}) {
      Run run(lifted, manifest, entry, sequence, extra);
      if (!run.possible() || work <= 0) continue;
      if (auto violation = run.run(work)) return violation;
    }
    // From the first token on nobody need want a state.
    Run run(lifted, manifest, entry, sequence, 0);
    if (entry.op != "prefill" || sequence.pieces.size() > 1 || !run.possible() || work <= 0) {
      continue;
    }
    run.without_state();
    if (auto violation = run.run(work)) return violation;
  }
  return std::nullopt;
}

}  // namespace heddle::verify
