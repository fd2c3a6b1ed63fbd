(* SPDX-License-Identifier: Apache-2.0
   Unions, intersections and differences of rows: their sizes, their live sets, and which of
   "nothing", "nested" and "everything" they inherit. Fixed positions, columns and ranges. *)
Require Import Arith Lia.
From heddle Require Import sets increasing rows.

Definition union (r s : rows) : rows := fun i p => r i p \/ s i p.
Definition intersection (r s : rows) : rows := fun i p => r i p /\ s i p.
Definition difference (r s : rows) : rows := fun i p => r i p /\ ~ s i p.

(* Causality of a union needs both parts, of an intersection one, of a difference the left one. *)
Theorem union_causal : forall r s, causal_b r -> causal_b s -> causal_b (union r s).
Proof. intros r s R S i p [H|H]; [apply R|apply S]; assumption. Qed.

Theorem intersection_causal : forall r s, causal_b r \/ causal_b s -> causal_b (intersection r s).
Proof. intros r s [C|C] i p [R S]; apply C; assumption. Qed.

Theorem difference_causal : forall r s, causal_b r -> causal_b (difference r s).
Proof. intros r s C i p [R _]. apply C, R. Qed.

Theorem union_causal_a : forall r s, causal_a r -> causal_a s -> causal_a (union r s).
Proof. intros r s R S i p [H|H]; [apply R|apply S]; assumption. Qed.

Theorem intersection_causal_a : forall r s, causal_a r \/ causal_a s -> causal_a (intersection r s).
Proof. intros r s [C|C] i p [R S]; apply C; assumption. Qed.

Theorem difference_causal_a : forall r s, causal_a r -> causal_a (difference r s).
Proof. intros r s C i p [R _]. apply C, R. Qed.

(* max(|S|, |T|) <= |S union T| <= |S| + |T| *)
Theorem union_row_size : forall (S T : set) c d u, size_is S c -> size_is T d ->
  size_is (fun p => S p \/ T p) u -> Nat.max c d <= u <= c + d.
Proof.
  intros S T c d u C D U. split.
  - apply Nat.max_lub.
    + apply (size_between _ c u u U); [|apply size_is_at_most, U].
      destruct C as (l & N & I & L). exists l. split; [assumption|]. split; [|assumption].
      intros x Ix. left. apply I, Ix.
    + apply (size_between _ d u u U); [|apply size_is_at_most, U].
      destruct D as (l & N & I & L). exists l. split; [assumption|]. split; [|assumption].
      intros x Ix. right. apply I, Ix.
  - apply (size_between _ 0 u _ U); [|apply size_of_union; assumption].
    exists nil. split; [constructor|]. split; [intros x []|reflexivity].
Qed.

(* |S and T| <= min(|S|, |T|) *)
Theorem intersection_row_size : forall (S T : set) c d, size_at_most S c -> size_at_most T d ->
  size_at_most (fun p => S p /\ T p) (Nat.min c d).
Proof.
  intros S T c d C D l N I. apply Nat.min_glb; [apply C|apply D]; try assumption;
    intros x Ix; apply I, Ix.
Qed.

(* |S| - |T| <= |S - T| <= |S| *)
Theorem difference_row_size : forall (S T : set) c d u, size_is S c -> size_is T d ->
  size_is (fun p => S p /\ ~ T p) u -> c - d <= u <= c.
Proof.
  intros S T c d u C D U. split.
  - assert (size_at_most S (u + d)) as B; [|destruct C as (l & N & I & <-)].
    + destruct U as (l & Nl & Il & <-), D as (m & Nm & Im & <-). intros k Nk Ik.
      rewrite <- List.app_length. apply List.NoDup_incl_length; [assumption|].
      intros x Ix. apply List.in_or_app.
      destruct (List.in_dec Nat.eq_dec x m) as [M|M]; [right; assumption|left].
      apply Il. split; [apply Ik, Ix|]. intros Tx. apply M, Im, Tx.
    + specialize (B l N). assert (length l <= u + d); [|lia]. apply B. intros x. apply I.
  - apply (size_between _ 0 u _ U).
    + exists nil. split; [constructor|]. split; [intros x []|reflexivity].
    + apply (size_of_subset _ S); [tauto|]. apply size_is_at_most, C.
Qed.

(* live of a union is the union of the live sets *)
Theorem live_of_union : forall r s i p, live (union r s) i p <-> live r i p \/ live s i p.
Proof.
  intros r s i p. split.
  - intros (P & later & L & [R|S]); [left|right]; (split; [assumption|exists later; auto]).
  - intros [(P & later & L & R)|(P & later & L & S)];
      (split; [assumption|exists later; split; [assumption|]]); [left|right]; assumption.
Qed.

(* live of an intersection is within both, live of a difference within the left *)
Theorem live_of_intersection : forall r s i p,
  live (intersection r s) i p -> live r i p /\ live s i p.
Proof. intros r s i p (P & later & L & R & S). repeat split; try lia; exists later; auto. Qed.

Theorem live_of_difference : forall r s i p, live (difference r s) i p -> live r i p.
Proof. intros r s i p (P & later & L & R & _). split; [assumption|]. exists later. auto. Qed.

(* unions and intersections of nested rows are nested *)
Theorem union_nested : forall r s, nested r -> nested s -> nested (union r s).
Proof.
  intros r s R S i p L [H|H]; [destruct (R i p L H)|destruct (S i p L H)]; unfold union; tauto.
Qed.

Theorem intersection_nested : forall r s, nested r -> nested s -> nested (intersection r s).
Proof.
  intros r s R S i p L [H K]. destruct (R i p L H), (S i p L K); unfold intersection; tauto.
Qed.

(* Row i + 1 reads nothing in 1..i; each p is read by rows as late as one likes. *)
Definition nothing (r : rows) : Prop := forall i p, 1 <= p <= i -> ~ r (S i) p.
Definition everything (r : rows) : Prop := forall p b, 1 <= p -> exists later, b < later /\ r later p.
Definition reach_at_most (r : rows) (m : nat) : Prop := forall i p, r i p -> i <= p + m.

Theorem nothing_live : forall r, nothing r -> forall i p, ~ live r i p.
Proof.
  intros r N i p (P & later & L & R). apply (N (later - 1) p); [lia|].
  replace (S (later - 1)) with later by lia. assumption.
Qed.

Theorem nothing_nested : forall r, nothing r -> (forall i p, r i p -> 1 <= p) -> nested r.
Proof.
  intros r N C i p L R. pose proof (C _ _ R). destruct (N i p); [lia|assumption].
Qed.

Theorem everything_live : forall r, everything r -> forall i p, live r i p <-> 1 <= p <= i.
Proof.
  intros r E i p. split; [intros (P & _); assumption|]. intros P. split; [assumption|].
  apply E. lia.
Qed.

Theorem union_everything : forall r s, everything r -> everything (union r s).
Proof. intros r s E p b P. destruct (E p b P) as (later & L & R). exists later. split; [|left]; auto. Qed.

(* nested and everything: row(i+1) reads all of 1..i, so that an intersection reads as its other part *)
Theorem nested_and_everything : forall r, nested r -> everything r ->
  forall i p, 1 <= p <= i -> r (S i) p.
Proof.
  intros r N E i p P. apply (live_of_nested r N), (everything_live r E). assumption.
Qed.

Theorem live_of_full_intersection : forall r s, nested r -> everything r ->
  forall i p, live (intersection r s) i p <-> live s i p.
Proof.
  intros r s N E i p. split; [apply live_of_intersection|].
  intros (P & later & L & K). split; [assumption|]. exists later. split; [assumption|].
  split; [|assumption]. replace later with (S (later - 1)) by lia.
  apply (nested_and_everything r N E). lia.
Qed.

(* nothing in one part leaves nothing in an intersection; nothing in the left leaves nothing *)
Theorem intersection_nothing : forall r s, nothing r \/ nothing s -> nothing (intersection r s).
Proof. intros r s [N|N] i p P [R S]; apply (N i p P); assumption. Qed.

Theorem difference_nothing : forall r s, nothing r -> nothing (difference r s).
Proof. intros r s N i p P [R _]. apply (N i p P R). Qed.

(* taking nothing away changes no later read *)
Theorem difference_of_nothing : forall r s, nothing s ->
  forall i p, live (difference r s) i p <-> live r i p.
Proof.
  intros r s N i p. split; [apply live_of_difference|].
  intros (P & later & L & R). split; [assumption|]. exists later. split; [assumption|].
  split; [assumption|]. intros K. apply (N (later - 1) p); [lia|].
  replace (S (later - 1)) with later by lia. assumption.
Qed.

(* reads of p taken away end at p + m, those of the left part do not *)
Theorem difference_everything : forall r s m,
  everything r -> reach_at_most s m -> everything (difference r s).
Proof.
  intros r s m E M p b P. destruct (E p (b + p + m) P) as (later & L & R). exists later.
  split; [lia|]. split; [assumption|]. intros S. specialize (M later p S). lia.
Qed.

(* the reach of a union is the larger, of an intersection each of the two, of a difference the left *)
Theorem union_reach : forall r s m n,
  reach_at_most r m -> reach_at_most s n -> reach_at_most (union r s) (Nat.max m n).
Proof. intros r s m n R S i p [H|H]; [specialize (R i p H)|specialize (S i p H)]; lia. Qed.

Theorem intersection_reach : forall r s m,
  reach_at_most r m \/ reach_at_most s m -> reach_at_most (intersection r s) m.
Proof. intros r s m [R|R] i p [H K]; apply R; assumption. Qed.

Theorem difference_reach : forall r s m, reach_at_most r m -> reach_at_most (difference r s) m.
Proof. intros r s m R i p [H _]. apply R, H. Qed.

(* {p in P : p <= i}, or p < i: fixed positions are read for ever, live(i) = {p in P : p <= i} *)
Definition positions (P : set) : rows := fun i p => P p /\ 1 <= p <= i.
Definition positions_before (P : set) : rows := fun i p => P p /\ 1 <= p < i.

Theorem live_of_positions : forall P i p, live (positions P) i p <-> P p /\ 1 <= p <= i.
Proof.
  intros P i p. split; [intros (L & later & _ & Pp & _); tauto|].
  intros (Pp & L). split; [assumption|]. exists (S i). split; [lia|]. split; [assumption|lia].
Qed.

Theorem live_of_positions_before : forall P i p,
  live (positions_before P) i p <-> P p /\ 1 <= p <= i.
Proof.
  intros P i p. split; [intros (L & later & _ & Pp & _); tauto|].
  intros (Pp & L). split; [assumption|]. exists (S i). split; [lia|]. split; [assumption|lia].
Qed.

(* columns: whether p is read, once p <= i (or p < i), does not depend on i *)
Theorem columns_nested : forall P, nested (positions P) /\ nested (positions_before P).
Proof.
  intros P. split; intros i p L (Pp & B).
  - left. split; [assumption|lia].
  - destruct (Nat.eq_dec p i) as [E|E]; [right; assumption|left]. split; [assumption|lia].
Qed.

(* {low(i) .. high(i)} with low never falling, high = min of i, i - 1 and constants, is nested *)
Definition range (low high : nat -> nat) : rows := fun i p => low i <= p <= high i.

(* Row i stops at i - 1 or later, or row i + 1 reads nothing more of 1..i. *)
Definition follows (high : nat -> nat) : Prop :=
  forall i, i <= S (high i) \/ Nat.min i (high (S i)) <= high i.

Theorem range_nested : forall low high, (forall i, low i <= low (S i)) -> follows high ->
  nested (range low high).
Proof.
  intros low high Low High i p L (A & B). specialize (Low i). specialize (High i).
  destruct (le_lt_dec p (high i)); [left; split; lia|right; lia].
Qed.

Theorem follows_row : follows (fun i => i).
Proof. intros i. simpl. lia. Qed.
Theorem follows_before : follows (fun i => i - 1).
Proof. intros i. simpl. lia. Qed.
Theorem follows_constant : forall c, follows (fun _ => c).
Proof. intros c i. simpl. lia. Qed.
Theorem follows_min : forall g h, follows g -> follows h -> follows (fun i => Nat.min (g i) (h i)).
Proof. intros g h G H i. specialize (G i). specialize (H i). simpl. lia. Qed.

(* conditions free of i keep or drop a position in all rows alike: nested stays nested *)
Theorem filtered_nested : forall r (P : set), nested r -> nested (fun i p => r i p /\ P p).
Proof. intros r P N i p L (R & Pp). destruct (N i p L R); tauto. Qed.

(* {l..h} and {m..k} meet in the range from the later start to the earlier end *)
Theorem ranges_meet : forall l h m k i p,
  range l h i p /\ range m k i p <->
  range (fun i => Nat.max (l i) (m i)) (fun i => Nat.min (h i) (k i)) i p.
Proof. intros. unfold range. lia. Qed.

(* |{low..high}| = max(0, high - low + 1) *)
Theorem range_size : forall low high i, size_is (range low high i) (S (high i) - low i).
Proof.
  intros low high i. apply (size_is_same (fun p => low i <= p < S (high i))).
  - intros p. unfold range. lia.
  - apply size_of_interval. reflexivity.
Qed.
