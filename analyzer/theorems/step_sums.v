(* SPDX-License-Identifier: Apache-2.0
   In rows of distances D a path from j to i is a list of members of D with sum i - j:
   hops(i, j) = min{h : i - j is a sum of h members of D}, reachable = the additive semigroup of D. *)
Require Import Arith Lia List.
From heddle Require Import sets rows paths distances.
Import ListNotations.

(* The tokens j + (sums of the last 0, 1, ... steps), latest first. *)
Fixpoint along (j : nat) (steps : list nat) : list nat :=
  match steps with
  | [] => [j]
  | d :: rest => j + sum steps :: along j rest
  end.

Theorem along_is_path : forall (D : set) j steps, 1 <= j -> Forall D steps ->
  path (distances D) j (j + sum steps) (along j steps).
Proof.
  intros D j steps J F. induction F as [|d steps Dd F IH].
  - simpl. rewrite Nat.add_0_r. constructor.
  - cbn [along]. apply path_step with (j + sum steps); [assumption|].
    exists d. split; [assumption|]. simpl. lia.
Qed.

Lemma along_length : forall j steps, length (along j steps) = S (length steps).
Proof. intros j steps. induction steps; simpl; congruence. Qed.

Theorem path_is_along : forall (D : set) j i l, path (distances D) j i l ->
  exists steps, Forall D steps /\ i = j + sum steps /\ length l = S (length steps).
Proof.
  intros D j i l P. induction P as [|p i l P (steps & F & E & L) (d & Dd & Ld & Ed)].
  - exists []. split; [constructor|]. simpl. lia.
  - exists (d :: steps). split; [constructor; assumption|]. simpl. lia.
Qed.

(* x is a sum of at most h members of D *)
Definition sum_of (D : set) (h x : nat) : Prop :=
  exists steps, Forall D steps /\ sum steps = x /\ length steps <= h.

Theorem hops_are_sums : forall D i j h, 1 <= j <= i ->
  (hops_at_most (distances D) i j h <-> sum_of D h (i - j)).
Proof.
  intros D i j h J. split.
  - intros (l & P & L). destruct (path_is_along D j i l P) as (steps & F & E & Len).
    exists steps. split; [assumption|]. lia.
  - intros (steps & F & E & L). exists (along j steps). split.
    + replace i with (j + sum steps) by lia. apply along_is_path; [lia|assumption].
    + rewrite along_length. lia.
Qed.

(* hops(i, j) = h when i - j is a sum of at most h members, and of no fewer *)
Theorem exact_hops : forall D i j h, 1 <= j <= i -> sum_of D h (i - j) ->
  (forall k, sum_of D k (i - j) -> h <= k) -> hops_is (distances D) i j h.
Proof.
  intros D i j h J S Least. split; [apply hops_are_sums; assumption|]. intros l P.
  destruct (path_is_along D j i l P) as (steps & F & E & L).
  assert (h <= length steps); [|lia]. apply Least. exists steps. split; [assumption|]. lia.
Qed.

(* reachable distances are closed under addition, with hops at most the sum *)
Theorem sums_add : forall D h x k y, sum_of D h x -> sum_of D k y -> sum_of D (h + k) (x + y).
Proof.
  intros D h x k y (l & F & <- & L) (m & G & <- & M). exists (l ++ m). split; [|split].
  - apply Forall_app. split; assumption.
  - clear. induction l; simpl; lia.
  - rewrite app_length. lia.
Qed.

Theorem sum_of_more : forall D h k x, sum_of D h x -> h <= k -> sum_of D k x.
Proof. intros D h k x (l & F & E & L) M. exists l. split; [assumption|]. lia. Qed.

Theorem sum_of_one : forall (D : set) x, D x -> sum_of D 1 x.
Proof. intros D x Dx. exists [x]. split; [constructor; [assumption|constructor]|]. simpl. lia. Qed.

Theorem sum_of_none : forall D, sum_of D 0 0.
Proof. intros D. exists []. split; [constructor|]. simpl. lia. Qed.

(* more distances, no more hops *)
Theorem sum_of_larger_set : forall (D E : set) h x,
  (forall d, D d -> E d) -> sum_of D h x -> sum_of E h x.
Proof.
  intros D E h x S (l & F & Q & L). exists l. split; [|split; assumption].
  apply Forall_impl with (2 := F). assumption.
Qed.
