(* SPDX-License-Identifier: Apache-2.0
   For offsets patterns congestion(n) <= hops over the distance n: all n copies take the same steps,
   and a token is met at most once per step, because it cannot be both a source and a target. *)
Require Import Arith Lia List.
From heddle Require Import sets rows paths capacity_law distances step_sums.
Import ListNotations.

(* The sums s with v = j + s on the way of source j. *)
Fixpoint sums (steps : list nat) : list nat :=
  match steps with
  | [] => [0]
  | d :: rest => sum steps :: sums rest
  end.

Lemma in_along : forall j steps v, In v (along j steps) <-> exists s, In s (sums steps) /\ v = j + s.
Proof.
  intros j steps v. induction steps as [|d steps IH].
  - simpl. split; [intros [<-|[]]; exists 0; auto|]. intros (s & [<-|[]] & ->). auto.
  - cbn [along sums In]. rewrite IH. split.
    + intros [<-|(s & S & ->)]; [exists (sum (d :: steps)); auto|exists s; auto].
    + intros (s & [<-|S] & ->); [left; reflexivity|right; exists s; auto].
Qed.

Lemma sums_length : forall steps, length (sums steps) = S (length steps).
Proof. induction steps; simpl; congruence. Qed.

Lemma zero_in_sums : forall steps, In 0 (sums steps).
Proof. induction steps; simpl; auto. Qed.

Lemma total_in_sums : forall steps, In (sum steps) (sums steps).
Proof. destruct steps; simpl; auto. Qed.

Lemma remove_length : forall x l, In x l -> S (length (remove Nat.eq_dec x l)) <= length l.
Proof.
  intros x l. induction l as [|y l IH]; intros I; [destruct I|]. simpl.
  destruct (Nat.eq_dec x y) as [E|E].
  - pose proof (remove_length_le Nat.eq_dec l x). lia.
  - destruct I as [I|I]; [congruence|]. specialize (IH I). simpl. lia.
Qed.

(* n >= 1 a sum of h members of D: congestion(n) <= h *)
Theorem translation_law : forall D : set, (forall d, D d -> 1 <= d) ->
  forall n steps, 1 <= n -> Forall D steps -> sum steps = n ->
  congestion_at_most (distances D) n (length steps).
Proof.
  intros D Positive n steps N F E. exists (fun j => along j steps). split.
  - intros j J. rewrite <- E. apply along_is_path; [lia|assumption].
  - intros v. unfold load.
    set (met := filter _ _).
    assert (NoDup met) as Nm by apply NoDup_filter, seq_NoDup.
    assert (forall j, In j met <-> 1 <= j <= n /\ exists s, In s (sums steps) /\ v = j + s) as Im.
    { intros j. unfold met. rewrite filter_In, in_seq.
      destruct (in_dec Nat.eq_dec v (along j steps)) as [I|I]; rewrite in_along in I.
      - split; intros H; [split; [lia|assumption]|split; [lia|reflexivity]].
      - split; intros H; [destruct H; discriminate|destruct H; contradiction]. }
    (* A source j <= n meets v = j + s; s = n needs v > n, s = 0 needs v <= n. *)
    assert (exists x, In x (sums steps) /\ forall j, In j met -> v - j <> x) as (x & Ix & X).
    { destruct (le_lt_dec v n) as [L|L].
      - exists n. split; [rewrite <- E; apply total_in_sums|]. intros j J. apply Im in J. lia.
      - exists 0. split; [apply zero_in_sums|]. intros j J. apply Im in J. lia. }
    assert (length met <= length (remove Nat.eq_dec x (sums steps))) as B.
    { rewrite <- (map_length (fun j => v - j) met). apply NoDup_incl_length.
      - apply NoDup_map; [|assumption]. intros j k J K Q.
        apply Im in J; apply Im in K. destruct J as (_ & s & _ & Ej), K as (_ & t & _ & Ek). lia.
      - intros s S. apply in_map_iff in S. destruct S as (j & <- & J).
        apply in_in_remove; [apply X, J|]. apply Im in J. destruct J as (_ & s & S & ->).
        replace (j + s - j) with s by lia. assumption. }
    pose proof (remove_length x (sums steps) Ix) as R. rewrite sums_length in R. lia.
Qed.
