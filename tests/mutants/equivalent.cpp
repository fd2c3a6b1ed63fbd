// SPDX-License-Identifier: Apache-2.0
// Mutants that compute what the original does, each with the reason. A rule matches one line of one
// rule of the mutator; whatever matches none is a hole in the verifier.
#include <algorithm>
#include <regex>
#include <sstream>

#include "tests/mutants/study.hpp"

namespace heddle::mutants {
namespace {

struct Argument {
  const char* rule;  // regular expressions, to be matched as a whole
  const char* before;
  const char* after;
  const char* reason;
  const char* kernel = ".*";           // the subject it holds for
  const char* context = "";            // to be found in the six lines from the mutated one on
  enum { kAny, kFirst } which = kAny;  // of the lines that read like it in this context
};

// Side b keeps its next row; the positions that row reads lie up to the last token, and a launch
// with fewer slots than that is refused by launch_check.
constexpr const char* kSlotGuard = R"(if \(p(_\d)? <= last_token && used < slots_b\) \{)";
constexpr const char* kSlotReason =
    "the guard is always true: the next row of B reads positions up to the last token, and a "
    "launch "
    "has a slot for each";

const Argument kArguments[] = {
    {"swap_sign", R"(const Index d = lane \+ part \* 32;)", R"(const Index d = lane - part \* 32;)",
     "lanes without a channel clear sums that nobody reads", R"(log_recurrence decode .*)",
     R"(^.*\n.*\n\s*mixed\[part\] = 0\.0f;)"},
    {"off_by_one_constant", R"(Index f_1 = 2;)", R"(Index f_1 = 3;)",
     "the arrays of a lattice have room for one more term, and its rows need no more slots than "
     "there are terms",
     R"(fibonacci_cached backward cpu .*)", R"(terms \+= 1;)", Argument::kFirst},
    {"wrong_real_constant|ir_wrong_real", R"(decays\[r\] = start \+ token > 0 \? .* : 0\.0f;)",
     R"(.* : 1\.0f;)",
     "before the first row of a sequence stands zero, whatever it is multiplied by",
     R"(.* scan .*)"},
    {"reversed_threads", R"(if \(thread == 64\) \{)", ".*",
     "another thread, but exactly one, goes over what all wait for", R"(.* tensor)",
     R"(entering = 1\.0f;)"},
    {"reversed_threads", R"(const Index d = thread \+ part \* 128;)", ".*",
     "each channel still has exactly one thread, and all wait for each other behind the sums",
     R"(.* backward cuda softmax .*)", R"(^.*\n.*\n\s*dk\[at \+ d\] = to_b?f16\(scratch_dk)"},
    {"ir_lost_operand", R"(const bool around = tokens \* heads >= .*)", ".*",
     "whether stores go around the caches changes no value", R"(.* cpu .*)"},
    {"ir_statements_swapped", R"(for \(Index r = 0; r < rows; \+\+r\) \{)",
     R"(token = first \+ rows;)", "the loop counts from `first` and does not look at the token",
     R"(\w+_cached prefill cpu given .*)"},
    {"ir_statements_swapped", R"(if \(count == 32\) \{)", R"(p_2 -= 1;)",
     "what is pushed has its positions in a list", R"(.* backward cuda softmax .*)"},
    {"drop_statement|ir_statement_dropped", R"(highest = above;)", ".*",
     "outputs come behind inputs of the same positions, with the same keys: none scores higher",
     R"(chacal backward .*)", R"(p_2 -= 1;)"},
    {"ir_statements_swapped|confused_index", R"(if \(start < slots_a\) \{)",
     R"(if \(start < slots_b\) \{)", "a launch has a slot for every token on either side",
     R"(chacal decode .*)"},
    {"off_by_one_constant", R"(float\* const outputs = reserve<float>\(1, .*\);)",
     R"(.* = reserve<float>\(2, .*\);)", "memories of other numbers are other memories",
     R"(\w+_cached prefill cpu gated .*)"},
    {"off_by_one_constant", R"(zero_row<40>\(live_dkeys \+ to\);)",
     R"(zero_row<41>\(live_dkeys \+ to\);)",
     "the slot behind it begins with zeros, too, or is free, as the last one is",
     R"(\w+_cached backward cpu softmax .*)", "", Argument::kFirst},
    {"drop_statement|ir_statement_dropped", R"(above = p;)", ".*",
     "a list that is opened with a position twice has rows for both, and either is read",
     R"(.* staged)", "", Argument::kFirst},
    {"loosened_comparison", R"(if \(score(_\d)? > highest\) \{)",
     R"(if \(score(_\d)? >= highest\) \{)",
     "an equal score rescales by exp(0) = 1 and sets the maximum to what it is"},
    {"guard_always", kSlotGuard, R"(if \(true\) \{)", kSlotReason},
    {"and_to_or", kSlotGuard, R"(if \(p(_\d)? <= last_token \|\| used < slots_b\) \{)",
     kSlotReason},
    {"confused_index", kSlotGuard, R"(if \(p(_\d)? <= next_row && used < slots_b\) \{)",
     kSlotReason},
    {"less_to_less_equal", kSlotGuard, R"(if \(p(_\d)? <= last_token && used <= slots_b\) \{)",
     kSlotReason},
    {"loosened_comparison", R"(if \(held > 0\) \{)", R"(if \(held >= 0\) \{)",
     "no row reads position 0, so the search for it finds nothing, which is what skipping it says"},
    {"and_to_or", R"(if \(read_next > 0 && room > 0\) \{)",
     R"(if \(read_next > 0 \|\| room > 0\) \{)",
     "both hold: the row after the newest token reads it, in windows and in lattices with f(0) = "
     "1, "
     "and a launch has a slot for it"},
    {"hurry_barrier", R"(__syncthreads\(\);)", R"(before if \(lane == 0\) \{)",
     "it still separates the search for slots from their release, and what the block after it "
     "writes "
     "is read behind the next barrier only",
     R"(\w+_cached decode .*)"},
    {"ir_statement_dropped|confused_array", R"(prefetch_row<40>\(.*\);)", ".*",
     "what is fetched ahead changes no value"},
    {"ir_statements_swapped", R"(if \(next_2 == p\) \{)", R"(p = maximum\(next, next_2\);)",
     "a strided position leaves its list before it is visited instead of behind; a row begins with "
     "its own token, which that list does not have",
     "strided_attention .*"},
    {"delay_barrier", R"(__syncthreads\(\);)", R"(count = 0; / __syncthreads\(\);)",
     "the count is a thread's own, and all of its uses are before or behind both"},
    {"ir_statements_swapped", R"(if \(p(_\d)? < above(_\d)?\) \{)", R"(term(_\d)? \+= 1;)",
     "the position was computed before, and the branch does not look at the counter"},
    {"ir_statements_swapped", R"(entry \+= 1;)", R"(if \(p <= start\) \{)",
     "the coefficient was read before, and neither branch looks at the counter",
     R"(sqrt_cached prefill cuda linear f32)", R"(^.*\n\s*Index by_lane = 0;)"},
    {"less_to_less_equal", R"(for \(Index first = 0; first < chunk_tokens; first \+= 64\) \{)",
     R"(.* first <= chunk_tokens; .*)",
     "a round of no rows has gates of 1 and adds products of cleared rows", R"(.* scan \w+_sums)"},
    {"wrong_real_constant|ir_wrong_real", R"(carry\[part\] = 0\.0f;)", R"(.* = 1\.0f;)",
     "what comes from behind the last row is weighed by 0, as the coefficient of a row that is not",
     R"(.* backward .* scan \w+_backward_chain)", "", Argument::kFirst},
    {"wrong_real_constant|ir_wrong_real", R"(carry\[part\] = found > 0 \? (.*) : 0\.0f;)",
     R"(.* : 1\.0f;)", "a state holds what rows read, so that a search finds it", R"(.* scan .*)"},
    {"loosened_comparison", R"(if \(last \+ 16 > 0 && warp \* 16 < size\) \{)",
     R"(if \(last \+ 16 >= 0 && warp \* 16 < size\) \{)",
     "keys of which the last row of a warp's tile is the one before the first weigh nothing",
     R"(attention prefill cuda softmax .* tensor)"},
    {"accumulate_to_assign", R"(for \(Index d = thread; d < 40; d \+= 128\) \{)",
     R"(for \(Index d = thread; d < 40; d = 128\) \{)",
     "a thread has one of the 40 channels at most, and 128 is beyond them"},
    {"misread_number|ir_wrong_integer", R"(.* = maximum\(1, i - 63\);)",
     R"(.* = maximum\(1, i - 64\);)",
     "position i - 64 is read anyway, as the first of the strided ones", R"(strided_attention .*)"},
    {"less_to_less_equal|ir_loop_ends_late|off_by_one_constant|ir_wrong_integer",
     R"(for \(Index part = 0; part < [12]; \+\+part\) \{)",
     R"(for \(Index part = 0; part (<= [12]|< [23]|< [12] \+ 1); \+\+part\) \{)",
     "one part more has channels from 64 on, and what it does is guarded by d < 40", ".*",
     R"(if \(d < 40\) \{)"},
    {"ir_lost_operand", R"(const Index d = thread \+ part \* 128;)",
     R"(const Index d = thread( \+ part)?;)", "there is one part of the 40 channels, number 0"},
    {"reversed_threads", R"(for \(Index d = thread; d < 40; d \+= 128\) \{)",
     R"(for \(Index d = \(blockDim.x - 1 - thread\); d < 40; d \+= 128\) \{)",
     "the 128 threads change places one to one; each channel still has exactly one, and all wait "
     "for "
     "each other before and after"},
    {"(ir_)?guard_always", R"(if \(used < slots_b\) \{)", ".*",
     "a launch has a slot for every position that the next row reads"},
    {"ir_wrong_integer", R"(const Index row_after = length \+ 1;)", R"(.* length \+ 2;)",
     "there is room for one more term of the lattice, which no row of the launch reaches"},
    {"drop_factor|ir_lost_operand|confused_value",
     R"(total = total \* (?:__)?expf\(highest - above\) \+ .*)",
     R"(total = +((\w+ \* )?(?:__)?expf\(highest - above\) \+ )?(\(1\.0f - gamma\) \* )?(?:__)?expf\(score - above\);)",
     "a row of A has one entry, before which the highest score is the lowest there is, and the "
     "factor exp(lowest - score) = 0",
     R"((sqrt_cached|log_recurrence) backward cuda softmax .*)", "", Argument::kFirst},
    {"ir_wrong_helper", R"(const float above = fmaxf\(highest, score\);)",
     R"(const float above = score;)",
     "a row of A has one entry, before which the highest score is the lowest there is",
     R"((sqrt_cached|log_recurrence) backward cuda softmax .*)", "", Argument::kFirst},
    {"ir_wrong_operator", R"(mixed\[part\] = mixed\[part\] \* shrink;)",
     R"(mixed\[part\] = mixed\[part\] \+ shrink;)",
     "a row of A has one entry, before which the sum and exp(lowest - score) are zero",
     R"(sqrt_cached (prefill|decode) cuda softmax .*)", "", Argument::kFirst},
    {"accumulate_to_assign", R"(total \*= shrink;)", R"(total = shrink;)",
     "a row of A has one entry, before which the total and exp(lowest - score) are zero",
     R"(sqrt_cached (prefill|decode) cuda softmax .*)", "", Argument::kFirst},
    {"confused_value", R"(if \(score > highest\) \{)", R"(if \(total > highest\) \{)",
     "a row of A has one entry, before which both are above the lowest score",
     R"(sqrt_cached (prefill|decode) cuda softmax .*)", "", Argument::kFirst},
    {"ir_guard_always", R"(if \(score > highest\) \{)", ".*",
     "a row of A has one entry, which is above the lowest score",
     R"((fibonacci|sqrt)_cached (prefill|decode) cuda softmax .*)", "", Argument::kFirst},
    {"off_by_one_constant", R"(const Index low = maximum\(1, i - 63\);)",
     R"(const Index low = maximum\(0, i - 63\);)",
     "position 0 is what says that the window is at its end", R"(strided_attention .*)"},
    {"off_by_one_constant",
     R"(const Index rows = lattice_group_back\(lattice, journal, first \+ 1\);)",
     R"(const Index rows = lattice_group_back\(lattice, journal, first \+ 0\);)",
     "the last group is one row shorter, and its last row a group of its own"},
    {"and_to_or", R"(if \(row >= 0 && taken_for\[row\] == entry\) \{)", ".*",
     "a list is opened with no more positions than there are live rows", R"(.* staged)",
     R"(if \(p > 0 && p <= start\) \{)"},
    {"confused_index|drop_statement|ir_statement_dropped|less_to_less_equal|(ir_)?guard_always",
     R"(above(_\d)? = p(_\d)?;|if \(p(_\d)? < above(_\d)?\) \{)", ".*",
     "lattice positions of 2^k fall from one term to the next: that they do need not be asked",
     R"(log_cached .*)"},
    {"loosened_comparison", R"(if \(free > 0\) \{)", R"(if \(free >= 0\) \{)",
     "a list is opened with no more positions than there are live rows", R"(.* staged)", "",
     Argument::kFirst},
    {"turned_comparison", R"(if \(lane == 0\) \{)", R"(if \(lane <= 0\) \{)", "no lane is below 0"},
    {"confused_index", R"(dinitial_b_val\[from \+ d\] = dinitial_b_val\[from \+ d\] \+ .*)",
     R"(dinitial_b_val\[from \+ d\] = dinitial_b_val\[handed_at \+ d\] \+ .*)",
     "both are zero before a state's gradients are handed over", R"(.* state)",
     R"(\+ dfinal_b_val\[handed_at \+ d\];)"},
    {".*", R"(const Index later = at - token_stride \* 16;)", ".*",
     "what is fetched ahead changes no value", R"(.* backward cpu .*)"},
    {"loosened_comparison", R"(if \(r >= 0 && r < 32\) \{)", R"(if \(r > 0 && r < 32\) \{)",
     "what is not among the live rows is read from where it lies", R"(.* staged)"},
    {"reversed_threads", R"(if \(thread == (0|256)\) \{)",
     R"(if \(\(blockDim.x - 1 - thread\) == (0|256)\) \{)",
     "another thread, but exactly one, keeps up lists that all read behind a barrier",
     R"(.* staged)"},
    {"ir_wrong_integer|ir_loop_strides", R"(for \(Index e = 0; e < returned; \+\+e\) \{)",
     R"(for \(Index e = 0; e < returned; e \+= (2|1 \+ 1)\) \{)",
     "rows of the lattice of 2^k never get shorter, so that a step drops one position at most",
     R"(log_cached backward cpu .*)"},
    {"product_to_sum", R"(const Index next_f = f \* 2;)", R"(const Index next_f = f \+ 2;)",
     "there is room for more terms of the lattice than its rows need",
     R"(log_cached (prefill|backward) cpu .*)", "", Argument::kFirst},
    {"confused_index", R"(Index\* const reads_b = reserve<Index>\(0, i\);)",
     R"(Index\* const reads_b = reserve<Index>\(0, start\);)",
     "a row reads no more outputs than there are before it"},
    {".*", R"(if \(entries.* && held\[.*|entries \+= \d+;|(Index )?candidate = (-1|held_in\[.*);)",
     ".*",
     "a candidate is asked what it holds, and what is not among the live rows is read from where "
     "it lies",
     R"(.* staged)"},
    {"loosened_comparison", R"(while \(cursor < listed && (.*) > p\) \{)",
     R"(while \(cursor < listed && (.*) >= p\) \{)",
     "what is not among the live rows is read from where it lies", R"(.* staged)"},
    {"wrong_extent", R"(__shared__ float (weights|slopes)\[32\];)", R"(.*\[31\];)",
     "a list of 32 entries would take more tokens than arrays can have",
     R"(log_recurrence backward cuda softmax .*)"},
    {"hurry_barrier", R"(__syncthreads\(\);)",
     R"(before for \(Index piece = thread; piece < size \* 8; .*)",
     "a thread brings the next chunk's values to where it fetched outputs from",
     R"(linear_attention prefill cuda linear bf16 tensor)"},
    {"product_to_sum", R"(.* = reserve<float>\(\d, tokens \* 2\);)",
     R"(.* = reserve<float>\(\d, tokens \+ 2\);)",
     "a row has no more entries than there are tokens, and its own"},
    {"guard_always", R"(if \(held > 0\) \{)", R"(if \(true\) \{)",
     "no row reads position 0, so the search for it finds nothing, which is what skipping it says"},
    {"off_by_one_constant|ir_wrong_integer", R"(if \(lane == 0\) \{)", R"(if \(lane == 1\) \{)",
     "another lane, but exactly one, stores what all lanes of the warp know"},
    {"ir_statements_swapped", R"(keep_row<40>\(outputs \+ to, .*\);)",
     R"(keep_row<40>\(lambda \+ to, .*\);)", "outputs and their gradients are rows of their own"},
    {"wrong_real_constant|ir_wrong_real", R"((.*) = held(_\d)? \? (.*) : 0\.0f;)",
     R"((.*) = held(_\d)? \? (.*) : 1\.0f;)",
     "a state holds what rows read, so that a search finds it"},
    {"wrong_modulus", R"(const Index d = unit % 4 \* 16;)", R"(.* unit % 5 \* 16;)",
     "there are four units, one a warp", R"(linear_attention prefill cuda linear bf16 tensor)"},
    {"drop_statement|ir_statement_dropped", R"(mixed\[part\] = mixed\[part\] \* shrink;)", ".*",
     "a row of A has one entry, before which the sums are zero",
     R"((sqrt|fibonacci)_cached (prefill|decode) cuda softmax .*)", "", Argument::kFirst},
    {"wrong_modulus", R"(const Index row_tile = warp % 4;)", R"(.* = warp % 5;)",
     "a block has four warps", R"(linear_attention prefill cuda linear bf16 tensor)"},
    {"guard_negated", R"(if \(d < 40\) \{)", ".*",
     "a row of A has one entry, before which the sums that are rescaled are zero",
     R"(\w+_cached (prefill|decode) cuda softmax .*)",
     R"(mixed\[part\] = mixed\[part\] \* shrink;)", Argument::kFirst},
    {"ir_statements_swapped", R"(push_rows<40>\(lambda, .*\);)", R"(send_row<40>\(dq \+ at, .*\);)",
     "gradients of outputs and of queries are rows of their own"},
    {"and_to_or", R"(if \(r >= 0 && r < 32\) \{)", ".*",
     "what is added to the live rows is of the chunk that ends", R"(.* staged)"},
    {"ir_statements_swapped", R"(while \(p_2 >= low_2\) \{)", R"(for \(Index slot = used; .*)",
     "slots that are cleared first are filled afterwards", R"(order_k_recurrence prefill cpu .*)"},
    {"(ir_)?guard_always", R"(if \(last < 63\) \{)", ".*",
     "a mask that leaves every position of a window changes nothing", R"(.* tensor)"},
    {"reversed_threads", R"(for \(Index d = thread; d < 64; d \+= 128\) \{)", ".*",
     "each channel still has exactly one thread, and all wait for each other before and after",
     R"(.* tensor)"},
    {"ir_lost_operand", R"(own_dq\[part\] = own_dq\[part\] \+ .*)",
     R"(own_dq\[part\] = slope \* .*)",
     "a row's input is the first of its entries, before which the sum is zero",
     R"(log_recurrence backward cuda softmax .*)",
     R"(slope \* to_float\(k\[from \+ d\]\);\n\s*scratch_dk)"},
    {"confused_array", R"(dinitial_b_key\[from \+ d\] = dinitial_b_key\[from \+ d\] \+ .*)",
     R"(dinitial_b_key\[from \+ d\] = dinitial_b_val\[from \+ d\] \+ .*)",
     "both are zero before a state's gradients are handed over", R"(.* state)",
     R"(\+ dfinal_b_key\[handed_at \+ d\];)"},
    {"(ir_)?guard_always|confused_index", R"(if \(held(_\d)?\) \{|held(_\d)? = found(_\d)? > 0;)",
     R"(if \(true\) \{|held(_\d)? = heads > 0;)",
     "a state holds what rows read, so that a search finds it"},
    {R"(ir_loop_\w+)", R"(for \(Index part = 0; part < 2; \+\+part\) \{)", ".*",
     "a free slot's contents mean nothing", ".*", R"(final_\w+\[to \+ d\] = (to_b?f16\()?0.0f)"},
    {"ir_statement_dropped", R"(if \(d < 40\) \{)", ".*", "a free slot's contents mean nothing",
     R"(\w+_cached prefill cuda .*)", R"(pos_base_b \+ slot\] = 0)"},
    {"wrong_modulus", R"(if \(used % (8|4) == warp\) \{)", R"(if \(used % (7|3) == warp\) \{)",
     "each entry still has exactly one of the warps"},
    {"loosened_comparison", R"(if \(live_row >= 0\) \{)", R"(if \(live_row > 0\) \{)",
     "what is not among the live rows is read from where it lies", R"(.* staged)"},
    {"drop_statement", R"(own_dx\[part\] = 0.0f;)", ".*",
     "a row reads its own input, whose gradient is stored over it",
     R"((sqrt_cached|log_recurrence) backward cuda softmax .*)"},
    {"off_by_one_constant", R"(terms \+= 1;)", R"(terms \+= 2;)",
     "there is room for more terms of the lattice than its rows need", R"(.* cpu .*)"},
    {"ir_statements_swapped", R"(total \*= shrink;)", R"(#pragma unroll)",
     "the total and the sums that the loop rescales are numbers of their own"},
    {"ir_statements_swapped", R"(#pragma unroll)", R"(if \(lane == 0\) \{)",
     "values and positions of a state are arrays of their own", ".*", R"(final_\w+\[to \+ d\] =)"},
    {"turned_comparison|(ir_)?guard_always", R"(if \(next == p\) \{)", ".*",
     "the strided positions come when those of the window, and `next` with them, are at an end",
     R"(strided_attention .*)"},
    {"add_to_subtract", R"(term(_\d)? \+= 1;)", R"(term(_\d)? -= 1;)",
     "the function is k^2 + 1, which is the same for -k", R"(sqrt_cached .*)"},
    {"ir_loop_starts_late|ir_loop_ends_early|off_by_one_constant",
     R"(for \(Index part = 0; part < 1; \+\+part\) \{)", ".*",
     "a free slot's contents mean nothing", ".*", R"(final_\w+\[to \+ d\] = (to_b?f16\()?0.0f)"},
    {"ir_statements_swapped", R"(total \+= weight;)",
     R"(#pragma unroll|if \(p(_\d)? > final_to\) \{)",
     "the total and the sums of the same weight are numbers of their own"},
    {"swap_sign|add_to_subtract|product_to_sum",
     R"(const Index from = token_base \+ \(p - 1\) \* token_stride;)", ".*",
     "what is fetched ahead changes no value", ".* cpu .*", R"(prefetch_row<40>\(y \+ from\);)"},
    {"loosened_comparison|ir_wrong_operator", R"(.*total_of_all > 0\.0f \? .*)",
     R"(.*total_of_all >= 0\.0f \? .*)", "a row reads its own token, so that its total is not zero",
     R"(.* decode cuda softmax .*)"},
    {"(ir_)?guard_always|loosened_comparison", R"(if \(count > 0\) \{)",
     R"(if \((true|count >= 0)\) \{|__syncthreads\(\);)",
     "behind it nothing is done for a list of none", R"(.* backward cuda .*)"},
    {"loosened_comparison|guard_negated|ir_wrong_operator", R"(if \(count == 32\) \{)",
     R"(if \((count != 32|!\(count == 32\))\) \{)",
     "a list that is worked off after each of its entries gives the same sums in the same order",
     R"(.* backward cuda softmax .*)"},
    {"ir_loop_ends_early", R"(for \(Index part = 0; part < 1; \+\+part\) \{)", ".*",
     "inputs of all earlier tokens went before, with the keys of these outputs: none scores higher",
     R"(chacal prefill .*)", R"(mixed\[part\] = mixed\[part\] \* shrink;)"},
    {"ir_loop_ends_late", R"(for \(Index c = 0; c < r; \+\+c\) \{)", ".*",
     "no row reads its own output, so that the weight of it is zero", R"(.* prefill cuda .*)"},
    {"misread_number", R"(Index t = 1;)", R"(Index t = 0;)",
     "the position that is i itself is read by the window as well, and both lists give it up at "
     "once",
     R"(strided_attention .*)"},
    {"reversed_lanes",
     R"(for \(Index candidate = lane; candidate < slots_b; candidate \+= 32\) \{)",
     R"(for \(Index candidate = \(31 - lane\); .*)",
     "each slot still has exactly one lane of the warp, and all learn what one of them finds"},
    {".*", R"((ask_for_(weights|page_before)|prefetch_row<40>)\(.*\);)", ".*",
     "what is fetched ahead changes no value"},
    {".*", R"(for \(Index e = 0; e < ahead; \+\+e\) \{)", ".*",
     "what is fetched ahead changes no value", R"(.* backward cpu .*)",
     R"(lattice_ahead_position)"},
    {"(ir_)?guard_always|less_to_less_equal", R"(if \(p < above_2\) \{)", ".*",
     "it makes the list of what the next row reads, which is a set: a position may be in it twice",
     R"(\w+_cached decode cpu .*)", R"(keeps_b\[keeps_count_b\] = p;)"},
    {R"(repeat_statement|ir_loop_\w+|ir_wrong_integer)",
     R"(mixed\[part\] = mixed\[part\] \* shrink;|for \(Index part = 0; part < 2; \+\+part\) \{)",
     ".*", "a row of A has one entry, before which all sums are zero",
     R"((sqrt|fibonacci)_cached (prefill|decode) cuda softmax .*)",
     R"(mixed\[part\] = mixed\[part\] \* shrink;)", Argument::kFirst},
    {"confused_value", R"(const float shrink = (?:__)?expf\(highest - score\);)", ".*",
     "inputs of all earlier tokens went before, with the keys of these outputs: none scores higher",
     R"(chacal prefill .*)"},
    {"ir_lost_operand", R"(const Index d = lane \+ part \* 32;)", R"(const Index d = lane;)",
     "lanes without a channel rescale sums that nobody reads", ".*",
     R"(mixed\[part\] = mixed\[part\] \* shrink;)"},
    {"(ir_)?guard_always", R"(if \(d < 40\) \{)", ".*",
     "threads without a channel store to a place of their own that nobody reads",
     R"(.* backward cuda softmax .*)", R"(own_\w+\[part\] = )"},
    {"(ir_)?guard_always", R"(if \(start < slots_[ab]\) \{)", ".*",
     "a launch has a slot for every token", R"((strided_attention|log_recurrence) decode .*)"},
    {"ir_statement_dropped|ir_store_elsewhere", R"(final_\w+\[to \+ d\] = (to_b?f16\()?0.0f\)?;)",
     ".*", "a free slot's contents mean nothing"},
    {"ir_wrong_helper", R"((a(_\d)?) \*= ceil_div\(next_f - (f(_\d)?), \1\);)",
     R"((a(_\d)?) \*= floor_div\(next_f - (f(_\d)?), \1\);)",
     "the gaps of 2^k are multiples of the strides before them", R"(log_cached .*)"},
    {"accumulate_to_assign|drop_factor", R"(total (\+|\*)= (weight|shrink);)", ".*",
     "a row of A has one entry, before which the total is zero", R"(sqrt_cached decode cuda .*)",
     R"(mixed\[part\] \+ weight \* x\[at \+ d\];)"},
    {"loosened_comparison|(ir_)?guard_always", R"(if \(read_next > 0 && room > 0\) \{)",
     R"(if \((read_next >= 0 && room > 0|true)\) \{|const Index slot = slots_b - room;)",
     "the row after the newest token reads it, so that the position is above zero",
     R"((order_k_recurrence|\w+_cached) decode .*)"},
    {"ir_wrong_integer|off_by_one_constant", R"(Index terms = 0;)", R"(Index terms = 1;)",
     "there is room for one more term of the lattice than its rows need", R"(.* cpu .*)"},
    {"reversed_threads", R"(const Index d = thread \+ part \* 128;)",
     R"(const Index d = \(blockDim.x - 1 - thread\) \+ part \* 128;)",
     "the threads change places one to one; each channel still has exactly one, and all wait for "
     "each other before any of it is read",
     R"(.* backward cuda softmax .*)", R"(scratch_lambda\[at \+ d\] = dy\[at \+ d\];)"},
    {"hurry_barrier", R"(__syncthreads\(\);)", R"(before for \(Index d = thread; d < 40; .*)",
     "behind the loop one thread looks at lists of positions, which the loop does not touch, and "
     "the next barrier comes before rows move",
     R"(\w+_cached prefill cuda \w+ \w+ staged)"},
    {"and_to_or", R"(if \(p > 0 && p <= start\) \{)", R"(if \(p > 0 \|\| p <= start\) \{)",
     "both hold: what is opened with is read of the initial state", R"(.* staged)"},
    {"add_to_subtract", R"(entry \+= 1;)", R"(entry -= 1;)",
     "a row of A has one entry, behind which nothing asks for the next one", R"(\w+_cached .*)"},
    {"and_to_or", R"(if \(last \+ 16 > 0 && warp \* 16 < size\) \{)", ".*",
     "rows behind the last are cleared, and what comes of them is stored nowhere", R"(.* tensor)"},
    {"wrong_real_constant|ir_wrong_real", R"(own_dx\[part\] = 0.0f;)", R"(own_dx\[part\] = 1.0f;)",
     "a row reads its own input, whose gradient is stored over it",
     R"((sqrt_cached|log_recurrence) backward cuda softmax .*)"},
    {"reversed_threads", R"(const Index d = thread \+ part \* 128;)",
     R"(const Index d = \(blockDim.x - 1 - thread\) \+ part \* 128;)",
     "each channel still has exactly one thread, and what it stores is zero", ".*",
     R"(dcoef_\w\[\w+ \+ d\] = (to_b?f16\()?0.0f)"},
    // Statements that do not touch what the other reads or writes.
    {"ir_statements_swapped", R"(own_dq\[part\] = own_dq\[part\] \+ .*)", R"(if \(before\) \{)",
     "sums over keys are a row's own; the branch adds to those of others"},
    {"ir_statements_swapped", R"(send_row<40>\(dx \+ at, dinput, .*\);)", R"(if \(token > 0\) \{)",
     "the branch makes ready for the next row and does not look at this row's input",
     R"(.* backward cpu softmax .*)"},
    {"ir_statements_swapped", R"(column\[s\] = next;)", R"(sum \+= .* \* next;)",
     "a state and a sum that reads the same number are numbers of their own"},
    {"ir_statements_swapped", R"(keep_row<40>\(values, x \+ token_base\);)",
     R"(for \(Index e = 0; e < reads_count_b; \+\+e\) \{)",
     "the row's own input is the first of the values, outputs are the others",
     R"(\w+_cached decode cpu .*)"},
    {"ir_statements_swapped", R"(send_row<40>\(final_b_val \+ .*\);)", R"(final_b_pos\[.*\] = .*;)",
     "positions and values of a state are arrays of their own"},
    {"ir_statements_swapped", R"(dcoef_a\[coef_at_2\] = slope;)", R"(for \(Index rest = 1; .*)",
     "the loop stores behind the place of the other"},
    {"ir_statements_swapped", R"(keep_row<40>\(live_keys \+ slot_at, k \+ at\);)",
     R"(close_row<40>\(.*)", "keys and outputs are rows of their own"},
    {"loosened_comparison", R"(scratch_inverse\[.*\] = total > 0\.0f \? .*)",
     R"(.* = total >= 0\.0f \? .*)", "a row reads its own input, so that its total is not zero",
     R"((sqrt_cached|log_recurrence) backward cuda softmax .*)"},
    {"ir_statements_swapped", R"(#pragma GCC ivdep)", R"(if \(start < slots_b\) \{)",
     "an output and the state that the cache keeps are numbers of their own",
     R"(.* decode cpu linear .*)"},
    {"wrong_extent", R"(__shared__ Index places\[32\];)", R"(__shared__ Index places\[31\];)",
     "rows of 2^k have 32 entries from token 2^30 on",
     R"(log_recurrence backward cuda softmax .*)"},
    {"loosened_comparison|ir_wrong_operator", R"(if \((own_)?start > 0\) \{)",
     R"(if \((own_)?start >= 0\) \{)",
     "the first row of a lattice reads nothing, so that there is nothing to bring",
     R"(\w+_cached prefill cpu .*)", R"(lattice_positions\(lattice\);)"},
    {"loosened_comparison|ir_wrong_operator", R"(if \(before > 0\) \{)", R"(if \(before >= 0\) \{)",
     "a window without positions is cleared, and no row looks at it",
     R"(dense_recurrence prefill cuda .* tensor)"},
    {"ir_statements_swapped", R"(while \(f < i\) \{)", R"(for \(Index rest = (size|entry\w*); .*)",
     "zeros that come first are overwritten by the entries of the row",
     R"(.* backward cpu linear .*)"},
    {"confused_value", R"(total = total \* (?:__)?expf\(highest - above\) \+ gamma \* .*)",
     R"(total = total \* (?:__)?expf\(highest - highest\) \+ gamma \* .*)",
     "outputs come behind inputs of the same positions, with the same keys: none scores higher",
     R"(chacal backward .*)"},
    {"delay_barrier", R"(__syncthreads\(\);)", R"(product \*= left; / __syncthreads\(\);)",
     "the product is a thread's own"},
    // Which warp, thread or lane does a piece of work that is the same for all of them.
    {"reversed_lanes", R"(for \(Index (e|d) = lane; \1 < \d+; \1 \+= 32\) \{)",
     R"(for \(Index (e|d) = \(31 - lane\); .*)",
     "each term of a sum still has exactly one lane of the warp, and all of them get the sum",
     R"(.* backward cuda linear .*)", R"(_of_all = warp_sum\()"},
    {"reversed_lanes", R"(const Index d = lane \+ part \* 32;)",
     R"(const Index d = \(31 - lane\) \+ part \* 32;)",
     "a row of A has one entry, before which the sums are zero",
     R"((sqrt_cached|log_recurrence) decode cuda softmax .*)",
     R"(mixed\[part\] = mixed\[part\] \* shrink;)", Argument::kFirst},
    {"off_by_one_constant|ir_wrong_integer", R"(Index turn(_\d)? = 0;)", R"(Index turn(_\d)? = 1;)",
     "the turn begins with another of the warps, and an entry adds the same whichever takes it"},
    {"drop_statement", R"(turn(_\d)? = \(turn(_\d)? \+ 1\) % 4;)", "",
     "one warp takes all entries, each of which adds the same whichever of them takes it"},
    {"wrong_modulus|ir_wrong_integer", R"(if \(count % 4 == warp\) \{)",
     R"(if \(count % 3 == warp\) \{)",
     "each entry still has exactly one of the four warps, and adds the same whichever it is"},
    {"ir_wrong_integer", R"(turn(_\d)? = \(turn(_\d)? \+ 1\) % 4;)",
     R"(turn(_\d)? = \(turn(_\d)? \+ 1\) % 3;)",
     "the turn stays among the four warps, and an entry adds the same whichever of them takes it"},
    {"ir_statements_swapped", R"(if \(turn(_\d)? == warp\) \{)",
     R"(turn(_\d)? = \(turn(_\d)? \+ 1\) % 4;)",
     "the turn goes on before instead of behind: another warp takes the entry, but exactly one"},
    {"reversed_lanes", R"(for \(Index rest = entry(_\d)? \+ lane; rest < (\w+); rest \+= 32\) \{)",
     R"(for \(Index rest = entry(_\d)? \+ \(31 - lane\); .*)",
     "each place still has exactly one lane, and what it stores there is zero", ".*",
     R"(\[\w+ \+ rest\] = (to_b?f16\()?0.0f)"},
    {"wrong_modulus|division_to_remainder", R"(turn(_\d)? = \(turn(_\d)? \+ 1\) % 4;)",
     R"(turn(_\d)? = \(turn(_\d)? \+ 1\) (% 3|/ 4);)",
     "the turn stays among the four warps, and an entry adds the same whichever of them takes it"},
    {"reversed_threads", R"(if \(stored_b && thread == 0\) \{)",
     R"(if \(stored_b && \(blockDim.x - 1 - thread\) == 0\) \{)",
     "another thread, but exactly one, stores what all know"},
    {"reversed_threads", R"(for \(Index slot = thread; slot < slots_b; slot \+= 128\) \{)",
     R"(for \(Index slot = \(blockDim.x - 1 - thread\); slot < slots_b; slot \+= 128\) \{)",
     "each slot still has exactly one thread, and the largest room is taken over all of them"},
    {"reversed_lanes", R"(const Index d = lane \+ part \* 32;)",
     R"(const Index d = \(31 - lane\) \+ part \* 32;)",
     "each channel of the state is still copied by exactly one lane, which reads what it writes",
     ".*", R"(final_\w+\[to \+ d\] =)"},
    {"confused_index", R"(const Index d = lane \+ part \* 32;)",
     R"(const Index d = \w+ \+ part \* 32;)",
     "it guards the rescaling of sums before the first entry, which are zero",
     R"(\w+_cached decode .*)", R"(mixed\[part\] = mixed\[part\] \* shrink;)", Argument::kFirst},
    {"(ir_)?guard_always|less_to_less_equal", R"(if \(d < 40\) \{)", ".*",
     "lanes without a channel rescale sums that nobody reads", ".*",
     R"(mixed\[part\] = mixed\[part\] \* shrink;)"},
    {"loosened_comparison", R"(if \(place > 0\) \{)", R"(if \(place >= 0\) \{)",
     "a place is a position of an output, or minus one of an input, and never 0"},
    {"ir_wrong_place", R"(const Index warp = threadIdx.x / 32;)",
     R"(const Index warp = threadIdx.x % 32;)",
     "a block has one warp, of which lane 0 alone is asked",
     R"(linear_attention backward cuda .*)"},
    {"confused_index", R"(if \(d < 40\) \{)", R"(if \(\w+ < 40\) \{)",
     "lanes without a channel rescale sums that nobody reads", ".*",
     R"(mixed\[part\] = mixed\[part\] \* shrink;)"},
    {"less_to_less_equal", R"(while \(f_2 < next_row && (.*) >= held \+ 1\) \{)",
     R"(while \(f_2 <= next_row && (.*) >= held \+ 1\) \{)",
     "at f = next_row the lattice position is 0, which is not above held"},
    {"reversed_lanes", R"(if \(lane == 0( && warp < \d+)?\) \{)",
     R"(if \(\(31 - lane\) == 0( && warp < \d+)?\) \{)",
     "another lane, but exactly one, stores what all lanes of the warp know"},
    {"ir_loop_strides|ir_wrong_integer", R"(for \(Index (\w+) = 0; \1 < 1; \+\+\1\) \{)",
     R"(for \(Index (\w+) = 0; \1 < 1; \1 \+= (1 \+ 1|2)\) \{)",
     "the loop has one round, whatever its step"},
    {"ir_loop_starts_late",
     R"(for \(Index candidate(_\d)? = lane; candidate(_\d)? < slots_b; .*\) \{)",
     R"(for \(Index candidate(_\d)? = lane \+ 1; .*\) \{)",
     "only slot 0 is not looked at, and 0 is the slot that is taken where none is found",
     R"(.* backward .*)"},
    {"ir_guard_always|loosened_comparison", R"(if \(found(_\d)? > 0\) \{)", ".*",
     "a state holds what rows read, so that a search finds it"},
    {"loosened_comparison", R"(held(_\d)? = found(_\d)? > 0;)", R"(held(_\d)? = found(_\d)? >= 0;)",
     "a state holds what rows read, so that a search finds it"},
    {"ir_loop_ends_early", R"(for \(Index other = 0; other < 4; \+\+other\) \{)", ".*",
     "warp 3 knows slots from 96 on only; the manifest refuses launches of more than 2,064 tokens, "
     "after which 36 at most are live, so that a slot before them is free",
     R"(sqrt_cached decode .*)", R"(room_b = maximum\(room_b, rooms_b\[other\]\))"},
    {"confused_value", R"(highest = above;)", R"(highest = highest;)",
     "outputs come behind inputs of the same positions, with the same keys: none scores higher",
     R"(chacal backward .*)", R"(p_2 -= 1;)"},
    {"repeat_statement", R"(a(_\d)? \*= ceil_div\(.*\);)", R"((a(_\d)? \*= ceil_div\(.*\);) / \1)",
     "a stride that was made no less than the gap divides it once, rounded up: it stays"},
    {"off_by_one_constant", R"(.* = reserve<\w+>\(\d+, .* \* 40\);)",
     R"(.* = reserve<\w+>\(\d+, .* \* 41\);)", "more working memory than is used"},
    {"guard_always", R"(if \(row_size > far\) \{)", R"(if \(true\) \{)",
     "of a row that is no longer nothing is pushed, since its count is not positive",
     R"(.* backward cpu .*)"},
    {"loosened_comparison", R"(const float inverse = total > 0\.0f \? .*)",
     R"(const float inverse = total >= 0\.0f \? .*)",
     "a row reads its own token, so that its total is not zero", R"(strided_attention .*)"},
    // Numbers that cancel or mean nothing.
    {"wrong_real_constant|ir_wrong_real", R"(float near = 0\.0f;)", R"(float near = 1\.0f;)",
     "it is read where has_near says that it was set"},
    {"wrong_real_constant|ir_wrong_real", R"(float product = 0.0f;)", R"(float product = 1.0f;)",
     "it raises every score of the row by 32 scale, and softmax does not change when all do",
     R"(strided_attention .*)"},
    {"wrong_real_constant|ir_wrong_real", R"(float total = 0.0f;)", R"(float total = 1.0f;)",
     "the first entry rescales what was there by exp(lowest - score) = 0", ".* softmax .*"},
    {"wrong_real_constant|ir_wrong_real", R"((mixed\[part\]|(totals|outputs)\[e\]) = 0.0f;)",
     R"((mixed\[part\]|(totals|outputs)\[e\]) = 1.0f;)",
     "the first entry rescales what was there by exp(lowest - score) = 0", ".* softmax .*"},
    {"wrong_real_constant|ir_wrong_real", R"((.*) > 0\.0f \? 1\.0f / (\w+) : 0\.0f;)",
     R"((.*) > 0\.0f \? 1\.0f / (\w+) : 1\.0f;)",
     "without a total there are no entries, and the sums it is multiplied with are zero"},
    {"wrong_real_constant|ir_wrong_real", R"(near_weights\[.*\] = has_near \? (.*) : 0\.0f;)",
     R"(near_weights\[.*\] = has_near \? (.*) : 1\.0f;)", "only entries that the row has are read"},
    {"wrong_real_constant|ir_wrong_real",
     R"((near_weights\[r \* 40 \+ lane\]|staged\[values_at .*\]|sums\[\(chunk \+ r\) .*\]) = 0\.0f;)",
     R"((near_weights\[r \* 40 \+ lane\]|staged\[values_at .*\]|sums\[\(chunk \+ r\) .*\]) = 1\.0f;)",
     "a row that the last chunk lacks is written nowhere, and no other one reads it",
     R"(.* cuda .*)"},
    {"wrong_real_constant|ir_wrong_real", R"((values|sums)\[.*\] = 0\.0f;)",
     R"((values|sums)\[.*\] = 1\.0f;)",
     "a row that the last chunk lacks is written nowhere, and no other one reads it",
     R"(.* cuda .*)", R"(// phase 2)"},
    {"wrong_real_constant|ir_wrong_real", R"((near\[r \* 32 \+ lane\]|own\[r \* .*\]) = 0\.0f;)",
     R"((near\[r \* 32 \+ lane\]|own\[r \* .*\]) = 1\.0f;)",
     "a row that the last chunk lacks is nothing, or weighs nothing",
     R"(\w+_cached backward cuda .*)"},
    {"wrong_real_constant|ir_wrong_real", R"((final_\w+\[to \+ d\]) = (to_b?f16\()?0.0f\)?;)",
     R"((final_\w+\[to \+ d\]) = (to_b?f16\()?1.0f\)?;)", "a free slot's contents mean nothing"},
    {"loosened_comparison|and_to_or", R"(const bool stored_b = room_b > 0 && found;)",
     R"(const bool stored_b = room_b (> 0 \|\||>= 0 &&) found;)",
     "both hold: the row after the newest token reads it, in lattices with f(0) = 1, and a launch "
     "has "
     "a slot for it"},
    {"loosened_comparison", R"(if \(read_next > 0 && room > 0\) \{)",
     R"(if \(read_next > 0 && room >= 0\) \{)", "a launch has a slot for the newest token"},
};

// From line `first` of the text on; lines are counted from 1.
std::string six_lines(const std::string& text, int first) {
  std::istringstream lines(text);
  std::string six, line;
  for (int number = 1; number < first + 6 && std::getline(lines, line); ++number) {
    if (number >= first) six += line + "\n";
  }
  return six;
}

// Whether no line before the mutated one reads like it and has `context` behind it.
bool is_first(const Subject& subject, const Mutant& mutant, const std::regex& context) {
  std::istringstream lines(subject.text());
  std::string line;
  for (int number = 1; number < mutant.line && std::getline(lines, line); ++number) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin != std::string::npos && line.compare(begin, std::string::npos, mutant.before) == 0 &&
        std::regex_search(six_lines(subject.text(), number), context)) {
      return false;
    }
  }
  return true;
}

// A group that fills up while inputs are walked holds inputs only: the branch for outputs in the
// first such group of a text is never taken.
bool in_a_branch_never_taken(const Subject& subject, const Mutant& mutant) {
  if (!std::regex_match(subject.name, std::regex(".* backward cuda softmax .*"))) return false;
  std::istringstream lines(subject.text());
  std::string line, indent;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::size_t at = line.find("if (place > 0) {");
    if (indent.empty() && at != std::string::npos) {
      if (mutant.line <= number) return false;
      indent = line.substr(0, at);
    } else if (!indent.empty() && line == indent + "} else {") {
      return mutant.line < number;
    }
  }
  return false;
}

// The second walk over a row is for rows of more than 128 entries, which these patterns do not have
// at any length that a launch may have.
bool in_a_second_walk(const Subject& subject, const Mutant& mutant) {
  static const std::regex kShortRows("(fibonacci|log)_.* backward cpu softmax .*");
  if (!std::regex_match(subject.name, kShortRows)) return false;
  std::istringstream lines(subject.text());
  std::string line;
  bool second = false;
  for (int number = 1; std::getline(lines, line) && number <= mutant.line; ++number) {
    if (line.find("row.finish(") != std::string::npos) second = false;
    if (number == mutant.line) return second;
    if (line.find("if (again") != std::string::npos) second = true;
  }
  return false;
}

// Whether the mutated line stands between a line that has `begin` and the end of its block.
bool in_a_block(const Subject& subject, const Mutant& mutant, const std::string& begin) {
  std::istringstream lines(subject.text());
  std::string line, indent;
  bool open = false;
  for (int number = 1; std::getline(lines, line) && number <= mutant.line; ++number) {
    if (open && line == indent + "}") open = false;
    if (open && number == mutant.line) return true;
    if (!open && line.find(begin) != std::string::npos) {
      open = true;
      indent = line.substr(0, line.find_first_not_of(' '));
    }
  }
  return false;
}

// Rows of offsets 2^k have 32 entries behind token 2^30 only, and everything before it is kept: no
// machine holds such arrays. The verdict names these lines as not run.
bool in_a_list_never_full(const Subject& subject, const Mutant& mutant) {
  static const std::regex kShortRows("log_recurrence backward cuda softmax .*");
  return std::regex_match(subject.name, kShortRows) &&
         in_a_block(subject, mutant, "if (count == 32) {");
}

// Inputs of all earlier tokens went before, with the keys of these outputs: none scores higher, and
// what is done where one does is never done.
bool in_a_rescaling_never_done(const Subject& subject, const Mutant& mutant) {
  static const std::regex kSameKeys("chacal (prefill|decode) cuda softmax .*");
  if (!std::regex_match(subject.name, kSameKeys)) return false;
  const std::string& text = subject.text();
  const std::string begin = "if (score > highest) {";
  const std::size_t later = text.rfind(begin);
  if (later == text.find(begin)) return false;
  const auto before = std::count(text.begin(), text.begin() + static_cast<long>(later), '\n');
  return mutant.line > before + 1 && in_a_block(subject, mutant, begin);
}

// A live row says whose value it holds, and what is not among them is read from where it lies: the
// choice of live rows changes no value.
bool chooses_live_rows(const Subject& subject, const Mutant& mutant) {
  static const std::regex kStaged(".* staged");
  return std::regex_match(subject.name, kStaged) &&
         in_a_block(subject, mutant, "if (next_first < tokens) {") &&
         in_a_block(subject, mutant, "if (thread == 256) {");
}

// x % m for x below m, which larger divisors leave alone, too.
bool divides_what_is_below(const Subject& subject, const Mutant& mutant) {
  static const std::regex remainder(R"((const Index \w+ = )(\w+) % (\d+)(.*))");
  std::smatch was, is;
  return mutant.rule == "wrong_modulus" && std::regex_match(mutant.before, was, remainder) &&
         std::regex_match(mutant.after, is, remainder) && was[1] == is[1] && was[2] == is[2] &&
         was[4] == is[4] && std::stol(is[3]) > std::stol(was[3]) &&
         in_a_block(subject, mutant, "if (" + was[2].str() + " < " + was[3].str() + ") {");
}

bool swaps_independent_stores(const Mutant& mutant) {
  static const std::regex store(R"((\w+)\[.*\] = ([^=]*);)");
  std::smatch was, is;
  if (!std::regex_match(mutant.before, was, store)) return false;
  if (!std::regex_match(mutant.after, is, store)) return false;
  const auto names = [](const std::string& text, const std::string& name) {
    return std::regex_search(text, std::regex("\\b" + name + "\\b"));
  };
  return was[1] != is[1] && !names(is[2], was[1]) && !names(was[2], is[1]);
}

}  // namespace

std::string equivalence_argument(const Subject& subject, const Mutant& mutant) {
  std::smatch was, is;
  static const std::regex declaration(R"((.*\b(?:float|Index) \w+\[)(\d+)(\];))");
  if (mutant.rule == "wrong_extent" && std::regex_match(mutant.before, was, declaration) &&
      std::regex_match(mutant.after, is, declaration) && was[1] == is[1] &&
      std::stol(is[2]) == std::stol(was[2]) + 1) {
    return "the array has room for one more element, which nothing touches";
  }
  if (mutant.rule.rfind("ir_", 0) != 0 && in_a_branch_never_taken(subject, mutant)) {
    return "a group that fills up while inputs are walked holds inputs only";
  }
  if (mutant.rule.rfind("ir_", 0) != 0 && in_a_second_walk(subject, mutant)) {
    return "rows of this pattern are never so long that they are walked a second time";
  }
  // What a thread computes from its own numbers alone may come before a barrier or behind it.
  static const std::regex own_number(
      R"((?:const )?(?:Index|float|bool) \w+ = [\w\s+*/%()<>=!&|?:.,-]*; / __syncthreads\(\);)");
  if (mutant.rule == "delay_barrier" && std::regex_match(mutant.after, own_number)) {
    return "the statement touches no memory";
  }
  if (in_a_list_never_full(subject, mutant)) {
    return "a list of 32 entries would take more tokens than arrays can have";
  }
  if (in_a_rescaling_never_done(subject, mutant)) {
    return "inputs of all earlier tokens went before, with the keys of these outputs";
  }
  if (chooses_live_rows(subject, mutant)) {
    return "what is not among the live rows is read from where it lies";
  }
  if (divides_what_is_below(subject, mutant)) return "what is divided is below the divisor";
  static const std::regex lane_of_all(R"(const Index \w+ = threadIdx\.x( % 32)?;)");
  if (mutant.rule == "ir_wrong_place" && subject.kernel().threads <= 32 &&
      std::regex_match(mutant.after, lane_of_all)) {
    return "a block has no more than 32 threads";
  }
  if (mutant.rule == "ir_statements_swapped" && swaps_independent_stores(mutant)) {
    return "two stores into different arrays, neither of which the other reads, change places";
  }
  static const std::regex store(R"((\w+)(\[.*\])? = ([^=]*);)");
  if (mutant.rule == "repeat_statement" && std::regex_match(mutant.before, was, store) &&
      !std::regex_search(was[3].str(), std::regex("\\b" + was[1].str() + "\\b"))) {
    return "the same number is stored twice in the same place";
  }
  for (const Argument& argument : kArguments) {
    if (std::regex_match(mutant.rule, std::regex(argument.rule)) &&
        std::regex_match(subject.name, std::regex(argument.kernel)) &&
        std::regex_search(six_lines(mutant.text, mutant.line), std::regex(argument.context)) &&
        std::regex_match(mutant.before, std::regex(argument.before)) &&
        std::regex_match(mutant.after, std::regex(argument.after)) &&
        (argument.which == Argument::kAny ||
         is_first(subject, mutant, std::regex(argument.context)))) {
      return argument.reason;
    }
  }
  return "";
}

}  // namespace heddle::mutants
