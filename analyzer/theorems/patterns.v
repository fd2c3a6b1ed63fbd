(* SPDX-License-Identifier: Apache-2.0
   What heddle's words mean, for files that `heddle prove --coq` writes: the sets of the language as
   rows, and the measures of a pattern whose row i reads the inputs A i and the outputs B i. Tokens
   count from 1. A reader of such a file trusts these definitions, those of sets, rows, paths, steps,
   lattice, cut_bounds that they name, and Coq; nothing else. *)
Require Import Arith Lia List.
From heddle Require Import sets increasing counting_by_inverse rows lattice distances set_algebra paths
  capacity_law steps cut_bounds.

(* ---- Sets of positions, for row i. --------------------------------------------------------------
   offsets f, lattice f, union, intersection, difference are those of the other files. *)
Definition none : rows := fun i p => False.
Definition diagonal : rows := fun i p => 1 <= p /\ p = i.
Definition dense_a : rows := fun i p => 1 <= p <= i.
Definition dense_b : rows := fun i p => 1 <= p < i.
Definition window_a (w : nat) : rows := fun i p => 1 <= p <= i /\ i < p + w.
Definition window_b (w : nat) : rows := fun i p => 1 <= p < i /\ i <= p + w.

(* ---- Measures. ----------------------------------------------------------------------------------
   time(i) = |A i| + |B i| *)
Definition time_is (A B : rows) (i t : nat) : Prop :=
  exists x y, size_is (A i) x /\ size_is (B i) y /\ t = x + y.

(* cache(i): the inputs and the outputs up to i that a later row reads *)
Definition cache_is (A B : rows) (i c : nat) : Prop :=
  exists x y, size_is (live A i) x /\ size_is (live B i) y /\ c = x + y.

(* Token j comes in at row p and goes on along B to row i, through the tokens of l: from x_j to y_j it
   is no hop, to a later row one, and each read of an output is one. *)
Definition entering (p j : nat) : nat := if Nat.eq_dec p j then 0 else 1.
Definition route_hops (p j : nat) (l : list nat) : nat := entering p j + (length l - 1).

(* hops(i, j) <= h, hops(i, j) >= h *)
Definition at_most_hops (A B : rows) (i j h : nat) : Prop :=
  exists p l, route A B j i p l /\ route_hops p j l <= h.
Definition at_least_hops (A B : rows) (i j h : nat) : Prop :=
  forall p l, route A B j i p l -> h <= route_hops p j l.

(* A chain with e edges among tokens 1..n: of outputs, or of an input that a later row reads and of
   outputs. depth(n) is the most there are. *)
Definition chain (A B : rows) (n e : nat) : Prop :=
  exists p i l, 1 <= p /\ i <= n /\ path B p i l /\
    (S e = length l \/ (e = length l /\ exists j, 1 <= j < p /\ A p j)).
Definition depth_is (A B : rows) (n d : nat) : Prop :=
  chain A B n d /\ forall e, chain A B n e -> e <= d.

(* The copy task takes each token j of 1..n to row j + n. congestion(n) is the least g with routes of
   which at most g pass any one row. *)
Definition at_most_congestion (A B : rows) (n g : nat) : Prop :=
  exists paths, (forall j, 1 <= j <= n -> exists p, route A B j (j + n) p (paths j)) /\
    forall v, load paths (seq 1 n) v <= g.
Definition at_least_congestion (A B : rows) (n g : nat) : Prop :=
  forall h, at_most_congestion A B n h -> g <= h.

(* rank(m): the most routes from 1..m to later rows of which no two share an input or an output *)
Definition at_most_rank (A B : rows) (m r : nat) : Prop :=
  forall js ls, disjoint_routes A B m js ls -> length ls <= r.
Definition at_least_rank (A B : rows) (m r : nat) : Prop :=
  exists js ls, disjoint_routes A B m js ls /\ r <= length ls.

(* ---- The measures that are said to be equal to something are one number. ------------------------ *)
Theorem time_unique : forall A B i t u, time_is A B i t -> time_is A B i u -> t = u.
Proof.
  intros A B i t u (x & y & X & Y & ->) (v & w & V & W & ->).
  rewrite (size_unique _ _ _ X V), (size_unique _ _ _ Y W). reflexivity.
Qed.

Theorem cache_unique : forall A B i c d, cache_is A B i c -> cache_is A B i d -> c = d.
Proof.
  intros A B i c d (x & y & X & Y & ->) (v & w & V & W & ->).
  rewrite (size_unique _ _ _ X V), (size_unique _ _ _ Y W). reflexivity.
Qed.

Theorem depth_unique : forall A B n d e, depth_is A B n d -> depth_is A B n e -> d = e.
Proof. intros A B n d e (C & L) (D & M). specialize (L e D). specialize (M d C). lia. Qed.

Theorem hops_unique : forall A B i j h k, at_most_hops A B i j h -> at_least_hops A B i j h ->
  at_most_hops A B i j k -> at_least_hops A B i j k -> h = k.
Proof.
  intros A B i j h k (p & l & R & L) H (q & m & Q & M) K. specialize (H q m Q). specialize (K p l R). lia.
Qed.
