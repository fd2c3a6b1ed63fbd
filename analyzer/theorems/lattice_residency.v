(* SPDX-License-Identifier: Apache-2.0
   In lattice rows of 2^k a position p with exactly v factors 2 is read by the rows p+1..p+2^(v+1)
   and by no other: it stays cached exactly 2^(v+1) steps. *)
Require Import Arith Lia List.
From heddle Require Import sets increasing rows lattice paths hops_of_powers_of_two lattice_hops.

(* p in S_i if and only if p < i <= p + 2^(v+1) *)
Theorem lattice_residency : forall v p, 1 <= p -> Nat.divide (2 ^ v) p -> ~ Nat.divide (2 ^ S v) p ->
  forall i, lattice power i p <-> p < i <= p + 2 ^ S v.
Proof.
  intros v p P Even Odd i. split.
  - intros (k & K & E). change (power k) with (2 ^ k) in K.
    pose proof (lattice_causal power power_increases eq_refl i p) as C.
    assert (1 <= p < i) as Pi by (apply C; exists k; split; [exact K|exact E]).
    pose proof (place_bounds power power_increases k i) as B. rewrite <- E in B.
    change (power k) with (2 ^ k) in B. split; [lia|].
    assert (k <= S v) as L.
    { destruct (le_lt_dec k (S v)) as [|G]; [assumption|]. destruct Odd. destruct k as [|k]; [lia|].
      apply divide_power with k; [lia|]. exists (ceil_div (i - power (S k)) (2 ^ k)).
      rewrite E. unfold place. rewrite power_strides. apply Nat.mul_comm. }
    assert (2 ^ k <= 2 ^ S v) by (apply Nat.pow_le_mono_r; lia). lia.
  - intros (Low & High).
    (* the slot k with 2^k - a_k < i - p <= 2^k *)
    assert (exists k, k <= S v /\ i - p <= 2 ^ k /\ 2 ^ k < i - p + stride power k) as (k & K & A & B).
    { destruct (Nat.eq_dec (i - p) 1) as [One|More].
      - exists 0. simpl. lia.
      - exists (Nat.log2_up (i - p)). destruct (Nat.log2_up_spec (i - p)) as (A & B); [lia|].
        assert (1 <= Nat.log2_up (i - p)) as L by (apply Nat.log2_up_pos; lia).
        destruct (Nat.log2_up (i - p)) as [|k] eqn:E; [lia|]. simpl Nat.pred in A.
        split; [|split; [assumption|rewrite power_strides, Nat.pow_succ_r'; lia]].
        rewrite <- E. rewrite <- (Nat.log2_up_pow2 (S v)) by lia. apply Nat.log2_up_le_mono. lia. }
    assert (Nat.divide (stride power k) p) as (q & Q).
    { destruct k as [|k]; [exists p; simpl; lia|]. rewrite power_strides.
      apply divide_power with v; [lia|assumption]. }
    assert (stride power k <= p) by (destruct q as [|q]; [lia|rewrite Q; simpl; lia]).
    exists k. change (power k) with (2 ^ k). split; [lia|]. unfold place.
    rewrite Q, Nat.mul_comm. symmetry. apply round_up_unique.
    + apply stride_positive, power_increases.
    + change (power k) with (2 ^ k). rewrite (Nat.mul_comm _ q), <- Q. lia.
Qed.
