// SPDX-License-Identifier: Apache-2.0
#include "codegen/timing/run_block.hpp"

#include <algorithm>
#include <array>

#include "codegen/timing/warp.hpp"

namespace heddle::timing {
namespace {

// The lanes of a warp that come to a statement.
struct Path {
  Warp* warp;
  Mask mask;
};
using Paths = std::vector<Path>;

class Block {
 public:
  Block(const verify::Lifted& lifted, const BlockLaunch& launch)
      : kernel_(lifted.kernel), launch_(launch), state_{lifted, {}, {}, {}, 0, 0, 0, 1} {
    state_.block = launch.block;
    state_.work = launch.work;
  }

  BlockCycles run() {
    if (kernel_.threads % kLanes != 0) throw Unfit{"a block of parts of warps"};
    make_memories();
    for (int number = 0; number < kernel_.threads / kLanes; ++number) {
      warps_.emplace_back(state_, number);
    }
    Paths all;
    for (Warp& warp : warps_) {
      give_arguments(warp);
      all.push_back({&warp, kAllLanes});
    }
    body(kernel_.body, all);
    end_phase(0);
    return result_;
  }

 private:
  // ---- memory -----------------------------------------------------------------------------------

  void make_memories() {
    for (const ir::Buffer& buffer : kernel_.buffers) {
      Memory memory{buffer.name, false, static_cast<int>(size_of(buffer.element)), 0, {}, {}};
      const auto length = launch_.lengths.find(buffer.name);
      memory.length = length == launch_.lengths.end() ? 0 : length->second;
      const auto room = static_cast<std::size_t>(memory.length);
      if (buffer.element == ElementType::kI32) {
        const auto contents = launch_.contents.find(buffer.name);
        if (contents != launch_.contents.end()) memory.whole = contents->second;
        memory.whole.resize(room);
      } else {
        memory.real.resize(room);
        for (float& number : memory.real) number = state_.random();
      }
      state_.buffers.push_back(std::move(memory));
    }
    for (const ir::Array& array : kernel_.arrays) {
      state_.shared.push_back(shared(array, array.dynamic ? whole_dynamic(array) : array.length));
    }
  }
  std::int64_t whole_dynamic(const ir::Array& array) const {
    return launch_.dynamic_bytes /
           static_cast<std::int64_t>(size_of(array.element.value_or(ElementType::kF32)));
  }
  static Memory shared(const ir::Array& array, std::int64_t length) {
    Memory memory{array.name, true, 4, array.shared ? length : 0, {}, {}};
    const auto room = static_cast<std::size_t>(memory.length);
    if (array.type == ir::Type::kF32) memory.real.assign(room, 0.0f);
    if (array.type != ir::Type::kF32) memory.whole.assign(room, 0);
    return memory;
  }

  void give_arguments(Warp& warp) {
    for (std::size_t index = 0; index < kernel_.variables.size(); ++index) {
      const ir::Variable& variable = kernel_.variables[index];
      if (!variable.argument) continue;
      const ir::VariableId id{static_cast<std::int32_t>(index)};
      Number number = warp.of(id);
      number.real.fill(0.5f);
      const auto size = launch_.sizes.find(variable.name);
      if (size != launch_.sizes.end()) number.whole.fill(size->second);
      warp.set(id, number, kAllLanes, false);
    }
  }

  // ---- statements -------------------------------------------------------------------------------

  void body(const ir::Body& statements, const Paths& paths) {
    for (const ir::Statement& each : statements) {
      if (paths.size() == 1 || holds_barrier(each)) {
        statement(each, paths);
        continue;
      }
      for (const Path& path : paths) statement(each, {path});
    }
  }

  void statement(const ir::Statement& statement, const Paths& paths) {
    const auto helper = state_.lifted.helper_of.find(&statement);
    const bool helps = helper != state_.lifted.helper_of.end();
    if (helps) paths.front().warp->enter(helper->second);
    match(
        statement.node, [](const ir::Comment&) {},
        [&](const ir::Declare& node) {
          const ir::Array& array = kernel_[node.array];
          if (array.from) return cut(node.array, paths.front());
          if (!array.shared) paths.front().warp->declare(node.array);
        },
        [&](const ir::Define& node) {
          if (helps) return paths.front().warp->look_at(node.value, paths.front().mask);
          set(node.variable, node.value, paths.front());
        },
        [&](const ir::Assign& node) { set(node.variable, node.value, paths.front()); },
        [&](const ir::Choose& node) { paths.front().warp->choose(node.view, paths.front().mask); },
        [&](const ir::Store& node) {
          if (helps) return paths.front().warp->change(node, paths.front().mask);
          paths.front().warp->store(node, paths.front().mask);
        },
        [&](const ir::For& node) { for_loop(node, paths); },
        [&](const ir::While& node) { while_loop(node, paths); },
        [&](const ir::If& node) { branch(node, paths); },
        [&](const ir::Barrier&) { barrier(statement, paths); },
        [&](const ir::Invoke& node) { invoke(node, *paths.front().warp); },
        [&](const auto&) { unreachable("a statement of the cpu in a cuda kernel"); });
  }

  void set(ir::VariableId variable, ir::ValueId value, const Path& path) {
    path.warp->set(variable, path.warp->evaluate(value, path.mask), path.mask, predicated_);
  }

  // The dynamic array ends where this one begins.
  void cut(ir::ArrayId end, const Path& path) {
    const Number from = path.warp->evaluate(*kernel_[end].from, path.mask);
    Memory& rest = state_.shared[static_cast<std::size_t>(end.index)];
    if (path.warp != &warps_.front()) return;
    for (std::size_t index = 0; index < kernel_.arrays.size(); ++index) {
      const ir::Array& whole = kernel_.arrays[index];
      if (!whole.dynamic || whole.from) continue;
      const auto size =
          static_cast<std::int64_t>(size_of(whole.element.value_or(ElementType::kF32)));
      rest = shared(kernel_[end], (launch_.dynamic_bytes - from.whole[0] * size) / 4);
    }
  }

  void invoke(const ir::Invoke& node, Warp& warp) {
    if (node.callee == "close_batch") return warp.close_batch();
    if (node.callee != "await_batches") throw Unfit{"calls " + node.callee};
    const auto left = std::get<ir::ValueId>(node.arguments.front());
    warp.await(static_cast<std::size_t>(std::get<ir::IntegerLiteral>(kernel_[left].node).value));
  }

  static Paths where(const Paths& paths, const std::vector<Number>& truths, bool wanted) {
    Paths result;
    for (std::size_t index = 0; index < paths.size(); ++index) {
      Mask mask = 0;
      each_lane(paths[index].mask, [&](std::size_t lane) {
        if ((truths[index].whole[lane] != 0) == wanted) mask |= Mask{1} << lane;
      });
      if (mask != 0) result.push_back({paths[index].warp, mask});
    }
    return result;
  }
  static std::vector<Number> evaluate(ir::ValueId id, const Paths& paths) {
    std::vector<Number> all;
    for (const Path& path : paths) all.push_back(path.warp->evaluate(id, path.mask));
    return all;
  }
  static void jump(Warp& warp, Cycle ready) { warp.clock.wait(warp.clock.issue(ready, kBranch)); }
  // The ways of a branch come together again.
  static void meet(const Paths& paths) {
    for (const Path& path : paths) path.warp->clock.wait(path.warp->clock.issue(0, kMeet));
  }
  static void end_stretch(const Paths& paths) {
    for (const Path& path : paths) path.warp->clock.end_stretch();
  }
  static void forget(const Changed& changed, const Paths& paths) {
    for (const Path& path : paths) path.warp->forget(changed);
  }

  void branch(const ir::If& node, const Paths& paths) {
    const std::vector<Number> truths = evaluate(node.condition, paths);
    if (paths.size() == 1 && (predicated_ || is_predicated(kernel_, node))) {
      return under_predicate(node, paths.front(), truths.front());
    }
    for (std::size_t index = 0; index < paths.size(); ++index) {
      if (!truths[index].name.constant()) jump(*paths[index].warp, truths[index].ready);
    }
    const Paths yes = where(paths, truths, true), no = where(paths, truths, false);
    if (!yes.empty()) body(node.body, yes);
    end_stretch(yes);
    forget(changed_by(node.body), paths);
    if (!no.empty()) body(node.otherwise, no);
    end_stretch(no);
    forget(changed_by(node.otherwise), paths);
    meet(paths);
  }

  void under_predicate(const ir::If& node, const Path& path, const Number& truth) {
    Mask yes = 0;
    each_lane(path.mask, [&](std::size_t lane) {
      if (truth.whole[lane] != 0) yes |= Mask{1} << lane;
    });
    Warp& warp = *path.warp;
    const Cycle guard = std::exchange(warp.guard, std::max(warp.guard, truth.ready));
    const bool before = std::exchange(predicated_, true);
    body(node.body, {{&warp, yes}});
    body(node.otherwise, {{&warp, path.mask & ~yes}});
    predicated_ = before;
    warp.guard = guard;
    warp.forget(changed_by(node.body));
    warp.forget(changed_by(node.otherwise));
  }

  // ---- loops ------------------------------------------------------------------------------------

  void while_loop(const ir::While& node, Paths paths) {
    const Changed changed = changed_by(node.body);
    end_stretch(paths);
    while (!paths.empty()) {
      forget(changed, paths);
      const std::vector<Number> truths = evaluate(node.condition, paths);
      for (std::size_t index = 0; index < paths.size(); ++index) {
        jump(*paths[index].warp, truths[index].ready);
      }
      paths = where(paths, truths, true);
      if (!paths.empty()) body(node.body, paths);
    }
  }

  void for_loop(const ir::For& node, const Paths& paths) {
    const std::vector<Number> begin = evaluate(node.begin, paths);
    const std::vector<Number> end = evaluate(node.end, paths);
    const std::vector<Number> step = evaluate(node.step, paths);
    const bool known = begin.front().name.constant() && end.front().name.constant() &&
                       step.front().name.constant();
    if (node.kind == ir::LoopKind::kLanes) return vector(node, paths.front(), end.front());
    if (node.kind == ir::LoopKind::kUnrolled && known) {
      return unrolled(node, paths, begin.front(), end.front(), step.front());
    }
    std::vector<Turn> turns;
    for (std::size_t index = 0; index < paths.size(); ++index) {
      turns.push_back({paths[index], begin[index], end[index], step[index]});
    }
    serial(node, std::move(turns));
  }

  void vector(const ir::For& node, const Path& path, const Number& end) {
    Warp& warp = *path.warp;
    warp.vector = static_cast<int>(end.whole[0]);
    for (warp.element = 0; warp.element < warp.vector; ++warp.element) {
      set_counter(node, path, constant(warp.element));
      body(node.body, {path});
    }
    warp.vector = 1;
    warp.element = 0;
  }

  void unrolled(const ir::For& node, const Paths& paths, const Number& begin, const Number& end,
                const Number& step) {
    for (std::int64_t at = begin.whole[0]; at < end.whole[0]; at += step.whole[0]) {
      for (const Path& path : paths) set_counter(node, path, constant(at));
      body(node.body, paths);
    }
  }

  // A warp in a loop.
  struct Turn {
    Path path;
    Number counter, end, step;

    Mask going_on() const {
      Mask mask = 0;
      each_lane(path.mask, [&](std::size_t lane) {
        if (counter.whole[lane] < end.whole[lane]) mask |= Mask{1} << lane;
      });
      return mask;
    }
    // Iterations of the lane that has most.
    std::int64_t left() const {
      std::int64_t most = 0;
      each_lane(path.mask, [&](std::size_t lane) {
        const std::int64_t span = end.whole[lane] - counter.whole[lane];
        most = std::max(most, (span + step.whole[lane] - 1) / step.whole[lane]);
      });
      return most;
    }
    // The counter goes on, but not before the first iteration, and is compared.
    void compare(bool steps) const {
      WarpClock& clock = path.warp->clock;
      const Cycle stepped = steps ? clock.issue(counter.ready, kWide) : counter.ready;
      jump(*path.warp, clock.issue(std::max(stepped, end.ready), kCompareWide));
    }
    void advance() {
      for (std::size_t lane = 0; lane < kLanes; ++lane) counter.whole[lane] += step.whole[lane];
      if (step.name.constant()) counter.name.added += step.whole[0];
    }
  };

  // A loop whose body does not branch is cut into stretches of several iterations.
  void serial(const ir::For& node, std::vector<Turn> turns) {
    const Changed changed = changed_by(node.body);
    const bool straight = turns.size() == 1 && is_straight(kernel_, node.body);
    const bool is_small = straight && is_small_body(kernel_, node.body);
    for (bool first = true;; first = false) {
      const std::int64_t left = turns.front().left();
      for (Turn& turn : turns) {
        turn.compare(!first);
        turn.path.mask = turn.going_on();
      }
      turns.erase(std::remove_if(turns.begin(), turns.end(),
                                 [](const Turn& turn) { return turn.path.mask == 0; }),
                  turns.end());
      if (turns.empty()) return;
      for (Turn& turn : turns) {
        turn.path.warp->forget(changed);
        turn.counter.name = turn.path.warp->fresh_name();
      }
      const bool stretches = straight && node.kind != ir::LoopKind::kRolled;
      const int together = stretches ? iterations_of_a_stretch(left, is_small) : 1;
      for (int count = 0; count < together; ++count) iteration(node, turns);
    }
  }

  void iteration(const ir::For& node, std::vector<Turn>& turns) {
    Paths paths;
    for (Turn& turn : turns) {
      turn.path.mask = turn.going_on();
      set_counter(node, turn.path, turn.counter);
      paths.push_back(turn.path);
    }
    body(node.body, paths);
    for (Turn& turn : turns) turn.advance();
  }

  static Number constant(std::int64_t value) {
    Number number;
    number.whole.fill(value);
    number.name = {0, value};
    return number;
  }
  static void set_counter(const ir::For& node, const Path& path, const Number& value) {
    path.warp->set(node.variable, value, path.mask, false);
  }

  // ---- phases -----------------------------------------------------------------------------------

  void barrier(const ir::Statement& statement, const Paths& paths) {
    const bool all = paths.size() == warps_.size() &&
                     std::all_of(paths.begin(), paths.end(),
                                 [](const Path& path) { return path.mask == kAllLanes; });
    if (!all) throw Unfit{"a barrier that not all threads come to"};
    end_phase(state_.lifted.place(statement).line);
  }

  PhaseCycles& phase() {
    for (PhaseCycles& each : result_.phases) {
      if (each.from_line == from_line_) return each;
    }
    result_.phases.emplace_back();
    result_.phases.back().from_line = from_line_;
    return result_.phases.back();
  }

  // The next one begins at that line.
  void end_phase(int line) {
    std::array<std::int64_t, kSchedulers> slots{}, multiplied{};
    Cycle chain = 0;
    for (std::size_t number = 0; number < warps_.size(); ++number) {
      WarpClock& clock = warps_[number].clock;
      clock.end_stretch();
      slots[number % kSchedulers] += clock.take_slots();
      multiplied[number % kSchedulers] += kProductTurn * warps_[number].take_products();
      chain = std::max(chain, clock.now() - began_);
    }
    const std::int64_t issue = *std::max_element(slots.begin(), slots.end());
    const std::int64_t requests = std::exchange(state_.requests, 0);
    const std::int64_t products = *std::max_element(multiplied.begin(), multiplied.end());
    const std::int64_t shared = std::max({issue, requests, products});
    const std::int64_t cycles = std::max(chain, shared) + kBarrier;
    const std::int64_t together = std::max(chain, shared * launch_.side_by_side) + kBarrier;
    PhaseCycles& now = phase();
    ++now.visits;
    now.cycles += cycles;
    now.cycles_of_all += together;
    now.chain += chain;
    now.issue += issue;
    now.requests += requests;
    now.products += products;
    result_.cycles += cycles;
    result_.cycles_of_all += together;
    began_ += cycles;
    for (Warp& warp : warps_) warp.clock.wait(began_);
    state_.caches.barrier();
    from_line_ = line;
  }

  const ir::Kernel& kernel_;
  const BlockLaunch& launch_;
  BlockState state_;
  std::vector<Warp> warps_;
  bool predicated_ = false;
  Cycle began_ = 0;
  int from_line_ = 0;
  BlockCycles result_;
};

}  // namespace

Result<BlockCycles> run_block(const verify::Lifted& lifted, const BlockLaunch& launch) {
  try {
    return Block(lifted, launch).run();
  } catch (const Unfit& unfit) {
    return Error{unfit.sentence};
  }
}

}  // namespace heddle::timing
