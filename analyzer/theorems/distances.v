(* SPDX-License-Identifier: Apache-2.0
   Rows {i - d : d in D, d < i}: unbounded D keeps everything, live(i) = 1..i, so that every offsets
   pattern has cache(i) = i; D with largest member m keeps the last m positions, a window w of them. *)
Require Import Arith Lia.
From heddle Require Import sets increasing counting_by_inverse rows.

Definition distances (D : set) : rows := fun i p => exists d, D d /\ d < i /\ p = i - d.

(* distances of at least 1 give positions in 1..i-1, any distances positions in 1..i *)
Theorem distances_causal_b : forall (D : set), (forall d, D d -> 1 <= d) -> causal_b (distances D).
Proof. intros D P i p (d & Dd & L & ->). specialize (P d Dd). lia. Qed.

Theorem distances_causal_a : forall D, causal_a (distances D).
Proof. intros D i p (d & Dd & L & ->). lia. Qed.

(* |row(i)| = #{d in D : d < i} *)
Theorem distances_row_size : forall (D : set) i c,
  size_is (fun d => D d /\ d < i) c -> size_is (distances D i) c.
Proof.
  intros D i c C. apply (size_of_image _ (fun d => i - d)) in C; [|intros; lia].
  apply (size_is_same _ _ _) with (2 := C). intros p. split.
  - intros (d & (Dd & L) & E). exists d. auto.
  - intros (d & Dd & L & E). exists d. auto.
Qed.

(* offsets(f) has the distances f(0), f(1), ... *)
Theorem offsets_are_distances : forall f i p,
  offsets f i p <-> distances (fun d => exists k, d = f k) i p.
Proof.
  intros f i p. split.
  - intros (k & K & E). exists (f k). split; [exists k; reflexivity|auto].
  - intros (d & (k & ->) & K & E). exists k. auto.
Qed.

(* D unbounded: live(i) = 1..i, because row p + d reads p for a d in D above i - p *)
Theorem unbounded_keeps_everything : forall (D : set), (forall b, exists d, D d /\ b < d) ->
  forall i p, live (distances D) i p <-> 1 <= p <= i.
Proof.
  intros D U i p. split; [intros (P & _); assumption|]. intros P. split; [assumption|].
  destruct (U (i - p)) as (d & Dd & L). exists (p + d). split; [lia|].
  exists d. split; [assumption|]. lia.
Qed.

(* cache(i) = i for every strictly increasing f *)
Theorem offsets_keep_everything : forall f, increasing f -> forall i, size_is (live (offsets f) i) i.
Proof.
  intros f F i. apply (size_is_same (fun p => 1 <= p < S i)); [|apply size_of_interval; lia].
  intros p. split.
  - intros P. destruct (unbounded_keeps_everything (fun d => exists k, d = f k)) with (i := i) (p := p)
      as (_ & (P' & later & L & R)); [|lia|].
    + intros b. exists (f (S b)). split; [eexists; reflexivity|].
      pose proof (increasing_above f F (S b)). lia.
    + split; [assumption|]. exists later. split; [assumption|]. apply offsets_are_distances, R.
  - intros (P & _). lia.
Qed.

(* D with largest member m: live(i) = {p <= i : i < p + m}, min(m, i) positions *)
Theorem bounded_keeps_the_last : forall (D : set) m, D m -> (forall d, D d -> d <= m) ->
  forall i p, live (distances D) i p <-> 1 <= p <= i /\ i < p + m.
Proof.
  intros D m Dm M i p. split.
  - intros (P & later & L & d & Dd & Ld & E). specialize (M d Dd). lia.
  - intros (P & L). split; [assumption|]. exists (p + m). split; [assumption|].
    exists m. split; [assumption|]. lia.
Qed.

Theorem bounded_cache : forall (D : set) m, D m -> (forall d, D d -> d <= m) ->
  forall i, size_is (live (distances D) i) (Nat.min m i).
Proof.
  intros D m Dm M i. apply (size_is_same (fun p => S i - Nat.min m i <= p < S i)).
  - intros p. rewrite (bounded_keeps_the_last D m Dm M). lia.
  - apply size_of_interval. lia.
Qed.

(* no distances: nothing stays live *)
Theorem nothing_kept : forall (D : set), (forall d, ~ D d) -> forall i, size_is (live (distances D) i) 0.
Proof.
  intros D N i. exists nil. split; [constructor|]. split; [|reflexivity].
  intros p. split; [intros []|]. intros (_ & later & _ & d & Dd & _). destruct (N d Dd).
Qed.

(* window(w) has the distances 1..w on B, 0..w-1 on A *)
Definition window (first w : nat) : set := fun d => first <= d < first + w.

(* cache(i) = min(w, i) on B, min(w - 1, i) on A *)
Theorem window_cache : forall first w, 1 <= w ->
  forall i, size_is (live (distances (window first w)) i) (Nat.min (first + w - 1) i).
Proof. intros first w W. apply bounded_cache; unfold window; [lia|]. intros d. lia. Qed.

(* no row after p + m reads p *)
Theorem bounded_reach : forall (D : set) m, (forall d, D d -> d <= m) ->
  forall i p, distances D i p -> i <= p + m.
Proof. intros D m M i p (d & Dd & L & ->). specialize (M d Dd). lia. Qed.

(* rows of the distances D are nested if and only if D \ {0} is closed downwards to 1 *)
Theorem nested_distances : forall D,
  nested (distances D) <-> forall d, 1 <= d -> D (S d) -> D d.
Proof.
  intros D. split.
  - intros N d P Dd. destruct (N (S d) 1) as [(e & De & L & E)|E]; [lia| | |lia].
    + exists (S d). split; [assumption|]. lia.
    + replace d with e by lia. assumption.
  - intros C i p L (d & Dd & Ld & ->). destruct d as [|[|d]].
    + lia.
    + right. lia.
    + left. exists (S d). split; [apply C; [lia|assumption]|]. lia.
Qed.
