(* SPDX-License-Identifier: Apache-2.0
   Descent: where each distance d > s has reads that lead to a smaller r with E(r) + steps <= E(d), and
   distances up to s keep to E, hops(i, j) <= E(i - j). The reads: t of the same distance g leave
   (t + 1) r < d; one of a lattice leaves r < a_{k+1} from f(k) <= d < f(k+1). *)
Require Import Arith Lia List.
From heddle Require Import sets increasing rows lattice lattice_spread paths distances step_sums.
Import ListNotations.

Lemma hops_add : forall r i p j t h, hops_at_most r i p t -> hops_at_most r p j h ->
  hops_at_most r i j (h + t).
Proof.
  intros r i p j t h (m & Q & M) (l & P & L).
  destruct (path_append r j p l P i m Q) as (k & K & E). exists k. split; [assumption|lia].
Qed.

(* the reads of row i lead to p, j <= p < i, in t steps; E(p - j) + t <= E(i - j), or t <= E at p = j *)
Theorem descent : forall (r : rows) (E : nat -> nat) s,
  (forall i j, 1 <= j < i -> i - j <= s -> hops_at_most r i j (E (i - j))) ->
  (forall i j, 1 <= j < i -> s < i - j -> exists p t, j <= p < i /\ hops_at_most r i p t /\
    (if Nat.eq_dec p j then t else E (p - j) + t) <= E (i - j)) ->
  forall i j, 1 <= j < i -> hops_at_most r i j (E (i - j)).
Proof.
  intros r E s Base Step i. induction i as [i IH] using lt_wf_ind. intros j J.
  destruct (le_lt_dec (i - j) s) as [Near|Far]; [apply Base; assumption|].
  destruct (Step i j J Far) as (p & t & P & H & Bound).
  destruct (Nat.eq_dec p j) as [->|N].
  - destruct H as (l & Path & L). exists l. split; [assumption|lia].
  - destruct (hops_add r i p j t (E (p - j)) H) as (l & Path & L); [apply IH; lia|].
    exists l. split; [assumption|lia].
Qed.

(* t reads of the distance g, t g < i *)
Theorem repeated_read : forall (D : set) g, D g -> 1 <= g ->
  forall t i, t * g < i -> hops_at_most (distances D) i (i - t * g) t.
Proof.
  intros D g Dg G t. induction t as [|t IH]; intros i I.
  - replace (i - 0 * g) with i by lia. exists [i]. split; [constructor|]. simpl. lia.
  - simpl in I. destruct (IH (i - g)) as (l & P & L); [lia|].
    replace (i - g - t * g) with (i - S t * g) in P by (simpl; lia).
    exists (i :: l). split; [|simpl; lia]. apply path_step with (i - g); [assumption|].
    exists g. split; [assumption|]. lia.
Qed.

(* t = floor(d / g): the rest r = d - t g has (t + 1) r < d, and t <= c where d < (c + 1) g *)
Theorem greedy_reads_leave : forall d g, 1 <= g <= d -> let t := d / g in let r := d - t * g in
  1 <= t /\ r < g /\ (t + 1) * r < d /\ forall c, d < (c + 1) * g -> t <= c.
Proof.
  intros d g G t r. unfold r, t. pose proof (Nat.div_mod d g). pose proof (Nat.mod_upper_bound d g).
  set (q := d / g) in *. set (m := d mod g) in *.
  assert (d - q * g = m) as -> by lia. assert (1 <= q) by nia.
  split; [assumption|]. split; [lia|]. split; [nia|]. intros c C. nia.
Qed.

(* row i reads some p >= j with p - j < a_{k+1}, where f(k) <= i - j < f(k+1) *)
Theorem lattice_read : forall f, increasing f -> f 0 = 1 ->
  forall i j k, 1 <= j < i -> f k <= i - j < f (S k) ->
  exists p, lattice f i p /\ j <= p < i /\ p - j < stride f (S k).
Proof.
  intros f F F0 i j k J B.
  pose proof (stride_positive f F k) as A. pose proof (stride_positive f F (S k)) as A'.
  pose proof (stride_step f F k) as Step. pose proof (F k) as Fk.
  destruct (stride_divides f k) as (c & C).
  pose proof (place_bounds f F k i) as P. pose proof (place_bounds f F (S k) i) as P'.
  (* The largest multiple of a_k that is less than f(k+1) - f(k) + a_k is a_{k+1}. *)
  assert (forall q, q * stride f k <= f (S k) - f k + stride f k - 1 -> q * stride f k <= stride f (S k))
    as Largest.
  { intros q Q. rewrite C. apply Nat.mul_le_mono_r.
    assert (q * stride f k < (c + 1) * stride f k) as L by lia.
    apply Nat.mul_lt_mono_pos_r in L; lia. }
  assert (j <= place f k i < i) as Pk.
  { split; [lia|]. pose proof (lattice_causal f F F0 i (place f k i)) as Causal.
    apply Causal. exists k. split; [lia|reflexivity]. }
  destruct (le_lt_dec i (f (S k))) as [Out|In].
  - exists (place f k i). split; [exists k; split; [lia|reflexivity]|]. split; [assumption|].
    assert (place f k i <= stride f (S k)); [|lia].
    unfold place in P |- *. rewrite Nat.mul_comm in P |- *. apply Largest. lia.
  - destruct (le_lt_dec j (place f (S k) i)) as [Reach|Short].
    + exists (place f (S k) i). split; [exists (S k); split; [assumption|reflexivity]|].
      pose proof (stride_at_most f F F0 (S k)). lia.
    + exists (place f k i). split; [exists k; split; [lia|reflexivity]|]. split; [assumption|].
      assert (place f k i - place f (S k) i <= stride f (S k)); [|lia].
      assert (place f k i - place f (S k) i =
        (ceil_div (i - f k) (stride f k) - c * ceil_div (i - f (S k)) (stride f (S k))) * stride f k) as E.
      { unfold place. rewrite C at 1. rewrite Nat.mul_sub_distr_r. f_equal; ring. }
      rewrite E. apply Largest. rewrite <- E. lia.
Qed.

(* the gap bounds what is left: a_{k+1} = gap(k) in a constant ratio, a_{k+1} <= 2 gap(k) - 1 else *)
Theorem lattice_read_leaves : forall f, increasing f -> f 0 = 1 ->
  (forall k, gap f k <= gap f (S k)) ->
  forall i j k, 1 <= j < i -> f k <= i - j < f (S k) ->
  exists p, lattice f i p /\ j <= p < i /\ p - j + 2 <= 2 * gap f k.
Proof.
  intros f F F0 Convex i j k J B. destruct (lattice_read f F F0 i j k J B) as (p & R & P & L).
  exists p. split; [assumption|]. split; [assumption|]. pose proof (convex_strides f F Convex k). lia.
Qed.

(* slot k of row i + a_k is slot k of row i, a_k further on: rows repeat modulo the last stride *)
Theorem lattice_repeats : forall f, increasing f -> forall k i m, f k <= i ->
  Nat.divide (stride f k) m -> place f k (i + m) = place f k i + m.
Proof.
  intros f F k i m I (q & ->). pose proof (stride_positive f F k) as A. unfold place.
  replace (i + q * stride f k - f k) with (i - f k + q * stride f k) by lia.
  pose proof (round_up (i - f k) (stride f k) A).
  replace (stride f k * ceil_div (i - f k) (stride f k) + q * stride f k)
    with (stride f k * (ceil_div (i - f k) (stride f k) + q)) by ring.
  apply round_up_unique; [assumption|]. rewrite Nat.mul_add_distr_l, (Nat.mul_comm _ q). lia.
Qed.

(* r^2 <= 4^e d with r, d >= 1: 2 floor(log2 r) <= floor(log2 d) + 2 e *)
Theorem root_of_logarithm : forall r d e, 1 <= r -> 1 <= d -> r * r <= 4 ^ e * d ->
  2 * Nat.log2 r <= Nat.log2 d + 2 * e.
Proof.
  intros r d e R D H.
  destruct (Nat.log2_spec r) as (Lr & _); [lia|]. destruct (Nat.log2_spec d) as (_ & Hd); [lia|].
  assert (2 ^ (2 * Nat.log2 r) < 2 ^ (S (Nat.log2 d) + 2 * e)) as P.
  { replace (2 * Nat.log2 r) with (Nat.log2 r + Nat.log2 r) by lia. rewrite !Nat.pow_add_r.
    replace (2 ^ (2 * e)) with (4 ^ e) by (rewrite Nat.pow_mul_r; reflexivity).
    assert (0 < 4 ^ e) by (pose proof (Nat.pow_nonzero 4 e); lia). nia. }
  apply Nat.pow_lt_mono_r_iff in P; lia.
Qed.

(* every distance beyond s among the reads: one hop from there on *)
Theorem one_read_beyond : forall (D : set) s, (forall d, s < d -> D d) ->
  forall i j, 1 <= j < i -> s < i - j -> hops_at_most (distances D) i j 1.
Proof.
  intros D s All i j J Far. exists [i; j]. split; [|simpl; lia].
  apply path_step with j; [constructor|]. exists (i - j). split; [apply All, Far|lia].
Qed.
