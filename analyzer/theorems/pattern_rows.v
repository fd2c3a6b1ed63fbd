(* SPDX-License-Identifier: Apache-2.0
   Sizes of rows and of live sets for each set of the language, in the form that a claim about time or
   cache is derived from: how many positions there are, or what pins that number. *)
Require Import Arith Lia List.
From heddle Require Import sets increasing counting_by_inverse rows lattice lattice_spread distances
  set_algebra patterns.
Import ListNotations.

Definition same (r s : rows) : Prop := forall i p, r i p <-> s i p.

Theorem same_size : forall r s i c, same r s -> size_is (s i) c -> size_is (r i) c.
Proof. intros r s i c E. apply size_is_same. intros p. symmetry. apply E. Qed.

Theorem same_live : forall r s i c, same r s -> size_is (live s i) c -> size_is (live r i) c.
Proof.
  intros r s i c E. apply size_is_same. intros p. unfold live.
  split; intros (P & later & L & R); (split; [assumption|exists later; split; [assumption|apply E, R]]).
Qed.

(* c = #{k : f(k) < i}, as f(c-1) < i <= f(c) *)
Definition counts (f : nat -> nat) (i c : nat) : Prop := (1 <= c -> f (c - 1) < i) /\ i <= f c.

Theorem count_exists : forall f i, increasing f -> exists c, counts f i c.
Proof.
  intros f i F. destruct (le_lt_dec i (f 0)) as [L|L].
  - exists 0. split; [lia|assumption].
  - destruct (increasing_bracket f F (i - 1)) as (g & G); [lia|]. exists (S g).
    split; [intros _; replace (S g - 1) with g by lia|]; lia.
Qed.

(* 2^k: #{k : 2^k < i} = ceil(log2 i) *)
Theorem count_powers_of_two : forall f i c, (forall k, f k = 2 ^ k) -> counts f i c -> c = Nat.log2_up i.
Proof.
  intros f i c F (A & B). rewrite !F in *.
  apply (size_unique (fun k => 2 ^ k < i)); [|apply count_of_powers_of_two].
  apply count_of_powers; [lia|assumption|assumption].
Qed.

(* ---- no position, one, all of them --------------------------------------------------------------- *)
Theorem none_size : forall i, size_is (none i) 0.
Proof. intros i. exists []. split; [constructor|]. split; [intros x; simpl; tauto|reflexivity]. Qed.

Theorem none_live : forall i, size_is (live none i) 0.
Proof.
  intros i. apply (size_is_same (fun _ => False)); [|apply (none_size 0)].
  intros p. split; [tauto|]. intros (_ & later & _ & []).
Qed.

Theorem diagonal_size : forall i, 1 <= i -> size_is (diagonal i) 1.
Proof.
  intros i I. apply (size_is_same (fun p => i <= p < S i)); [|apply size_of_interval; lia].
  intros p. unfold diagonal. lia.
Qed.

Theorem diagonal_live : forall i, size_is (live diagonal i) 0.
Proof.
  intros i. apply (size_is_same (none i)); [|apply none_size].
  intros p. split; [intros []|]. intros (P & later & L & R). unfold diagonal in R. lia.
Qed.

Theorem dense_a_size : forall i, size_is (dense_a i) i.
Proof.
  intros i. apply (size_is_same (fun p => 1 <= p < S i)); [|apply size_of_interval; lia].
  intros p. unfold dense_a. lia.
Qed.

Theorem dense_b_size : forall i, size_is (dense_b i) (i - 1).
Proof. intros i. apply size_of_interval. reflexivity. Qed.

Theorem window_a_size : forall w i, size_is (window_a w i) (Nat.min i w).
Proof.
  intros w i. apply (size_is_same (fun p => S i - Nat.min i w <= p < S i)).
  - intros p. unfold window_a. lia.
  - apply size_of_interval. lia.
Qed.

Theorem window_b_size : forall w i, size_is (window_b w i) (Nat.min (i - 1) w).
Proof.
  intros w i. apply (size_is_same (fun p => i - Nat.min (i - 1) w <= p < i)).
  - intros p. unfold window_b. lia.
  - apply size_of_interval. lia.
Qed.

Theorem window_a_live : forall w i, size_is (live (window_a w) i) (Nat.min i (w - 1)).
Proof.
  intros w i. apply (size_is_same (fun p => S i - Nat.min i (w - 1) <= p < S i)); [|apply size_of_interval; lia].
  intros p. split.
  - intros L. split; [lia|]. exists (S i). unfold window_a. lia.
  - intros (P & later & L & R). unfold window_a in R. lia.
Qed.

Theorem window_b_live : forall w i, size_is (live (window_b w) i) (Nat.min i w).
Proof.
  intros w i. apply (size_is_same (fun p => S i - Nat.min i w <= p < S i)); [|apply size_of_interval; lia].
  intros p. split.
  - intros L. split; [lia|]. exists (S i). unfold window_b. lia.
  - intros (P & later & L & R). unfold window_b in R. lia.
Qed.

(* ---- rows of which every position is read for ever ----------------------------------------------- *)
Theorem everything_size : forall r i, everything r -> size_is (live r i) i.
Proof.
  intros r i E. apply (size_is_same (fun p => 1 <= p < S i)); [|apply size_of_interval; lia].
  intros p. rewrite (everything_live r E). lia.
Qed.

Theorem dense_a_everything : everything dense_a.
Proof. intros p b P. exists (S (p + b)). unfold dense_a. lia. Qed.

Theorem dense_b_everything : everything dense_b.
Proof. intros p b P. exists (S (p + b)). unfold dense_b. lia. Qed.

Theorem offsets_everything : forall f, increasing f -> everything (offsets f).
Proof.
  intros f F p b P. pose proof (increasing_above f F (S b)). exists (p + f (S b)). split; [lia|].
  exists (S b). lia.
Qed.

Theorem same_everything : forall r s, same r s -> everything s -> everything r.
Proof.
  intros r s E S p b P. destruct (S p b P) as (later & L & R). exists later. split; [assumption|apply E, R].
Qed.

Theorem union_everything_right : forall r s, everything s -> everything (union r s).
Proof. intros r s E p b P. destruct (E p b P) as (later & L & R). exists later. split; [|right]; auto. Qed.

(* ---- offsets and lattices ------------------------------------------------------------------------ *)
Theorem offsets_size : forall f i, increasing f -> exists c, size_is (offsets f i) c /\ counts f i c.
Proof.
  intros f i F. destruct (count_exists f i F) as (c & C). exists c. split; [|assumption].
  apply offsets_row_size; [assumption|]. apply counting_by_inverse; [assumption|].
  destruct C. apply counting_by_bracket; assumption.
Qed.

(* A set that is as large as some list of all its members allows has a size. *)
Lemma image_has_size : forall (g : nat -> nat) c,
  exists d, size_is (fun y => exists k, k < c /\ y = g k) d /\ d <= c.
Proof.
  intros g c. exists (length (nodup Nat.eq_dec (map g (seq 0 c)))). split.
  - exists (nodup Nat.eq_dec (map g (seq 0 c))). split; [apply NoDup_nodup|]. split; [|reflexivity].
    intros y. rewrite nodup_In, in_map_iff. split.
    + intros (k & <- & K). apply in_seq in K. exists k. split; [lia|reflexivity].
    + intros (k & K & ->). exists k. split; [reflexivity|]. apply in_seq. lia.
  - assert (length (map g (seq 0 c)) = c) as L by (rewrite map_length; apply seq_length).
    rewrite <- L at 2. apply NoDup_incl_length; [apply NoDup_nodup|]. intros y. rewrite nodup_In. tauto.
Qed.

(* |S_i| <= #{k : f(k) < i} *)
Theorem lattice_size : forall f i, increasing f ->
  exists c n, size_is (lattice f i) c /\ c <= n /\ counts f i n.
Proof.
  intros f i F. destruct (count_exists f i F) as (n & C).
  destruct (image_has_size (fun k => place f k i) n) as (c & Sc & L). exists c, n.
  split; [|auto]. apply (size_is_same _ _ _) with (2 := Sc). intros p. destruct C as (A & B). split.
  - intros (k & K & ->). exists k. split; [|reflexivity].
    pose proof (increasing_pairs f F k (n - 1)). lia.
  - intros (k & K & ->). exists k. split; [|reflexivity]. apply (increasing_lt f F). lia.
Qed.

(* live(i) = S_{i+1} *)
Theorem lattice_live_size : forall f i c, increasing f -> f 0 = 1 ->
  size_is (lattice f (S i)) c -> size_is (live (lattice f) i) c.
Proof. intros f i c F F0. apply size_is_same. intros p. symmetry. apply lattice_live; assumption. Qed.

(* gaps in a constant ratio: |S_i| = #{k : f(k) < i} *)
Theorem lattice_size_of_ratio : forall f r i c n, increasing f ->
  (forall k, gap f (S k) = r * gap f k) -> size_is (lattice f i) c -> counts f i n -> c = n.
Proof.
  intros f r i c n F R C (A & B). apply (size_unique _ _ _ C). apply (ratio_row_size f r F R).
  apply counting_by_bracket; assumption.
Qed.

(* a_{k+w} <= f(k+w) - f(k): at least every w-th position is distinct *)
Theorem lattice_size_of_spread : forall f w i c n, increasing f -> 1 <= w ->
  (forall k, stride f (k + w) <= f (k + w) - f k) ->
  size_is (lattice f i) c -> counts f i n -> n <= w * c.
Proof.
  intros f w i c n F W A C (B & D).
  destruct (le_lt_dec n (w * c)) as [L|L]; [assumption|]. exfalso.
  destruct (lattice_row_spread f 0 w F W (fun k _ => A k) i n (S c)) as (l & N & I & E).
  - apply counting_by_bracket; assumption.
  - intros _. lia.
  - pose proof (size_is_at_most _ _ C l N I). lia.
Qed.

(* k^2 + 1: every second one *)
Theorem squares_spread : forall f, (forall k, f k = k * k + 1) ->
  forall k, stride f (k + 2) <= f (k + 2) - f k.
Proof.
  intros f E k. assert (increasing f) as F by (intros m; rewrite !E; nia).
  assert (forall m, gap f m < gap f (S m)) as G by (intros m; unfold gap; rewrite !E; nia).
  pose proof (strictly_convex_strides f F G k) as St. replace (k + 2) with (S (S k)) by lia.
  unfold gap in St. rewrite !E in *. nia.
Qed.

(* ---- unions ---------------------------------------------------------------------------------------- *)
Theorem union_size : forall (r s : rows) i c d, (forall p, r i p -> s i p -> False) ->
  size_is (r i) c -> size_is (s i) d -> size_is (union r s i) (c + d).
Proof. intros r s i c d D. apply size_of_disjoint_union, D. Qed.
