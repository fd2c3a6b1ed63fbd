// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/launch.hpp"

#include <algorithm>
#include <set>

#include "patterns/result.hpp"

namespace heddle::verify {
namespace {

const Integer kLargestSize(INT32_MAX);
const Integer kLargestBuffer(std::int64_t{1} << 48);
constexpr const char* kOffsets = "offsets";
constexpr const char* kStarts = "starts";

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
    launch_.lane_cuts = cuts.lanes;
    launch_.lane_place = cuts.groups ? launch_.lane_in_parts : Polynomial::atom(launch_.lane);
    length();
    sequence();
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
    if (name != kBoundsExtent) return;
    size("batch");
    const Term batch = facts_.term(launch_.extent("batch"));
    facts_.add(equal(facts_.term(launch_.extent(name)), batch + Term(1)));
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
    const bool varied = launch_.sizes.count("longest") != 0;
    const Polynomial sum =
        varied ? of("longest") : of("start") + (counted ? of("tokens") : Polynomial(1));
    launch_.length = number("length", Sharing::kLaunch, kLargestSize);
    facts_.add(equal(facts_.term(Polynomial::atom(launch_.length)), facts_.term(sum)));
    if (varied && launch_.sizes.count("start") != 0) {
      facts_.add(facts_.term(of("start")) <= facts_.term(of("longest")));
    }
    const auto heads = launch_.sizes.find("heads");
    if (heads == launch_.sizes.end()) return;
    Monomial row = {launch_.length, heads->second};
    std::sort(row.begin(), row.end());
    launch_.bounded.emplace_back(std::move(row), kLargestBuffer);
  }

  // Contents of arrays: any numbers of 32 bits.
  void sequence() {
    const auto axis = std::find(entry_.grid.begin(), entry_.grid.end(), "batch");
    if (axis == entry_.grid.end()) return;
    OwnSequence own;
    own.place = launch_.places[static_cast<std::size_t>(axis - entry_.grid.begin())];
    const auto content = [&](const char* name) {
      const AtomId id = facts_.fresh(name, Sharing::kBlock, Nature::kGiven);
      facts_[id].low = Integer(INT32_MIN);
      facts_[id].high = Integer(INT32_MAX);
      const Term value = facts_.term(Polynomial::atom(id));
      facts_.add(conjunction({value >= Term(INT32_MIN), value <= Term(INT32_MAX)}));
      return id;
    };
    for (const Argument& argument : entry_.arguments) {
      if (argument.name == kOffsets) {
        own.first = content("offset_of_sequence");
        own.behind = content("offset_behind_sequence");
      }
      if (argument.name == kStarts) own.before = content("start_of_sequence");
    }
    if (own.first || own.before) launch_.sequence = own;
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
    const Term count = facts_.term(Polynomial::atom(size->second));
    const Term length(entry_.chunk_tokens);
    // Of several sequences those of one that has as many tokens as any may.
    std::vector<Term> all = {facts_.term(Polynomial::atom(tokens->second))};
    const auto longest = launch_.sizes.find("longest");
    if (longest != launch_.sizes.end()) {
      all.push_back(facts_.term(Polynomial::atom(longest->second)));
    }
    std::vector<Term> holds;
    for (const Term& each : all) {
      holds.push_back(count * length >= each);
      facts_.add(disjunction({equal(count, 1), (count - Term(1)) * length < each}));
    }
    facts_.add(count >= 1);
    facts_.add(disjunction(holds));
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

std::optional<std::vector<AtomId>> Launch::parts_of_group(int lanes) const {
  const auto cut = std::find(lane_cuts.begin(), lane_cuts.end(), lanes);
  if (cut == lane_cuts.end()) return std::nullopt;
  return std::vector<AtomId>(lane_parts.begin() + (cut - lane_cuts.begin()) + 1, lane_parts.end());
}

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

std::optional<AtomId> Launch::of_sequence(const std::string& buffer,
                                          const Polynomial& index) const {
  if (!sequence) return std::nullopt;
  const Polynomial place = Polynomial::atom(sequence->place);
  if (buffer == kStarts && index == place) return sequence->before;
  if (buffer != kOffsets) return std::nullopt;
  if (index == place) return sequence->first;
  return index == place + Polynomial(1) ? sequence->behind : std::nullopt;
}

std::vector<Term> granted_of_sequence(const Facts& facts, const Launch& launch,
                                      const Renaming& rename) {
  if (!launch.sequence) return {};
  const auto of = [&](AtomId id) { return renamed(facts.term(Polynomial::atom(id)), rename); };
  const auto size = [&](const char* name) { return facts.term(launch.extent(name)); };
  const OwnSequence& own = *launch.sequence;
  std::vector<Term> result;
  Term before(0);
  if (own.before) {
    // From the first token on nobody need hand starts over.
    const Term start = size("start"), told = of(*own.before);
    before = told;
    result.push_back(implies(start >= 1, conjunction({told >= 0, told <= start})));
  }
  if (!own.first) return result;
  const Term first = of(*own.first), behind = of(*own.behind);
  result.push_back(conjunction({first >= 0, first <= behind, behind <= size("tokens")}));
  const Term longest = size("longest");
  result.push_back(behind - first <= longest);
  if (own.before) {
    result.push_back(implies(size("start") >= 1, before + behind - first <= longest));
  }
  return result;
}

std::vector<Term> sequences_apart(const Facts& facts, const Launch& launch, const Renaming& here,
                                  const Renaming& there) {
  std::vector<Term> result = granted_of_sequence(facts, launch, here);
  for (const Term& each : granted_of_sequence(facts, launch, there)) result.push_back(each);
  if (!launch.sequence) return result;
  const OwnSequence& own = *launch.sequence;
  const auto mine = [&](AtomId id) { return renamed(facts.term(Polynomial::atom(id)), here); };
  const auto others = [&](AtomId id) { return renamed(facts.term(Polynomial::atom(id)), there); };
  std::vector<Term> same;
  for (const std::optional<AtomId>& each : {own.first, own.behind, own.before}) {
    if (each) same.push_back(equal(mine(*each), others(*each)));
  }
  result.push_back(implies(equal(mine(own.place), others(own.place)), conjunction(same)));
  if (!own.first) return result;
  result.push_back(
      implies(mine(own.place) < others(own.place), mine(*own.behind) <= others(*own.first)));
  result.push_back(
      implies(others(own.place) < mine(own.place), others(*own.behind) <= mine(*own.first)));
  return result;
}

Launch make_launch(Facts& facts, const KernelEntry& entry, const Contract& contract,
                   const Cuts& cuts) {
  return Maker(facts, entry).run(contract, cuts);
}

}  // namespace heddle::verify
