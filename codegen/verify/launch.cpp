// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/launch.hpp"

#include <algorithm>
#include <set>

#include "patterns/result.hpp"

namespace heddle::verify {
namespace {

const Integer kLargestSize(INT32_MAX);
const Integer kLargestBuffer(std::int64_t{1} << 48);

bool is_decimal(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

class Maker {
 public:
  Maker(Facts& facts, const KernelEntry& entry) : facts_(facts), entry_(entry) {}

  Launch run(const Contract& contract, const Cuts& cuts) {
    for (const Argument& argument : entry_.arguments) {
      if (argument.kind == ArgumentKind::kSize) size(argument.name);
      if (argument.kind != ArgumentKind::kBuffer) continue;
      for (const std::string& extent : argument.shape) size(extent);
    }
    for (const std::string& extent : entry_.grid) size(extent);
    grid();
    launch_.warp = number("warp", Sharing::kThread, entry_.threads / 32 - 1);
    launch_.lane = number("lane", Sharing::kThread, 31);
    launch_.warp_in_parts = take_apart(launch_.warp, "warp", cuts.warps, launch_.warp_parts);
    launch_.lane_in_parts = take_apart(launch_.lane, "lane", cuts.lanes, launch_.lane_parts);
    launch_.lane_place = cuts.groups ? launch_.lane_in_parts : Polynomial::atom(launch_.lane);
    length();
    for (const Argument& argument : entry_.arguments) {
      if (argument.kind == ArgumentKind::kBuffer) bound(argument.shape, kLargestBuffer);
    }
    bound(entry_.grid, kLargestSize);
    slots(contract.slots_a, "slots_a");
    slots(contract.slots_b, "slots_b");
    columns(contract.width_a, "width_a");
    columns(contract.width_b, "width_b");
    for (const SharedRows& rows : entry_.shared_rows) shared(rows);
    chunks();
    products_with_chunks();
    return std::move(launch_);
  }

 private:
  AtomId number(const std::string& name, Sharing sharing, const Integer& high) {
    const AtomId id = facts_.fresh(name, sharing, Nature::kGiven);
    facts_[id].low = Integer(0);
    facts_[id].high = high;
    facts_.add(facts_.term(Polynomial::atom(id)) >= 0);
    facts_.add(facts_.term(Polynomial::atom(id)) <= Term(high));
    return id;
  }
  void size(const std::string& name) {
    if (is_decimal(name) || launch_.sizes.count(name) != 0) return;
    launch_.sizes[name] = number(name, Sharing::kLaunch, kLargestSize);
  }

  // blockIdx.x counts the grid like an array, the last axis fastest.
  void grid() {
    for (const std::string& extent : entry_.grid) {
      const AtomId place = number("place_in_" + extent, Sharing::kBlock, kLargestSize - Integer(1));
      const Polynomial count = launch_.extent(extent);
      facts_.add(facts_.term(Polynomial::atom(place)) < facts_.term(count));
      launch_.places.push_back(place);
      launch_.grid.push_back(count);
      launch_.block = launch_.block * count + Polynomial::atom(place);
    }
  }

  // A place of a power of two as a sum of parts, each of which divides by the cuts without a rest
  // or not at all.
  Polynomial take_apart(AtomId place, const std::string& name, const std::vector<int>& cuts,
                        std::vector<AtomId>& parts) {
    if (cuts.empty()) return Polynomial::atom(place);
    const std::int64_t size = (*facts_[place].high + Integer(1)).to_int64().value();
    Polynomial sum;
    for (std::size_t index = 0; index <= cuts.size(); ++index) {
      const std::int64_t from = index == 0 ? 1 : cuts[index - 1];
      const std::int64_t to = index < cuts.size() ? cuts[index] : size;
      assert_that(from < to && to % from == 0, "a place is cut at ascending powers of two");
      const std::string part =
          index == 0 ? "_in_" + std::to_string(to) : "_by_" + std::to_string(from);
      parts.push_back(number(name + part, Sharing::kThread, to / from - 1));
      sum = sum + Polynomial(from) * Polynomial::atom(parts.back());
    }
    facts_.add(equal(facts_.term(Polynomial::atom(place)), facts_.term(sum)));
    return sum;
  }

  void length() {
    const auto of = [&](const char* name) {
      const auto size = launch_.sizes.find(name);
      return size == launch_.sizes.end() ? Polynomial() : Polynomial::atom(size->second);
    };
    const bool counted = launch_.sizes.count("tokens") != 0;
    const Polynomial sum = of("start") + (counted ? of("tokens") : Polynomial(1));
    launch_.length = number("length", Sharing::kLaunch, kLargestSize);
    facts_.add(equal(facts_.term(Polynomial::atom(launch_.length)), facts_.term(sum)));
    const auto heads = launch_.sizes.find("heads");
    if (heads == launch_.sizes.end()) return;
    Monomial row = {launch_.length, heads->second};
    std::sort(row.begin(), row.end());
    launch_.bounded.emplace_back(std::move(row), kLargestBuffer);
  }

  void bound(const std::vector<std::string>& shape, const Integer& most) {
    Monomial product;
    Integer constant(1);
    for (const std::string& name : shape) {
      const Polynomial extent = launch_.extent(name);
      if (const auto value = extent.constant()) {
        constant = constant * *value;
      } else {
        product.push_back(launch_.sizes.at(name));
      }
    }
    std::sort(product.begin(), product.end());
    if (constant.sign() > 0) launch_.bounded.emplace_back(product, floor_div(most, constant));
  }

  void slots(const CacheLayout& layout, const std::string& name) {
    const auto size = launch_.sizes.find(name);
    if (size == launch_.sizes.end()) return;
    const Term have = facts_.term(Polynomial::atom(size->second));
    const Term length = facts_.term(Polynomial::atom(launch_.length));
    // A prefill from the first token on may do without slots: its caller wants no state.
    const auto start = launch_.sizes.find("start");
    const Term none =
        entry_.op == "prefill" && start != launch_.sizes.end()
            ? conjunction({equal(facts_.term(Polynomial::atom(start->second)), 0), equal(have, 0)})
            : disjunction({});
    const auto holds = [&](const Term& fact) { facts_.add(disjunction({none, fact})); };
    if (layout.retention == CacheRetention::kAll) holds(have >= length);
    if (layout.retention != CacheRetention::kNextRow || layout.steps.empty()) return;
    // The later steps are as true, but no index needs more than a first slot.
    const auto& [tokens, needed] = layout.steps.front();
    holds(implies(length >= tokens, have >= needed));
  }

  // A multiple of a number, and no more than the most: one multiple at least, unless a state may do
  // without. How many a launch takes of these is a matter of speed.
  void shared(const SharedRows& rows) {
    size(rows.size);
    const AtomId id = launch_.sizes.at(rows.size);
    const Term have = facts_.term(Polynomial::atom(id));
    facts_[id].high = Integer(rows.most);
    facts_.add(have <= Term(rows.most));
    const AtomId multiples = number(rows.size + "_by_" + std::to_string(rows.multiple),
                                    Sharing::kLaunch, Integer(rows.most / rows.multiple));
    const Term count = facts_.term(Polynomial::atom(multiples));
    facts_.add(equal(have, count * Term(rows.multiple)));
    launch_.multiples.push_back({id, rows.multiple, multiples});
    if (rows.slots.empty() && rows.most > 0) facts_.add(count >= 1);
  }

  // Chunks of so many tokens, as chunks_of has it: they hold all tokens, and the last one is not
  // empty unless it is the only one.
  void chunks() {
    const auto size = launch_.sizes.find("chunks");
    const auto tokens = launch_.sizes.find("tokens");
    if (entry_.chunk_tokens < 1 || size == launch_.sizes.end() || tokens == launch_.sizes.end()) {
      return;
    }
    if (launch_.sizes.count("longest") != 0) return;  // of one sequence, which may have fewer
    const Term count = facts_.term(Polynomial::atom(size->second));
    const Term all = facts_.term(Polynomial::atom(tokens->second));
    const Term length(entry_.chunk_tokens);
    facts_.add(count >= 1);
    facts_.add(count * length >= all);
    facts_.add(disjunction({equal(count, 1), (count - Term(1)) * length < all}));
  }

  // A product with chunks is bounded by the smallest buffer that has them rather than by one of
  // tokens, which are many times as many.
  void products_with_chunks() {
    const auto size = launch_.sizes.find("chunks");
    if (size == launch_.sizes.end()) return;
    const auto has_chunks = [&](const Monomial& product) {
      return std::count(product.begin(), product.end(), size->second) != 0;
    };
    std::stable_sort(launch_.bounded.begin(), launch_.bounded.end(),
                     [&](const auto& a, const auto& b) {
                       if (!has_chunks(a.first)) return false;
                       return !has_chunks(b.first) || a.second < b.second;
                     });
  }

  // columns >= the sum of counts #{k >= 0 : at(k) < length}, each at most `most`.
  void columns(const RowWidth& width, const std::string& name) {
    const auto size = launch_.sizes.find(name);
    if (size == launch_.sizes.end() || width.parts.empty()) return;
    const Term length = facts_.term(Polynomial::atom(launch_.length));
    Columns columns;
    Polynomial sum;
    std::set<AtomId> owners = {size->second};
    for (const EntryCount& count : width.parts) {
      const AtomId part = number("entries", Sharing::kLaunch, kLongestSequence);
      columns.parts.emplace_back(part, &count);
      owners.insert(part);
      const Polynomial entries = Polynomial::atom(part);
      sum = sum + entries;
      // Known where columns are spoken of, since everything speaks of the length.
      const auto holds = [&](const Term& fact) {
        const Term all =
            count.most > 0 ? disjunction({fact, facts_.term(entries) >= Term(count.most)}) : fact;
        facts_.add(part, nullptr, all);
      };
      for (std::size_t k = 0; k < count.listed.size(); ++k) {
        holds(implies(length > Term(count.listed[k]),
                      facts_.term(entries) >= Term(static_cast<std::int64_t>(k) + 1)));
      }
      if (!count.listed.empty()) continue;
      const auto& [c0, c1, c2] = count.polynomial;
      const Polynomial at =
          Polynomial(c0) + Polynomial(c1) * entries + Polynomial(c2) * entries * entries;
      holds(facts_.term(at) >= length);
    }
    facts_.add(owners, nullptr, facts_.term(Polynomial::atom(size->second)) >= facts_.term(sum));
    launch_.columns.push_back(std::move(columns));
  }

  Facts& facts_;
  const KernelEntry& entry_;
  Launch launch_;
};

}  // namespace

Polynomial Launch::extent(const std::string& name) const {
  if (is_decimal(name)) return Polynomial(Integer::parse(name).value_or(Integer(0)));
  const auto size = sizes.find(name);
  assert_that(size != sizes.end(), "an extent that no buffer has");
  return Polynomial::atom(size->second);
}

Polynomial Launch::extent_of(AtomId place) const {
  const auto axis = std::find(places.begin(), places.end(), place);
  assert_that(axis != places.end(), "a place of a block lies on an axis of the grid");
  return grid[static_cast<std::size_t>(axis - places.begin())];
}

Launch make_launch(Facts& facts, const KernelEntry& entry, const Contract& contract,
                   const Cuts& cuts) {
  return Maker(facts, entry).run(contract, cuts);
}

}  // namespace heddle::verify
