// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/chunk_entries.hpp"

#include <vector>

#include "codegen/rows/emit_row.hpp"
#include "patterns/expression.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::Type;
using ir::Var;

namespace {

constexpr std::int64_t kRowsEnd = std::int64_t{1} << 31;  // rows lie below

}  // namespace

std::optional<int> terms_of_all_rows(const KernelSpec& spec, int most) {
  const auto& lattice = std::get<rows::LatticeLeaf>(spec.b.leaves.front());
  const Evaluator evaluator(spec.pattern);
  for (int terms = 0; terms <= most; ++terms) {
    const Result<Integer> next = evaluator.call(lattice.function, terms);
    if (!next) return std::nullopt;
    if (*next >= Integer(kRowsEnd)) return terms;
  }
  return std::nullopt;
}

ChunkEntries::ChunkEntries(Frame& frame, const SideFrame& side, int terms)
    : frame_(frame),
      builder_(frame.builder),
      side_(side),
      terms_(terms),
      rows_(frame.spec.staging->chunk_rows + 1) {
  const std::optional<int> all = terms_of_all_rows(frame.spec);
  complete_ = all && *all <= terms;
  f_ = builder_.array("term_f", Type::kI64, terms, true);
  a_ = builder_.array("term_a", Type::kI64, terms, true);
  cells_ = builder_.array("cells", Type::kI64, rows_ * terms, true);
}

void ChunkEntries::open() {
  builder_.comment("the terms that the last row has, and every row before it has some of");
  const Var count = builder_.variable("count", builder_.i64(0));
  rows::emit_lattice_terms(
      builder_, frame_.spec.pattern, *side_.plan, frame_.start + frame_.tokens, [&](Ex f, Ex a) {
        builder_.when(both(equal(frame_.thread, builder_.i64(0)), Ex(count) < terms_), [&] {
          builder_.store(f_, count, f);
          builder_.store(a_, count, a);
        });
        builder_.assign(count, Ex(count) + 1);
      });
  const Ex counted = builder_.let("counted", count);
  if (complete_) {
    listed_ =
        builder_.let("terms", builder_.call(Helper::kMinimum, {counted, builder_.i64(terms_)}));
    return;
  }
  fits_ = builder_.let("fits", counted < terms_ + 1);
  listed_ = builder_.let("terms", builder_.select(fits_, counted, builder_.i64(0)));
}

void ChunkEntries::look_up(RowGroups& groups, Ex before, const std::function<Ex(Ex)>& find) {
  builder_.comment(
      "what the chunk's rows read, and the row behind it: positions and where they are");
  groups.each_row("r", builder_.i64(0), builder_.i64(rows_), [&](Ex r) {
    const Ex row = builder_.let("i", before + r + 1);
    builder_.loop(
        "number", groups.lane(), listed_, builder_.i64(groups.sharing()), ir::LoopKind::kSerial,
        [&](Ex number) {
          const Ex f = builder_.let("f", builder_.load(f_, number));
          const Ex a = builder_.let(
              "a", builder_.call(Helper::kMaximum, {builder_.i64(1), builder_.load(a_, number)}));
          const Ex p = builder_.let(
              "p", builder_.select(f < row, a * builder_.call(Helper::kCeilDivide, {row - f, a}),
                                   builder_.i64(0)));
          builder_.store(cells_, cell(r, number), p * kCellPlaces + find(p) + 1);
        });
  });
}

void ChunkEntries::each(Ex r, Ex row, const std::function<void(Ex, Ex)>& take,
                        const std::function<void()>& walk) {
  if (complete_) return each_cell(r, row, take);
  builder_.when(
      fits_, [&] { each_cell(r, row, take); }, walk);
}

void ChunkEntries::each_cell(Ex r, Ex row, const std::function<void(Ex, Ex)>& take) {
  const Var above = builder_.variable("above", row);
  const Var number = builder_.variable("number", builder_.i64(0));
  const Var more = builder_.variable("more", builder_.truth(true));
  builder_.repeat_while(both(Ex(number) < listed_, more), [&] {
    const Ex found = builder_.let("cell", builder_.load(cells_, cell(r, number)));
    const Ex p = builder_.let("p", found / kCellPlaces);
    builder_.assign(number, Ex(number) + 1);
    builder_.assign(more, p > 0);
    builder_.when(both(p > 0, p < above), [&] {
      builder_.assign(above, p);
      take(p, builder_.let("candidate", found % kCellPlaces - 1));
    });
  });
}

void ChunkEntries::each_ahead(const Ahead& ahead, Ex r, Ex row,
                              const std::function<void(Ex, Ex)>& take,
                              const std::function<void()>& walk) {
  if (complete_) return each_cell_ahead(ahead, r, row, take);
  builder_.when(
      fits_, [&] { each_cell_ahead(ahead, r, row, take); }, walk);
}

// Cells wait in a queue; 0 stands for none.
void ChunkEntries::each_cell_ahead(const Ahead& ahead, Ex r, Ex row,
                                   const std::function<void(Ex, Ex)>& take) {
  const Var above = builder_.variable("above", row);
  const Var number = builder_.variable("number", builder_.i64(0));
  const Var next = builder_.variable("next", builder_.i64(0));
  const auto find = [&] {
    builder_.assign(next, builder_.i64(0));
    builder_.repeat_while(both(Ex(number) < listed_, equal(next, builder_.i64(0))), [&] {
      const Ex found = builder_.let("cell", builder_.load(cells_, cell(r, number)));
      const Ex p = builder_.let("p", found / kCellPlaces);
      builder_.assign(number, Ex(number) + 1);
      builder_.when(
          p > 0,
          [&] {
            builder_.when(p < above, [&] {
              builder_.assign(above, p);
              builder_.assign(next, found);
            });
          },
          [&] { builder_.assign(number, listed_); });
    });
  };
  std::vector<Var> queue;
  for (int place = 0; place < ahead.most; ++place) {
    find();
    queue.push_back(builder_.variable("waiting", next));
    ahead.first(place, Ex(next) > 0);
  }
  const Var taken = builder_.variable("taken", builder_.i64(0));
  builder_.repeat_while(Ex(queue[0]) > 0, [&] {
    find();
    ahead.next(builder_.let("asked", Ex(taken) + ahead.most), Ex(next) > 0);
    const Ex found = builder_.let("found_cell", queue[0]);
    take(builder_.let("p", found / kCellPlaces),
         builder_.let("candidate", found % kCellPlaces - 1));
    for (std::size_t place = 1; place < queue.size(); ++place) {
      builder_.assign(queue[place - 1], queue[place]);
    }
    builder_.assign(queue.back(), next);
    builder_.assign(taken, Ex(taken) + 1);
  });
}

}  // namespace heddle::schedule
