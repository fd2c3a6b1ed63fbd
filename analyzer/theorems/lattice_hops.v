(* SPDX-License-Identifier: Apache-2.0
   Hops of lattice rows, the cells that the paper leaves blank. Any f with f(0) = 1: the step to
   p_g(i) with f(g) <= i - j leaves at most i - j - f(g) + a_g - 1. For 2^k, where p_k(p) = p - 2^k
   from multiples of 2^(k-1), hops(i, j) <= floor(log2(i - j)) + 1, the bound of the plain pattern. *)
Require Import Arith Lia List.
From heddle Require Import sets increasing counting_by_inverse rows lattice lattice_spread paths
  distances step_sums hops_of_powers_of_two.
Import ListNotations.

Lemma one_step_then : forall (r : rows) i p j h, r i p -> hops_at_most r p j h -> hops_at_most r i j (S h).
Proof.
  intros r i p j h R (l & P & L). exists (i :: l). split; [|simpl; lia].
  apply path_step with p; assumption.
Qed.

Lemma no_step : forall r j h, hops_at_most r j j h.
Proof. intros r j h. exists [j]. split; [constructor|]. simpl. lia. Qed.

Lemma hops_at_most_more : forall r i j h k, hops_at_most r i j h -> h <= k -> hops_at_most r i j k.
Proof. intros r i j h k (l & P & L) K. exists l. split; [assumption|lia]. Qed.

(* f(g) <= d < f(g+1) and G(r) + 1 <= G(d) for r <= d - f(g) + a_g - 1: hops(i, j) <= G(i - j) *)
Theorem lattice_greedy : forall f (G : nat -> nat), increasing f -> f 0 = 1 ->
  (forall g d r, f g <= d < f (S g) -> r <= d - f g + stride f g - 1 -> S (G r) <= G d) ->
  forall i j, 1 <= j <= i -> hops_at_most (lattice f) i j (G (i - j)).
Proof.
  intros f G F F0 Step i j J. remember (i - j) as d eqn:E. revert i j J E.
  induction d as [d IH] using lt_wf_ind. intros i j J E.
  destruct (Nat.eq_dec i j) as [->|N]; [apply no_step|].
  destruct (increasing_bracket f F d) as (g & B); [lia|].
  pose proof (place_bounds f F g i) as P. pose proof (stride_at_most f F F0 g) as A.
  pose proof (stride_positive f F g) as A1.
  assert (j <= place f g i <= i - 1) as Q by lia.
  apply hops_at_most_more with (2 := Step g d (place f g i - j) B ltac:(lia)).
  apply one_step_then with (place f g i).
  - exists g. split; [lia|reflexivity].
  - apply (IH (place f g i - j)); lia.
Qed.

Definition power (k : nat) : nat := 2 ^ k.

Lemma power_increases : increasing power.
Proof. exact (powers_increase 2 (Nat.le_refl 2)). Qed.

(* a_0 = 1 and a_k = 2^(k-1) *)
Theorem power_strides : forall k, stride power (S k) = 2 ^ k.
Proof.
  intros k. rewrite (ratio_strides power 2 power_increases).
  - unfold gap, power. rewrite Nat.pow_succ_r'. lia.
  - intros m. unfold gap, power. rewrite !Nat.pow_succ_r'. lia.
Qed.

(* a_k divides p, 2^k < p: p_k(p) = p - 2^k *)
Lemma exact_place : forall k p, 2 ^ k < p -> Nat.divide (stride power k) p -> place power k p = p - 2 ^ k.
Proof.
  intros k p L (q & Q). unfold place. pose proof (stride_positive power power_increases k) as A.
  assert (Nat.divide (stride power k) (2 ^ k)) as (s & Qs).
  { destruct k as [|k]; [exists 1; reflexivity|]. rewrite power_strides. exists 2. reflexivity. }
  assert (stride power k * (q - s) = p - 2 ^ k) as H
    by (rewrite Qs, Q, <- Nat.mul_sub_distr_r; apply Nat.mul_comm).
  rewrite <- H. apply round_up_unique; [assumption|]. rewrite H. change (power k) with (2 ^ k). lia.
Qed.

Lemma divide_power : forall a b p, a <= b -> Nat.divide (2 ^ b) p -> Nat.divide (2 ^ a) p.
Proof.
  intros a b p L (q & ->). exists (q * 2 ^ (b - a)). rewrite <- Nat.mul_assoc, <- Nat.pow_add_r.
  f_equal. f_equal. lia.
Qed.

(* from a multiple of 2^v the distance r < 2^(v+2) takes popcount(r) steps *)
Lemma aligned_hops : forall r v p j, Nat.divide (2 ^ v) p -> p = j + r -> 1 <= j -> r < 2 ^ (v + 2) ->
  hops_at_most (lattice power) p j (popcount r).
Proof.
  induction r as [r IH] using lt_wf_ind. intros v p j D E J R.
  destruct (Nat.eq_dec r 0) as [->|N].
  { replace p with j by lia. apply no_step. }
  set (h := Nat.log2 r). destruct (Nat.log2_spec r) as (Low & High); [lia|]. fold h in Low, High.
  assert (h <= v + 1) as H.
  { destruct (le_lt_dec h (v + 1)) as [|G]; [assumption|].
    assert (2 ^ (v + 2) <= 2 ^ h) by (apply Nat.pow_le_mono_r; lia). lia. }
  assert (popcount r = S (popcount (r - 2 ^ h))) as ->.
  { apply popcount_top; assumption. }
  assert (place power h p = p - 2 ^ h) as P.
  { apply exact_place; [lia|]. destruct h as [|h]; [exists p; simpl; lia|]. rewrite power_strides.
    apply divide_power with v; [lia|assumption]. }
  pose proof (Nat.pow_nonzero 2 h). apply one_step_then with (p - 2 ^ h).
  - exists h. split; [unfold power; lia|]. symmetry. exact P.
  - apply (IH (r - 2 ^ h)) with (v := Nat.min v h); [lia| |lia|assumption|].
    + apply Nat.divide_sub_r.
      * apply divide_power with v; [lia|assumption].
      * apply divide_power with h; [lia|apply Nat.divide_refl].
    + apply Nat.lt_le_trans with (2 ^ h).
      * rewrite Nat.pow_succ_r' in High. lia.
      * apply Nat.pow_le_mono_r; lia.
Qed.

(* 2^k: hops(i, j) <= floor(log2(i - j)) + 1 in lattice rows as in plain ones *)
Theorem lattice_hops_of_powers_of_two : forall i j, 1 <= j < i ->
  hops_at_most (lattice power) i j (Nat.log2 (i - j) + 1).
Proof.
  intros i j J. set (d := i - j). set (g := Nat.log2 d).
  destruct (Nat.log2_spec d) as (Low & High); [lia|]. fold g in Low, High.
  rewrite Nat.add_1_r. apply one_step_then with (place power g i).
  { exists g. split; [unfold power; lia|reflexivity]. }
  pose proof (place_bounds power power_increases g i) as P. change (power g) with (2 ^ g) in P.
  destruct g as [|g'] eqn:G.
  - simpl in *. replace (place power 0 i) with j by lia. apply no_step.
  - rewrite power_strides in P. rewrite Nat.pow_succ_r' in *. rewrite Nat.pow_succ_r' in High.
    set (r := place power (S g') i - j).
    apply hops_at_most_more with (popcount r).
    + apply (aligned_hops r g').
      * exists (ceil_div (i - power (S g')) (2 ^ g')). unfold place. rewrite power_strides. lia.
      * unfold r. lia.
      * lia.
      * rewrite Nat.pow_add_r. simpl (2 ^ 2). unfold r. lia.
    + destruct (le_lt_dec (2 ^ S g') r) as [Top|Small].
      * assert (Nat.log2 r = S g') as L.
        { apply Nat.log2_unique; [lia|]. rewrite !Nat.pow_succ_r' in *. unfold r in *. lia. }
        rewrite popcount_top with (h := S g').
        -- apply le_n_S. apply Nat.le_trans with (Nat.log2 (r - 2 ^ S g' + 1)); [apply popcount_at_most|].
           apply Nat.le_trans with (Nat.log2 (2 ^ g')); [|rewrite Nat.log2_pow2; lia].
           apply Nat.log2_le_mono. rewrite Nat.pow_succ_r' in *. unfold r in *. lia.
        -- assumption.
        -- rewrite !Nat.pow_succ_r' in *. unfold r in *. lia.
      * apply Nat.le_trans with (Nat.log2 (r + 1)); [apply popcount_at_most|].
        apply Nat.le_trans with (Nat.log2 (2 ^ S g')); [|rewrite Nat.log2_pow2; lia].
        apply Nat.log2_le_mono. lia.
Qed.

(* from token 1, h hops end at most at 3 2^(h-1) ... *)
Lemma lattice_reach : forall p l, path (lattice power) 1 p l -> 4 * p <= 3 * 2 ^ length l.
Proof.
  intros p l P. induction P as [|q p l P IH (k & K & E)]; [simpl; lia|].
  cbn [length]. rewrite Nat.pow_succ_r'.
  pose proof (path_within _ (lattice_causal power power_increases eq_refl) _ _ _ P q
    (path_ends _ _ _ _ P)) as Q.
  destruct (place_bounds power power_increases k p) as (Step & _). change (power k) with (2 ^ k) in Step.
  change (power k) with (2 ^ k) in K. rewrite <- E in Step.
  assert (1 <= length l) by (destruct P; simpl; lia).
  assert (exists h, length l = S h) as (h & L) by (exists (length l - 1); lia).
  rewrite L, Nat.pow_succ_r' in IH |- *.
  assert (1 <= 2 ^ h) by (pose proof (Nat.pow_nonzero 2 h); lia).
  destruct k as [|k]; [simpl in Step; lia|]. rewrite Nat.pow_succ_r' in Step, K.
  assert (Nat.divide (2 ^ k) q) as (s & Qs).
  { exists (ceil_div (p - power (S k)) (2 ^ k)). rewrite E. unfold place. rewrite power_strides. lia. }
  destruct (lt_eq_lt_dec k h) as [[Lt| ->]|Gt].
  - assert (2 ^ S k <= 2 ^ h) as M by (apply Nat.pow_le_mono_r; lia). rewrite Nat.pow_succ_r' in M. lia.
  - assert (s = 1) by nia. subst s. lia.
  - assert (2 ^ S h <= 2 ^ k) as M by (apply Nat.pow_le_mono_r; lia). rewrite Nat.pow_succ_r' in M.
    destruct s as [|s]; [lia|]. assert (2 ^ k <= q) by (rewrite Qs; simpl; lia). lia.
Qed.

(* ... so that the bound is met: hops(2^m, 1) = m = floor(log2(2^m - 1)) + 1 *)
Theorem lattice_hops_bound_is_met : forall m, 1 <= m ->
  hops_is (lattice power) (2 ^ m) 1 m /\ Nat.log2 (2 ^ m - 1) + 1 = m.
Proof.
  intros m M.
  assert (2 ^ m = 2 * 2 ^ (m - 1)) as E.
  { rewrite <- Nat.pow_succ_r'. f_equal. lia. }
  pose proof (Nat.pow_nonzero 2 (m - 1)).
  assert (Nat.log2 (2 ^ m - 1) = m - 1) as L.
  { apply Nat.log2_unique; [lia|]. rewrite Nat.pow_succ_r'. lia. }
  split; [|lia]. split.
  - replace m with (Nat.log2 (2 ^ m - 1) + 1) at 2 by lia. apply lattice_hops_of_powers_of_two. lia.
  - intros l P. pose proof (lattice_reach _ _ P) as R.
    destruct (le_lt_dec (S m) (length l)) as [|Few]; [assumption|]. exfalso.
    assert (2 ^ length l <= 2 ^ m) by (apply Nat.pow_le_mono_r; lia). lia.
Qed.

Definition square (k : nat) : nat := k * k + 1.

(* All distances up to m take at most h hops. *)
Definition within (h m : nat) : Prop :=
  forall i j, 1 <= j <= i -> i - j <= m -> hops_at_most (lattice square) i j h.

Lemma next_stage : forall h m n, within h m ->
  (forall d, 1 <= d <= n -> exists g, square g <= d /\ d - square g + stride square g - 1 <= m) ->
  within (S h) n.
Proof.
  intros h m n W Next i j J D. destruct (Nat.eq_dec i j) as [->|N]; [apply no_step|].
  destruct (Next (i - j)) as (g & Low & High); [lia|].
  pose proof (place_bounds square squares_increase g i) as P.
  pose proof (stride_at_most square squares_increase eq_refl g) as A.
  pose proof (stride_positive square squares_increase g) as A1.
  apply one_step_then with (place square g i).
  - exists g. split; [lia|reflexivity].
  - apply W; lia.
Qed.

(* a_k, each computed once. *)
Fixpoint square_stride (k : nat) : nat :=
  match k with
  | 0 => 1
  | S k => let a := square_stride k in a * ceil_div (square (S k) - square k) a
  end.

Lemma square_stride_is : forall k, square_stride k = stride square k.
Proof. induction k as [|k IH]; [reflexivity|]. cbn [square_stride stride]. rewrite IH. reflexivity. Qed.

(* The premise of next_stage for one m and n, by computation. *)
Definition stage_holds (m n : nat) : bool :=
  forallb (fun d => let g := Nat.sqrt (d - 1) in
    (square g <=? d) && (d - square g + square_stride g - 1 <=? m))%bool (seq 1 n).

Lemma small_stage : forall h m n, within h m -> stage_holds m n = true -> within (S h) n.
Proof.
  intros h m n W H. apply (next_stage h m n W). intros d D. unfold stage_holds in H.
  rewrite forallb_forall in H. specialize (H d). rewrite Bool.andb_true_iff, !Nat.leb_le in H.
  exists (Nat.sqrt (d - 1)). rewrite <- square_stride_is. apply H, in_seq. lia.
Qed.

(* a_g <= 4 g + 1, so that a step leaves at most 6 g *)
Lemma square_strides : forall g, stride square g <= 4 * g + 1.
Proof.
  intros g. destruct g as [|[|g]]; [simpl; lia|vm_compute; lia|].
  pose proof (strictly_convex_strides square squares_increase) as C.
  assert (forall k, gap square k < gap square (S k)) as G by (intros k; unfold gap, square; nia).
  specialize (C G g). replace (gap square (S g)) with (2 * g + 3) in C by (unfold gap, square; nia). lia.
Qed.

(* k^2 + 1: lattice rows take at most t + 8 hops for i - j <= 36 * 2^(2^t) *)
Theorem lattice_hops_of_squares : forall t i j, 1 <= j <= i -> i - j <= 36 * 2 ^ (2 ^ t) ->
  hops_at_most (lattice square) i j (t + 8).
Proof.
  intros t. change (within (t + 8) (36 * 2 ^ (2 ^ t))). induction t as [|t IH].
  - assert (within 0 0) as W0 by (intros i j J D; replace i with j by lia; apply no_step).
    assert (within 1 2) as W1 by (apply (small_stage 0 0); [assumption|vm_compute; reflexivity]).
    assert (within 2 5) as W2 by (apply (small_stage 1 2); [assumption|vm_compute; reflexivity]).
    assert (within 3 8) as W3 by (apply (small_stage 2 5); [assumption|vm_compute; reflexivity]).
    assert (within 4 13) as W4 by (apply (small_stage 3 8); [assumption|vm_compute; reflexivity]).
    assert (within 5 19) as W5 by (apply (small_stage 4 13); [assumption|vm_compute; reflexivity]).
    assert (within 6 34) as W6 by (apply (small_stage 5 19); [assumption|vm_compute; reflexivity]).
    assert (within 7 61) as W7 by (apply (small_stage 6 34); [assumption|vm_compute; reflexivity]).
    apply (small_stage 7 61); [assumption|vm_compute; reflexivity].
  - apply (next_stage (t + 8) (36 * 2 ^ (2 ^ t)) _ IH). intros d D.
    rewrite Nat.pow_succ_r', (Nat.mul_comm 2), Nat.pow_mul_r, Nat.pow_2_r in D.
    set (z := 2 ^ 2 ^ t) in *. exists (Nat.sqrt (d - 1)).
    pose proof (square_strides (Nat.sqrt (d - 1))) as A. destruct (Nat.sqrt_spec (d - 1)) as (Low & High); [lia|].
    set (g := Nat.sqrt (d - 1)) in *. unfold square at 1 2.
    assert (g <= 6 * z) by nia. split; [lia|]. nia.
Qed.
