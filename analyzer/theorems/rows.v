(* SPDX-License-Identifier: Apache-2.0
   What a pattern is to the theorems: rows, a relation "row i reads position p" for i, p >= 1, and
   the positions that stay live after row i. One side, A or B, at a time. *)
Require Import Arith Lia.
From heddle Require Import sets.

Definition rows := nat -> nat -> Prop.

(* Rows of B read earlier positions, rows of A earlier ones or their own. *)
Definition causal_b (r : rows) : Prop := forall i p, r i p -> 1 <= p < i.
Definition causal_a (r : rows) : Prop := forall i p, r i p -> 1 <= p <= i.

(* live(i) = {p <= i : some later row reads p}; cache(i) is its size. *)
Definition live (r : rows) (i : nat) : set :=
  fun p => 1 <= p <= i /\ exists later, i < later /\ r later p.

(* row(i+1) without i+1 is within row(i) and {i}: what row i skips is never read again. *)
Definition nested (r : rows) : Prop := forall i p, p <= i -> r (S i) p -> r i p \/ p = i.

Lemma nested_back : forall r, nested r ->
  forall i p later, p <= i -> i < later -> r later p -> r (S i) p.
Proof.
  intros r N i p later P L. induction L as [|later L IH]; intros R; [assumption|].
  apply IH. destruct (N later p) as [A| ->]; [lia|assumption|assumption|]. lia.
Qed.

(* nested rows: live(i) = row(i+1) up to i *)
Theorem live_of_nested : forall r, nested r ->
  forall i p, live r i p <-> 1 <= p <= i /\ r (S i) p.
Proof.
  intros r N i p. split.
  - intros (P & later & L & R). split; [assumption|]. apply (nested_back r N i p later); lia || assumption.
  - intros (P & R). split; [assumption|]. exists (S i). split; [lia|assumption].
Qed.

(* live(i) is within 1..i: cache(i) <= i *)
Theorem live_at_most_everything : forall r i, size_at_most (live r i) i.
Proof.
  intros r i. apply (size_of_subset _ (fun p => 1 <= p < S i)).
  - intros p (P & _). lia.
  - apply size_is_at_most, size_of_interval. lia.
Qed.

(* no row reads more than m behind itself: live(i) lies within the last min(m, i) positions *)
Theorem live_within_the_last : forall (r : rows) m, (forall i p, r i p -> i <= p + m) ->
  forall i, size_at_most (live r i) (Nat.min m i).
Proof.
  intros r m W i. apply (size_of_subset _ (fun p => S i - Nat.min m i <= p < S i)).
  - intros p (P & later & L & R). specialize (W later p R). lia.
  - apply size_is_at_most, size_of_interval. lia.
Qed.

(* ... and no fewer than m in general: a row that reads m behind itself keeps the last m *)
Example live_within_is_sharp :
  exists (r : rows) m, (forall i p, r i p -> i <= p + m) /\ live r 5 (5 - (m - 1)) /\ m = 3.
Proof.
  exists (fun i p => i = p + 3), 3. split; [intros i p E; lia|]. split; [|reflexivity].
  split; [lia|]. exists 6. split; lia.
Qed.
