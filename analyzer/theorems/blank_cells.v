(* SPDX-License-Identifier: Apache-2.0
   What the capacity law says of the lattice patterns, the cells that the paper leaves blank:
   congestion(n) >= n / (floor(log2 n) + 1) for 2^k and >= n / (floor(sqrt(n - 1)) + 1) for k^2 + 1;
   rank(m) is at most floor(log2 m) + 1 and floor(sqrt(m - 1)) + 1. *)
Require Import Arith Lia List.
From heddle Require Import sets increasing counting_by_inverse rows lattice paths capacity_law
  lattice_hops.

(* #{k : 2^k <= n} = floor(log2 n) + 1, #{k : k^2 + 1 <= n} = floor(sqrt(n - 1)) + 1 *)
Lemma count_powers : forall n, 1 <= n -> size_is (fun k => power k <= n) (Nat.log2 n + 1).
Proof.
  intros n N. apply (size_is_same (fun k => power k < n + 1)); [intros k; lia|].
  destruct (Nat.log2_spec n) as (A & B); [lia|].
  apply counting_by_bracket; [apply power_increases| |]; unfold power.
  - intros _. replace (Nat.log2 n + 1 - 1) with (Nat.log2 n) by lia. lia.
  - rewrite (Nat.add_1_r (Nat.log2 n)). lia.
Qed.

Lemma count_squares : forall n, 1 <= n -> size_is (fun k => square k <= n) (Nat.sqrt (n - 1) + 1).
Proof.
  intros n N. apply (size_is_same (fun k => square k < n + 1)); [intros k; lia|].
  destruct (Nat.sqrt_spec (n - 1)) as (A & B); [lia|].
  apply counting_by_bracket; [apply squares_increase| |]; unfold square; nia.
Qed.

(* cache(n) <= c: congestion(n) * c >= n *)
Theorem congestion_of_bounded_cache : forall r n g c, causal_b r -> congestion_at_most r n g ->
  (forall p, live r n p \/ ~ live r n p) -> size_at_most (live r n) c -> n <= g * c.
Proof.
  intros r n g c C G D A.
  destruct (size_of_part (fun p => 1 <= p < n + 1) (live r n) n) as (d & Sd); [assumption| |].
  { apply size_of_interval. lia. }
  assert (size_is (live r n) d) as L.
  { apply (size_is_same _ _ _) with (2 := Sd). intros p. split; [tauto|]. intros H.
    split; [|assumption]. destruct H. lia. }
  pose proof (capacity_law_of_congestion r C n g d G L).
  assert (d <= c); [|nia]. destruct L as (l & N & I & <-). apply A; [assumption|]. intros x. apply I.
Qed.

Lemma lattice_live_decidable : forall f, increasing f -> f 0 = 1 ->
  forall i p, live (lattice f) i p \/ ~ live (lattice f) i p.
Proof.
  intros f F F0 i p.
  assert (forall n, (exists k, k < n /\ f k < S i /\ p = place f k (S i)) \/
    ~ exists k, k < n /\ f k < S i /\ p = place f k (S i)) as Search.
  { induction n as [|n [(k & K)|N]].
    - right. intros (k & K & _). lia.
    - left. exists k. lia.
    - destruct (le_lt_dec (S i) (f n)) as [L|L].
      + right. intros (k & K & Fk & E). apply N. exists k. split; [|auto].
        destruct (Nat.eq_dec k n) as [->|]; [lia|lia].
      + destruct (Nat.eq_dec p (place f n (S i))) as [E|E].
        * left. exists n. auto.
        * right. intros (k & K & Fk & E'). apply N. exists k. split; [|auto].
          destruct (Nat.eq_dec k n) as [->|]; [contradiction|lia]. }
  destruct (Search (S i)) as [(k & K & R)|N].
  - left. apply lattice_live; [assumption|assumption|]. exists k. exact R.
  - right. intros L. apply lattice_live in L; [|assumption|assumption]. destruct L as (k & K & E).
    apply N. exists k. split; [|auto]. pose proof (increasing_above f F k). lia.
Qed.

Theorem lattice_congestion_of_powers : forall n g, 1 <= n ->
  congestion_at_most (lattice power) n g -> n <= g * (Nat.log2 n + 1).
Proof.
  intros n g N G. apply (congestion_of_bounded_cache (lattice power)); [|assumption| |].
  - apply lattice_causal; [apply power_increases|reflexivity].
  - apply lattice_live_decidable; [apply power_increases|reflexivity].
  - apply lattice_cache; [apply power_increases|reflexivity|apply count_powers, N].
Qed.

Theorem lattice_congestion_of_squares : forall n g, 1 <= n ->
  congestion_at_most (lattice square) n g -> n <= g * (Nat.sqrt (n - 1) + 1).
Proof.
  intros n g N G. apply (congestion_of_bounded_cache (lattice square)); [|assumption| |].
  - apply lattice_causal; [apply squares_increase|reflexivity].
  - apply lattice_live_decidable; [apply squares_increase|reflexivity].
  - apply lattice_cache; [apply squares_increase|reflexivity|apply count_squares, N].
Qed.

Theorem lattice_rank_of_powers : forall m ps, 1 <= m ->
  disjoint_paths (lattice power) m ps -> length ps <= Nat.log2 m + 1.
Proof.
  intros m ps M D. apply (capacity_law_of_rank (lattice power)) with (m := m); [|assumption|].
  - apply lattice_causal; [apply power_increases|reflexivity].
  - apply lattice_cache; [apply power_increases|reflexivity|apply count_powers, M].
Qed.

Theorem lattice_rank_of_squares : forall m ps, 1 <= m ->
  disjoint_paths (lattice square) m ps -> length ps <= Nat.sqrt (m - 1) + 1.
Proof.
  intros m ps M D. apply (capacity_law_of_rank (lattice square)) with (m := m); [|assumption|].
  - apply lattice_causal; [apply squares_increase|reflexivity].
  - apply lattice_cache; [apply squares_increase|reflexivity|apply count_squares, M].
Qed.
