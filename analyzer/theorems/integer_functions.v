(* SPDX-License-Identifier: Apache-2.0
   What the scripts say instead of div, sqrt, log2, powers and recursion: each fact pins the one
   value meant, and inductions of width w, growth of powers and doubling hold from their steps. *)
Require Import Arith ZArith Lia.
From heddle Require Import sets increasing.

Section Integers.
Open Scope Z_scope.

(* d q <= x < d q + d for d >= 1 if and only if q = floor(x / d) *)
Theorem floor_of_quotient : forall x d q, 1 <= d -> (d * q <= x < d * q + d <-> q = x / d).
Proof.
  intros x d q D. split; intros H.
  - apply Z.div_unique with (x - d * q); lia.
  - subst q. pose proof (Z.div_mod x d). pose proof (Z.mod_pos_bound x d). lia.
Qed.

(* -floor(-x / d) = ceil(x / d): the least q with x <= d q *)
Theorem ceil_of_quotient : forall x d, 1 <= d ->
  x <= d * - (- x / d) /\ forall q, x <= d * q -> - (- x / d) <= q.
Proof.
  intros x d D. pose proof (Z.div_mod (- x) d). pose proof (Z.mod_pos_bound (- x) d).
  split; [lia|]. intros q Q. nia.
Qed.

(* x - d floor(x / d) = x mod d *)
Theorem rest_of_quotient : forall x d, 1 <= d -> x - d * (x / d) = x mod d.
Proof. intros x d D. pose proof (Z.div_mod x d). lia. Qed.

(* s >= 0, s^2 <= x < (s + 1)^2 if and only if s = floor(sqrt(x)) *)
Theorem floor_of_sqrt : forall x s, 0 <= x ->
  (0 <= s /\ s * s <= x < (s + 1) * (s + 1) <-> s = Z.sqrt x).
Proof.
  intros x s X. split; intros H.
  - symmetry. apply Z.sqrt_unique. unfold Z.succ. lia.
  - subst s. pose proof (Z.sqrt_spec x X) as H. pose proof (Z.sqrt_nonneg x).
    cbv zeta in H. unfold Z.succ in H. lia.
Qed.

(* l >= 0, 2^l <= x < 2 2^l if and only if l = floor(log2(x)) *)
Theorem floor_of_log2 : forall x l, 1 <= x ->
  (0 <= l /\ 2 ^ l <= x < 2 * 2 ^ l <-> l = Z.log2 x).
Proof.
  intros x l X. split; intros H.
  - symmetry. apply Z.log2_unique; [lia|]. rewrite Z.pow_succ_r; lia.
  - subst l. pose proof (Z.log2_nonneg x). rewrite <- Z.pow_succ_r by assumption.
    split; [assumption|]. apply Z.log2_spec. lia.
Qed.

(* a power of two that divides x != 0, such as the lowest one bit, is at most |x| *)
Theorem lowest_bit_at_most : forall x bit, x <> 0 -> (bit | x) -> bit <= Z.abs x.
Proof. intros x b X D. apply Z.divide_pos_le; [lia|]. apply Z.divide_abs_r, D. Qed.

End Integers.

(* P(0), ..., P(w-1) and (P(k), ..., P(k+w-1) => P(k+w)) give P(k) for all k *)
Theorem induction_of_width : forall w (P : nat -> Prop),
  (forall k, k < w -> P k) -> (forall k, (forall o, o < w -> P (k + o)) -> P (k + w)) ->
  forall k, P k.
Proof.
  intros w P Base Step k. induction k as [k IH] using lt_wf_ind.
  destruct (le_lt_dec w k) as [L|L]; [|apply Base, L].
  replace k with (k - w + w) by lia. apply Step. intros o O. apply IH. lia.
Qed.

(* b^t >= t + 1 and b b^s <= b^t for s < t, where b >= 2 *)
Theorem power_above : forall b t, 2 <= b -> t + 1 <= b ^ t.
Proof. intros b t B. induction t as [|t IH]; [simpl; lia|]. rewrite Nat.pow_succ_r'. nia. Qed.

Theorem power_growth : forall b s t, 2 <= b -> s < t -> b * b ^ s <= b ^ t.
Proof. intros b s t B L. rewrite <- Nat.pow_succ_r'. apply Nat.pow_le_mono_r; lia. Qed.

(* b <= c: b^s <= c^t for s <= t, b b^s <= c^t for s < t *)
Theorem powers_compare : forall b c s t, 2 <= b <= c -> s <= t ->
  b ^ s <= c ^ t /\ (s < t -> b * b ^ s <= c ^ t).
Proof.
  intros b c s t B L. split.
  - apply Nat.le_trans with (c ^ s); [apply Nat.pow_le_mono_l; lia|apply Nat.pow_le_mono_r; lia].
  - intros L'. rewrite <- Nat.pow_succ_r'. apply Nat.le_trans with (c ^ S s).
    + apply Nat.pow_le_mono_l. lia.
    + apply Nat.pow_le_mono_r; lia.
Qed.

(* f >= 1 and f(k+m) >= 2 f(k): f(k) >= 2^floor(k/m) *)
Theorem doubling : forall f m, 1 <= m -> (forall k, 1 <= f k) -> (forall k, 2 * f k <= f (k + m)) ->
  forall k, 2 ^ (k / m) <= f k.
Proof.
  intros f m M Positive Double k. induction k as [k IH] using lt_wf_ind.
  destruct (le_lt_dec m k) as [L|L].
  - replace k with (k - m + 1 * m) at 1 by lia. rewrite Nat.div_add, Nat.add_1_r, Nat.pow_succ_r' by lia.
    specialize (IH (k - m)). specialize (Double (k - m)). replace (k - m + m) with k in Double by lia. lia.
  - rewrite Nat.div_small by assumption. apply Positive.
Qed.
