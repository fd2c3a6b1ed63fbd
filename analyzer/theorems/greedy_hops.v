(* SPDX-License-Identifier: Apache-2.0
   The greedy route takes the largest f(g) <= d and leaves d - f(g) < f(g+1) - f(g); so f(0) = 1 and
   f(k+1) <= 2 f(k) give hops <= floor(log2 d) + 1, gaps of at most c give c, k^2 + 1 gives t + 3
   for d <= 4 * 2^(2^t): double logarithmic without number theory. *)
Require Import Arith Lia List.
From heddle Require Import sets increasing rows paths distances step_sums.
Import ListNotations.

Definition values (f : nat -> nat) : set := fun d => exists k, d = f k.

(* f(g) <= d < f(g+1): d - f(g) < f(g+1) - f(g) *)
Theorem greedy_remainder : forall f g d, f g <= d < f (S g) -> d - f g < f (S g) - f g.
Proof. intros f g d. lia. Qed.

(* G(d - f(g)) + 1 <= G(d) at each greedy choice: d is a sum of at most G(d) offsets *)
Theorem greedy_bound : forall f (G : nat -> nat), increasing f -> f 0 = 1 ->
  (forall g d, f g <= d < f (S g) -> S (G (d - f g)) <= G d) ->
  forall d, sum_of (values f) (G d) d.
Proof.
  intros f G F F0 Step d. induction d as [d IH] using lt_wf_ind.
  destruct (Nat.eq_dec d 0) as [->|D].
  - apply sum_of_more with 0; [apply sum_of_none|lia].
  - destruct (increasing_bracket f F d) as (g & B); [lia|].
    pose proof (increasing_pairs f F 0 g (Nat.le_0_l g)) as P.
    assert (sum_of (values f) (1 + G (d - f g)) (f g + (d - f g))) as S.
    { apply sums_add; [apply sum_of_one; exists g; reflexivity|]. apply IH. lia. }
    replace (f g + (d - f g)) with d in S by lia.
    apply sum_of_more with (2 := Step g d B). exact S.
Qed.

(* f(0) = 1, f(k+1) <= 2 f(k): hops <= floor(log2(i - j)) + 1 *)
Theorem doubling_hops : forall f, increasing f -> f 0 = 1 -> (forall k, f (S k) <= 2 * f k) ->
  forall d, 1 <= d -> sum_of (values f) (Nat.log2 d + 1) d.
Proof.
  intros f F F0 Double d D.
  pose (G := fun d => if Nat.eq_dec d 0 then 0 else Nat.log2 d + 1).
  replace (Nat.log2 d + 1) with (G d) by (unfold G; destruct (Nat.eq_dec d 0); lia).
  apply greedy_bound; [assumption|assumption|]. clear d D. intros g d B. specialize (Double g).
  pose proof (increasing_pairs f F 0 g (Nat.le_0_l g)) as P. unfold G.
  destruct (Nat.eq_dec d 0); [lia|]. destruct (Nat.eq_dec (d - f g) 0); [lia|].
  assert (S (Nat.log2 (d - f g)) <= Nat.log2 d); [|lia].
  rewrite <- Nat.log2_double by lia. apply Nat.log2_le_mono. lia.
Qed.

(* f(0) = 1, f(k+1) <= f(k) + c: hops <= c *)
Theorem bounded_gap_hops : forall f c, increasing f -> f 0 = 1 -> (forall k, f (S k) <= f k + c) ->
  forall d, sum_of (values f) c d.
Proof.
  intros f c F F0 Gap d. apply sum_of_more with (Nat.min d c); [|lia].
  apply (greedy_bound f (fun d => Nat.min d c)); [assumption|assumption|]. clear d.
  intros g d B. specialize (Gap g). pose proof (increasing_pairs f F 0 g (Nat.le_0_l g)). lia.
Qed.

Definition square_plus_one : set := values (fun k => k * k + 1).

(* k^2 + 1: the greedy remainder is at most 2 floor(sqrt(d - 1)) *)
Theorem squares_remainder : forall d, 1 <= d ->
  let g := Nat.sqrt (d - 1) in g * g + 1 <= d /\ d - (g * g + 1) <= 2 * g.
Proof. intros d D g. unfold g. pose proof (Nat.sqrt_spec (d - 1)). nia. Qed.

(* all r <= m in h hops: all d <= (floor(m / 2) + 1)^2 in h + 1 *)
Lemma squares_stage : forall h m, (forall r, r <= m -> sum_of square_plus_one h r) ->
  forall d, d <= (m / 2 + 1) * (m / 2 + 1) -> sum_of square_plus_one (S h) d.
Proof.
  intros h m H d D. destruct (Nat.eq_dec d 0) as [->|Z].
  - apply sum_of_more with 0; [apply sum_of_none|lia].
  - destruct (squares_remainder d) as (A & B); [lia|]. set (g := Nat.sqrt (d - 1)) in *.
    pose proof (Nat.div_mod m 2). pose proof (Nat.mod_upper_bound m 2).
    assert (g <= m / 2) by (unfold g; pose proof (Nat.sqrt_spec (d - 1)); nia).
    replace d with (g * g + 1 + (d - (g * g + 1))) by lia.
    apply (sums_add _ 1); [apply sum_of_one; exists g; reflexivity|]. apply H. lia.
Qed.

(* k^2 + 1: d <= 4 * 2^(2^t) in at most t + 3 hops *)
Theorem squares_double_logarithm : forall t d, d <= 4 * 2 ^ (2 ^ t) -> sum_of square_plus_one (t + 3) d.
Proof.
  induction t as [|t IH]; intros d D.
  - assert (forall r, r <= 2 -> sum_of square_plus_one 1 r) as One.
    { intros r R. destruct r as [|[|[|r]]]; [|apply sum_of_one; exists 0; reflexivity|
        apply sum_of_one; exists 1; reflexivity|lia].
      apply sum_of_more with 0; [apply sum_of_none|lia]. }
    assert (forall r, r <= 4 -> sum_of square_plus_one 2 r) as Two.
    { intros r R. apply (squares_stage 1 2 One). simpl. assumption. }
    apply (squares_stage 2 4 Two). simpl in *. lia.
  - apply (squares_stage (t + 3) _ IH). rewrite Nat.pow_succ_r', (Nat.mul_comm 2), Nat.pow_mul_r in D.
    set (x := 2 ^ 2 ^ t) in *.
    replace (4 * x / 2) with (2 * x).
    + rewrite Nat.pow_2_r in D. nia.
    + replace (4 * x) with (2 * x * 2) by lia. rewrite Nat.div_mul; lia.
Qed.
