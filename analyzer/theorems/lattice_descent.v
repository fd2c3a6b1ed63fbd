(* SPDX-License-Identifier: Apache-2.0
   Lattice rows of k^2 + 1: hops(i, j) <= floor(log2(i - j)) + 1, the bound of powers of two. Beyond 64
   one read leaves less than half of the distance; up to 64 the first eight places of a row decide,
   which repeat every 24 rows, so that Coq counts the hops of 88 rows. *)
Require Import Arith Bool Lia List.
From heddle Require Import sets increasing counting_by_inverse rows lattice lattice_spread paths distances
  step_sums descent.
Import ListNotations.

Definition square (k : nat) : nat := k * k + 1.

Lemma square_gaps : forall k, gap square k = 2 * k + 1.
Proof. intros k. unfold gap, square. nia. Qed.

(* The first eight places of a row. *)
Definition near_places : rows := fun i p => exists k, k < 8 /\ square k < i /\ p = place square k i.

Definition strides : list nat := [1; 1; 3; 6; 12; 12; 12; 24].

Lemma first_strides : forall k, k < 8 -> stride square k = nth k strides 0.
Proof.
  intros k K.
  assert (forallb (fun k => stride square k =? nth k strides 0) (seq 0 8) = true) as A
    by (vm_compute; reflexivity).
  rewrite forallb_forall in A. apply Nat.eqb_eq, A, in_seq. lia.
Qed.

Definition near_list (i : nat) : list nat :=
  map (fun k => nth k strides 0 * ceil_div (i - square k) (nth k strides 0))
    (filter (fun k => square k <? i) [7; 6; 5; 4; 3; 2; 1; 0]).

Lemma in_near_list : forall i p, In p (near_list i) -> near_places i p.
Proof.
  intros i p P. apply in_map_iff in P. destruct P as (k & <- & K). apply filter_In in K.
  destruct K as (K & L). apply Nat.ltb_lt in L.
  assert (k < 8) as K8 by (simpl in K; lia). exists k. split; [assumption|]. split; [assumption|].
  unfold place. rewrite (first_strides k K8). reflexivity.
Qed.

(* The longest read that does not pass j, at most h times, comes to j. *)
Fixpoint is_near (h i j : nat) : bool :=
  (i =? j) || match h with
              | 0 => false
              | S h => match find (fun p => j <=? p) (near_list i) with
                       | Some p => is_near h p j
                       | None => false
                       end
              end.

Lemma is_near_sound : forall h i j, is_near h i j = true -> hops_at_most near_places i j h.
Proof.
  induction h as [|h IH]; intros i j N; cbn [is_near] in N; apply orb_true_iff in N.
  - destruct N as [N|N]; [|discriminate]. apply Nat.eqb_eq in N. subst. exists [j].
    split; [constructor|simpl; lia].
  - destruct N as [N|N].
    + apply Nat.eqb_eq in N. subst. exists [j]. split; [constructor|simpl; lia].
    + destruct (find (fun p => j <=? p) (near_list i)) as [p|] eqn:Found; [|discriminate].
      apply find_some in Found. destruct Found as (P & _).
      destruct (IH p j N) as (l & Path & L). exists (i :: l).
      split; [|simpl; lia]. apply path_step with p; [assumption|apply in_near_list, P].
Qed.

Definition all_near (i : nat) : bool :=
  forallb (fun d => (i <=? d) || is_near (Nat.log2 d + 1) i (i - d)) (seq 1 64).

Lemma near_rows : forall i, i <= 88 -> all_near i = true.
Proof.
  intros i I. assert (forallb all_near (seq 0 89) = true) as A by (vm_compute; reflexivity).
  rewrite forallb_forall in A. apply A, in_seq. lia.
Qed.

(* a_0, ..., a_7 divide 24 *)
Lemma near_places_repeat : forall t i p, near_places i p -> near_places (i + 24 * t) (p + 24 * t).
Proof.
  intros t i p (k & K & L & ->). exists k. split; [assumption|]. split; [lia|]. symmetry.
  apply lattice_repeats; [intros m; unfold square; nia|lia|].
  rewrite (first_strides k K).
  assert (Nat.divide (nth k strides 0) 24) as D.
  { destruct k as [|[|[|[|[|[|[|[|k]]]]]]]]; [| | | | | | | |lia]; cbn [nth strides];
      [exists 24|exists 24|exists 8|exists 4|exists 2|exists 2|exists 2|exists 1]; reflexivity. }
  apply Nat.divide_mul_l, D.
Qed.

Lemma near_paths_repeat : forall t j i l, path near_places j i l ->
  path near_places (j + 24 * t) (i + 24 * t) (map (fun v => v + 24 * t) l).
Proof.
  intros t j i l P. induction P as [|p i l P IH R]; [constructor|].
  apply path_step with (p + 24 * t); [exact IH|apply near_places_repeat, R].
Qed.

Lemma near_hops : forall i j, 1 <= j < i -> i - j <= 64 ->
  hops_at_most (lattice square) i j (Nat.log2 (i - j) + 1).
Proof.
  intros i j J Near.
  assert (exists t, 24 * t <= i - 65 /\ i - 24 * t <= 88) as (t & T & B).
  { exists ((i - 65) / 24). pose proof (Nat.div_mod (i - 65) 24 ltac:(lia)).
    pose proof (Nat.mod_upper_bound (i - 65) 24 ltac:(lia)). lia. }
  assert (j = j - 24 * t + 24 * t) as Ej by lia. assert (i = i - 24 * t + 24 * t) as Ei by lia.
  pose proof (near_rows (i - 24 * t) B) as A. unfold all_near in A. rewrite forallb_forall in A.
  specialize (A (i - j)). rewrite orb_true_iff, in_seq in A.
  destruct A as [A|A]; [lia|apply Nat.leb_le in A; lia|].
  replace (i - 24 * t - (i - j)) with (j - 24 * t) in A by lia.
  destruct (is_near_sound _ _ _ A) as (l & P & L).
  apply (near_paths_repeat t) in P. rewrite <- Ej, <- Ei in P.
  exists (map (fun v => v + 24 * t) l). split; [|rewrite map_length; exact L].
  clear - P. induction P as [|p x m P IH R]; [constructor|].
  apply path_step with p; [exact IH|]. destruct R as (k & _ & R). exists k. exact R.
Qed.

(* k^2 + 1: lattice rows take at most floor(log2(i - j)) + 1 hops *)
Theorem lattice_hops_of_squares_by_descent : forall i j, 1 <= j < i ->
  hops_at_most (lattice square) i j (Nat.log2 (i - j) + 1).
Proof.
  apply (descent (lattice square) (fun d => Nat.log2 d + 1) 64); [exact near_hops|].
  intros i j J Far.
  assert (increasing square) as F by (intros k; unfold square; nia).
  destruct (increasing_bracket square F (i - j)) as (k & B); [unfold square; lia|].
  destruct (lattice_read_leaves square F eq_refl) with (i := i) (j := j) (k := k) as (p & R & P & Rest);
    [intros m; rewrite !square_gaps; lia|assumption|assumption|].
  rewrite square_gaps in Rest. exists p, 1. split; [assumption|]. split.
  - exists [i; p]. split; [|simpl; lia]. apply path_step with p; [constructor|assumption].
  - destruct (Nat.eq_dec p j); [lia|].
    assert (2 * (p - j) <= i - j) as Half by (unfold square in B; nia).
    apply Nat.log2_le_mono in Half. rewrite Nat.log2_double in Half by lia. lia.
Qed.
