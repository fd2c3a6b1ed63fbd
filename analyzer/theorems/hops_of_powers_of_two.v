(* SPDX-License-Identifier: Apache-2.0
   With distances 2^k: hops(i, j) = popcount(i - j); at most floor(log2(d + 1)) over distances <= d,
   so floor(log2 d) + 1 is sharp and "<= log2 d" is false exactly at d = 2^m - 1, m >= 1. *)
Require Import Arith NArith Lia List.
From heddle Require Import sets rows paths distances step_sums.
Import ListNotations.

Fixpoint ones (p : positive) : nat :=
  match p with
  | xH => 1
  | xO p => ones p
  | xI p => S (ones p)
  end.

Definition popcount (x : nat) : nat :=
  match N.of_nat x with
  | N0 => 0
  | Npos p => ones p
  end.

Theorem popcount_even : forall x, popcount (2 * x) = popcount x.
Proof.
  intros x. unfold popcount. replace (N.of_nat (2 * x)) with (N.double (N.of_nat x)) by lia.
  destruct (N.of_nat x); reflexivity.
Qed.

Theorem popcount_odd : forall x, popcount (2 * x + 1) = S (popcount x).
Proof.
  intros x. unfold popcount.
  replace (N.of_nat (2 * x + 1)) with (N.succ_double (N.of_nat x)) by lia.
  destruct (N.of_nat x); reflexivity.
Qed.

Lemma half : forall x, exists y, x = 2 * y \/ x = 2 * y + 1.
Proof. intros x. exists (x / 2). pose proof (Nat.div_mod x 2). pose proof (Nat.mod_upper_bound x 2). lia. Qed.

Lemma popcount_successor : forall x, popcount (S x) <= S (popcount x).
Proof.
  induction x as [x IH] using lt_wf_ind. destruct (half x) as (y & [E|E]).
  - replace (S x) with (2 * y + 1) by lia. subst. rewrite popcount_odd, popcount_even. lia.
  - replace (S x) with (2 * S y) by lia. subst. rewrite popcount_odd, popcount_even.
    specialize (IH y). lia.
Qed.

(* popcount(x + y) <= popcount(x) + popcount(y) *)
Theorem popcount_add : forall x y, popcount (x + y) <= popcount x + popcount y.
Proof.
  induction x as [x IH] using lt_wf_ind. intros y.
  destruct (Nat.eq_dec x 0) as [->|X]; [simpl; lia|].
  destruct (half x) as (u & [Ex|Ex]), (half y) as (v & [Ey|Ey]); assert (u < x) as U by lia;
    pose proof (IH u U v) as H.
  - replace (x + y) with (2 * (u + v)) by lia. subst. rewrite !popcount_even. lia.
  - replace (x + y) with (2 * (u + v) + 1) by lia. subst. rewrite !popcount_odd, popcount_even. lia.
  - replace (x + y) with (2 * (u + v) + 1) by lia. subst. rewrite !popcount_odd, popcount_even. lia.
  - replace (x + y) with (2 * S (u + v)) by lia. subst. rewrite !popcount_odd, popcount_even.
    pose proof (popcount_successor (u + v)). lia.
Qed.

Theorem popcount_power : forall k, popcount (2 ^ k) = 1.
Proof. induction k as [|k IH]; [reflexivity|]. rewrite Nat.pow_succ_r', popcount_even. exact IH. Qed.

(* popcount(r) = popcount(r - 2^h) + 1 for 2^h <= r < 2^(h+1) *)
Theorem popcount_top : forall r h, 2 ^ h <= r -> r < 2 ^ S h -> popcount r = S (popcount (r - 2 ^ h)).
Proof.
  intros r h. revert r. induction h as [|h IH]; intros r Low High.
  - simpl in *. replace r with 1 by lia. reflexivity.
  - rewrite Nat.pow_succ_r' in *. destruct (half r) as (y & [-> | ->]).
    + replace (2 * y - 2 * 2 ^ h) with (2 * (y - 2 ^ h)) by lia. rewrite !popcount_even.
      apply IH; rewrite ?Nat.pow_succ_r' in *; lia.
    + replace (2 * y + 1 - 2 * 2 ^ h) with (2 * (y - 2 ^ h) + 1) by lia. rewrite !popcount_odd.
      f_equal. apply IH; rewrite ?Nat.pow_succ_r' in *; lia.
Qed.

Definition power_of_two : set := fun d => exists k, d = 2 ^ k.

(* x is a sum of popcount(x) powers of two, and of no fewer *)
Theorem sum_of_powers : forall x, sum_of power_of_two (popcount x) x.
Proof.
  induction x as [x IH] using lt_wf_ind. destruct (Nat.eq_dec x 0) as [->|X]; [apply sum_of_none|].
  destruct (half x) as (y & E). destruct (IH y) as (l & F & S & L); [lia|].
  assert (sum_of power_of_two (popcount y) (2 * y)) as D.
  { exists (map (fun d => 2 * d) l). split; [|split].
    - clear - F. induction F as [|d l (k & ->) F IH]; constructor; [|assumption].
      exists (S k). rewrite Nat.pow_succ_r'. reflexivity.
    - rewrite <- S. clear. induction l; simpl in *; lia.
    - rewrite map_length. assumption. }
  destruct E as [-> | ->].
  - rewrite popcount_even. assumption.
  - rewrite popcount_odd, <- Nat.add_1_r. apply sums_add; [assumption|].
    apply sum_of_one. exists 0. reflexivity.
Qed.

Theorem no_fewer_powers : forall h x, sum_of power_of_two h x -> popcount x <= h.
Proof.
  intros h x (l & F & <- & L). apply Nat.le_trans with (length l); [|assumption]. clear L h.
  induction F as [|d l (k & ->) F IH]; [reflexivity|]. simpl sum. simpl length.
  pose proof (popcount_add (2 ^ k) (sum l)). rewrite popcount_power in H. lia.
Qed.

(* hops(i, j) = popcount(i - j) *)
Theorem hops_of_powers_of_two : forall i j, 1 <= j <= i ->
  hops_is (distances power_of_two) i j (popcount (i - j)).
Proof. intros i j J. apply exact_hops; [assumption|apply sum_of_powers|]. intros k. apply no_fewer_powers. Qed.

(* 2^popcount(d) <= d + 1, so hops are at most floor(log2(d + 1)) <= floor(log2 d) + 1 *)
Theorem popcount_log : forall d, 2 ^ popcount d <= d + 1.
Proof.
  induction d as [d IH] using lt_wf_ind. destruct (Nat.eq_dec d 0) as [->|D]; [simpl; lia|].
  destruct (half d) as (y & [E|E]); specialize (IH y); subst d.
  - rewrite popcount_even. lia.
  - rewrite popcount_odd, Nat.pow_succ_r'. lia.
Qed.

Theorem popcount_at_most : forall d, popcount d <= Nat.log2 (d + 1).
Proof. intros d. rewrite <- (Nat.log2_pow2 (popcount d)) by lia. apply Nat.log2_le_mono, popcount_log. Qed.

Theorem popcount_bound : forall d, 1 <= d -> 1 <= popcount d <= Nat.log2 d + 1.
Proof.
  intros d D. split.
  - destruct (popcount d) eqn:E; [|lia]. exfalso.
    destruct (sum_of_powers d) as (l & F & S & L). rewrite E in L. destruct l; simpl in *; lia.
  - pose proof (popcount_at_most d). pose proof (Nat.log2_succ_le d). rewrite Nat.add_1_r in *. lia.
Qed.

(* popcount(2^m - 1) = m: the bound is met *)
Theorem popcount_all_ones : forall m, popcount (2 ^ m - 1) = m.
Proof.
  induction m as [|m IH]; [reflexivity|].
  replace (2 ^ S m - 1) with (2 * (2 ^ m - 1) + 1).
  - rewrite popcount_odd, IH. reflexivity.
  - rewrite Nat.pow_succ_r'. pose proof (Nat.pow_nonzero 2 m). lia.
Qed.

Theorem largest_hops : forall limit,
  (forall d, d <= limit -> popcount d <= Nat.log2 (limit + 1)) /\
  exists d, d <= limit /\ popcount d = Nat.log2 (limit + 1).
Proof.
  intros limit. split.
  - intros d D. apply Nat.le_trans with (Nat.log2 (d + 1)); [apply popcount_at_most|].
    apply Nat.log2_le_mono. lia.
  - exists (2 ^ Nat.log2 (limit + 1) - 1). split; [|apply popcount_all_ones].
    pose proof (Nat.log2_spec (limit + 1)). lia.
Qed.

(* "hops <= log2(d)" fails exactly at d = 2^m - 1 with m >= 1 *)
Theorem published_bound_fails_exactly : forall d, 1 <= d ->
  (~ popcount d <= Nat.log2 d <-> exists m, 1 <= m /\ d = 2 ^ m - 1).
Proof.
  intros d D. split.
  - intros H. exists (Nat.log2 (d + 1)). pose proof (popcount_at_most d).
    assert (Nat.log2 d < Nat.log2 (d + 1)) as L by lia.
    split; [lia|]. pose proof (Nat.log2_spec (d + 1)). pose proof (Nat.log2_spec d).
    assert (2 ^ S (Nat.log2 d) <= 2 ^ Nat.log2 (d + 1)) by (apply Nat.pow_le_mono_r; lia). lia.
  - intros (m & M & ->) H. rewrite popcount_all_ones in H.
    pose proof (Nat.log2_spec (2 ^ m - 1)).
    assert (2 ^ m <= 2 ^ Nat.log2 (2 ^ m - 1)) by (apply Nat.pow_le_mono_r; lia). lia.
Qed.
