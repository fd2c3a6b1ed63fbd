(* SPDX-License-Identifier: Apache-2.0
   Paths in the dependency graph of rows of B, as the list of the tokens they pass, latest first;
   with A diagonal a token enters the graph at its own row, so these are all routes that there are. *)
Require Import Arith Lia List.
From heddle Require Import sets rows.
Import ListNotations.

(* The sum of a list. *)
Fixpoint sum (l : list nat) : nat :=
  match l with
  | [] => 0
  | x :: l => x + sum l
  end.

(* path r j i l: from token j to token i along reads, through exactly the tokens of l. *)
Inductive path (r : rows) (j : nat) : nat -> list nat -> Prop :=
| path_here : path r j j [j]
| path_step : forall p i l, path r j p l -> r i p -> path r j i (i :: l).

(* Edges, not tokens, are what hops counts. *)
Definition hops_at_most (r : rows) (i j h : nat) : Prop :=
  exists l, path r j i l /\ length l <= S h.
Definition hops_is (r : rows) (i j h : nat) : Prop :=
  hops_at_most r i j h /\ forall l, path r j i l -> S h <= length l.

Theorem path_starts : forall r j i l, path r j i l -> In j l.
Proof. intros r j i l P. induction P; simpl; auto. Qed.

Theorem path_ends : forall r j i l, path r j i l -> In i l.
Proof. intros r j i l P. destruct P; simpl; auto. Qed.

(* Along a causal path tokens only increase. *)
Theorem path_within : forall r, causal_b r ->
  forall j i l, path r j i l -> forall v, In v l -> j <= v <= i.
Proof.
  intros r C j i l P. induction P as [|p i l P IH R]; intros v V.
  - destruct V as [<-|[]]. lia.
  - specialize (C i p R). destruct V as [<-|V].
    + pose proof (IH p (path_ends _ _ _ _ P)). lia.
    + specialize (IH v V). lia.
Qed.

Theorem path_append : forall r j p l, path r j p l ->
  forall i m, path r p i m -> exists k, path r j i k /\ length k + 1 = length m + length l.
Proof.
  intros r j p l P i m Q. induction Q as [|q i m Q (k & K & E) R].
  - exists l. simpl. split; [assumption|lia].
  - exists (i :: k). split; [apply path_step with q; assumption|]. simpl. lia.
Qed.

(* Every path from 1..m to a later token passes live(m). *)
Theorem path_crosses_live : forall r, causal_b r -> forall m j i l,
  path r j i l -> 1 <= j <= m -> m < i -> exists v, In v l /\ live r m v.
Proof.
  intros r C m j i l P J. induction P as [|p i l P IH R]; intros I; [lia|].
  destruct (le_lt_dec p m) as [L|L].
  - exists p. split; [right; apply (path_ends _ _ _ _ P)|].
    split; [|exists i; auto]. specialize (C i p R). lia.
  - destruct (IH L) as (v & V & Live). exists v. split; [right|]; assumption.
Qed.
