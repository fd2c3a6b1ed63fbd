(* SPDX-License-Identifier: Apache-2.0
   With distances k^2 + 1: hops(i, j) <= 4 for all j <= i, because i - j - 4 is a sum of four squares;
   4 is needed, first at the distance 58. Lagrange's theorem is proved in four_squares, not assumed. *)
Require Import Arith Bool Lia List.
From heddle Require Import sets rows paths distances step_sums greedy_hops four_squares.
Import ListNotations.

Lemma one_square : forall k, sum_of square_plus_one 1 (k * k + 1).
Proof. intros k. apply sum_of_one. exists k. reflexivity. Qed.

(* every d is a sum of at most four numbers k^2 + 1 *)
Theorem four_squares_plus_one : forall d, sum_of square_plus_one 4 d.
Proof.
  intros d. destruct (le_lt_dec 4 d) as [L|L].
  - destruct (four_squares (d - 4)) as (a & b & c & e & E).
    replace d with (a * a + 1 + (b * b + 1 + (c * c + 1 + (e * e + 1)))) by lia.
    apply (sums_add _ 1), (sums_add _ 1), (sums_add _ 1); apply one_square.
  - pose proof (one_square 0) as One. pose proof (one_square 1) as Two. simpl in One, Two.
    destruct d as [|[|[|[|d]]]]; [| | | |lia].
    + apply sum_of_more with 0; [apply sum_of_none|lia].
    + apply sum_of_more with 1; [exact One|lia].
    + apply sum_of_more with 1; [exact Two|lia].
    + apply sum_of_more with 2; [exact (sums_add _ 1 1 1 2 One Two)|lia].
Qed.

(* hops(i, j) <= 4 *)
Theorem hops_of_squares : forall i j, 1 <= j <= i ->
  hops_at_most (distances square_plus_one) i j 4.
Proof. intros i j J. apply hops_are_sums; [assumption|]. apply four_squares_plus_one. Qed.

(* All sums of exactly h numbers k^2 + 1 with k < 8. *)
Fixpoint small_sums (h : nat) : list nat :=
  match h with
  | 0 => [0]
  | S h => flat_map (fun s => map (fun k => s + (k * k + 1)) (seq 0 8)) (small_sums h)
  end.

Lemma small_sums_sound : forall h s, In s (small_sums h) -> sum_of square_plus_one h s.
Proof.
  induction h as [|h IH]; intros s I.
  - destruct I as [<-|[]]. apply sum_of_none.
  - cbn [small_sums] in I. apply in_flat_map in I. destruct I as (t & T & I).
    apply in_map_iff in I. destruct I as (k & <- & _). rewrite <- Nat.add_1_r.
    apply sums_add; [apply IH, T|apply one_square].
Qed.

Lemma small_sums_complete : forall steps, Forall square_plus_one steps -> sum steps <= 58 ->
  In (sum steps) (small_sums (length steps)).
Proof.
  intros steps F. induction F as [|d steps (k & ->) F IH]; intros B; [left; reflexivity|].
  cbn [sum length small_sums] in *. apply in_flat_map. exists (sum steps).
  split; [apply IH; lia|]. apply in_map_iff. exists k. split; [lia|]. apply in_seq. nia.
Qed.

(* the distance 58 takes four hops ... *)
Theorem distance_58_needs_four : ~ sum_of square_plus_one 3 58.
Proof.
  intros (steps & F & E & L). pose proof (small_sums_complete steps F) as I. rewrite E in I.
  specialize (I (Nat.le_refl 58)).
  assert (existsb (fun h => existsb (Nat.eqb 58) (small_sums h)) (seq 0 4) = false) as None
    by (vm_compute; reflexivity).
  assert (existsb (fun h => existsb (Nat.eqb 58) (small_sums h)) (seq 0 4) = true) as Some; [|congruence].
  apply existsb_exists. exists (length steps). split; [apply in_seq; lia|].
  apply existsb_exists. exists 58. split; [assumption|reflexivity].
Qed.

(* ... and every shorter one at most three *)
Theorem shorter_distances_need_three : forall d, d < 58 -> sum_of square_plus_one 3 d.
Proof.
  intros d D.
  assert (forallb (fun d => existsb (fun h => existsb (Nat.eqb d) (small_sums h)) (seq 0 4))
    (seq 0 58) = true) as All by (vm_compute; reflexivity).
  rewrite forallb_forall in All. specialize (All d).
  rewrite existsb_exists in All. destruct All as (h & H & I); [apply in_seq; lia|].
  apply existsb_exists in I. destruct I as (s & S & E). apply Nat.eqb_eq in E. subst s.
  apply in_seq in H. apply sum_of_more with h; [apply small_sums_sound, S|lia].
Qed.

(* hops(i, j) <= 3 fails first at i - j = 58 *)
Theorem three_hops_fail_first_at_58 : forall i j, 1 <= j <= i ->
  (i - j < 58 -> hops_at_most (distances square_plus_one) i j 3) /\
  (i - j = 58 -> ~ hops_at_most (distances square_plus_one) i j 3).
Proof.
  intros i j J. split; intros D.
  - apply hops_are_sums; [assumption|]. apply shorter_distances_need_three, D.
  - intros H. apply hops_are_sums in H; [|assumption]. rewrite D in H. exact (distance_58_needs_four H).
Qed.
