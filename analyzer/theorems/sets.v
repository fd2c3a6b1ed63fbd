(* SPDX-License-Identifier: Apache-2.0
   Finite sets of naturals and their sizes. A set is a predicate; it has size c when a list without
   duplicates of length c holds exactly its members. What every other file counts with. *)
Require Import Arith Lia List.
Import ListNotations.

Definition set := nat -> Prop.

Definition size_is (S : set) (c : nat) : Prop :=
  exists l, NoDup l /\ (forall x, In x l <-> S x) /\ length l = c.

(* No list of distinct members is longer than c. *)
Definition size_at_most (S : set) (c : nat) : Prop :=
  forall l, NoDup l -> (forall x, In x l -> S x) -> length l <= c.

Definition size_at_least (S : set) (c : nat) : Prop :=
  exists l, NoDup l /\ (forall x, In x l -> S x) /\ length l = c.

(* |S| = c and |S| = d give c = d *)
Theorem size_unique : forall S c d, size_is S c -> size_is S d -> c = d.
Proof.
  intros S c d (l & Hl & Il & <-) (m & Hm & Im & <-).
  apply Nat.le_antisymm; apply NoDup_incl_length; auto; intros x Hx.
  - apply Im, Il, Hx.
  - apply Il, Im, Hx.
Qed.

Theorem size_is_same : forall S T c, (forall x, S x <-> T x) -> size_is S c -> size_is T c.
Proof.
  intros S T c E (l & Hl & Il & Lc). exists l. split; [assumption|]. split; [|assumption].
  intros x. rewrite Il. apply E.
Qed.

Theorem size_is_at_most : forall S c, size_is S c -> size_at_most S c.
Proof.
  intros S c (l & Hl & Il & <-) m Hm Im. apply NoDup_incl_length; [assumption|].
  intros x Hx. apply Il, Im, Hx.
Qed.

Theorem size_is_at_least : forall S c, size_is S c -> size_at_least S c.
Proof. intros S c (l & Hl & Il & Lc). exists l. split; [|split]; auto. intros x. apply Il. Qed.

(* S within T gives |S| <= |T| *)
Theorem size_of_subset : forall (S T : set) c,
  (forall x, S x -> T x) -> size_at_most T c -> size_at_most S c.
Proof. intros S T c E H l Hl Il. apply H; auto. Qed.

Theorem size_between : forall S low c high,
  size_is S c -> size_at_least S low -> size_at_most S high -> low <= c <= high.
Proof.
  intros S low c high Hc (l & Hl & Il & <-) Hhigh. split.
  - exact (size_is_at_most S c Hc l Hl Il).
  - destruct Hc as (m & Hm & Im & <-). apply Hhigh; [assumption|]. intros x. apply Im.
Qed.

(* |{low, ..., high - 1}| = high - low *)
Theorem size_of_interval : forall low high c,
  high - low = c -> size_is (fun x => low <= x < high) c.
Proof.
  intros low high c <-. exists (seq low (high - low)). split; [apply seq_NoDup|]. split.
  - intros x. rewrite in_seq. lia.
  - apply seq_length.
Qed.

Lemma NoDup_map : forall (g : nat -> nat) (l : list nat),
  (forall x y, In x l -> In y l -> g x = g y -> x = y) -> NoDup l -> NoDup (map g l).
Proof.
  intros g l. induction l as [|a l IH]; intros G N; simpl; [constructor|].
  inversion N as [|? ? Na Nl]; subst. constructor.
  - intros I. apply in_map_iff in I. destruct I as (b & E & Ib).
    assert (b = a) as -> by (apply G; simpl; auto). contradiction.
  - apply IH; [|assumption]. intros x y Ix Iy. apply G; simpl; auto.
Qed.

(* g one-to-one on S gives |g(S)| = |S| *)
Theorem size_of_image : forall (S : set) (g : nat -> nat) c,
  (forall x y, S x -> S y -> g x = g y -> x = y) ->
  size_is S c -> size_is (fun y => exists x, S x /\ y = g x) c.
Proof.
  intros S g c G (l & Hl & Il & Lc). exists (map g l). split; [|split].
  - apply NoDup_map; [|assumption]. intros x y Ix Iy. apply G; apply Il; assumption.
  - intros y. rewrite in_map_iff. split.
    + intros (x & E & Ix). exists x. split; [apply Il, Ix|auto].
    + intros (x & Sx & E). exists x. split; [auto|apply Il, Sx].
  - rewrite map_length. assumption.
Qed.

(* |g(S)| <= |S| *)
Theorem size_of_any_image : forall (S : set) (g : nat -> nat) c,
  size_is S c -> size_at_most (fun y => exists x, S x /\ y = g x) c.
Proof.
  intros S g c (l & Hl & Il & <-) m Hm Im.
  rewrite <- (map_length g l). apply NoDup_incl_length; [assumption|].
  intros y Iy. destruct (Im y Iy) as (x & Sx & ->). apply in_map, Il, Sx.
Qed.

(* |S union T| <= |S| + |T| *)
Theorem size_of_union : forall (S T : set) c d,
  size_is S c -> size_is T d -> size_at_most (fun x => S x \/ T x) (c + d).
Proof.
  intros S T c d (l & Hl & Il & <-) (m & Hm & Im & <-) u Hu Iu.
  rewrite <- app_length. apply NoDup_incl_length; [assumption|].
  intros x Ix. apply in_or_app. destruct (Iu x Ix); [left; apply Il|right; apply Im]; assumption.
Qed.

(* S and T disjoint: |S union T| = |S| + |T| *)
Theorem size_of_disjoint_union : forall (S T : set) c d,
  (forall x, S x -> T x -> False) ->
  size_is S c -> size_is T d -> size_is (fun x => S x \/ T x) (c + d).
Proof.
  intros S T c d D (l & Hl & Il & <-) (m & Hm & Im & <-). exists (l ++ m). split; [|split].
  - clear - D Hl Hm Il Im. assert (forall x, In x l -> ~ In x m) as D'
      by (intros x A B; apply (D x); [apply Il|apply Im]; assumption).
    clear D Il Im. induction l as [|a l IH]; simpl; [assumption|].
    inversion Hl; subst. constructor.
    + rewrite in_app_iff. intros [I|I]; [contradiction|]. apply (D' a); simpl; auto.
    + apply IH; auto. intros x Ix. apply D'. simpl. auto.
  - intros x. rewrite in_app_iff, Il, Im. reflexivity.
  - apply app_length.
Qed.

(* A decidable part of a finite set is finite. *)
Theorem size_of_part : forall (S T : set) c,
  (forall x, T x \/ ~ T x) -> size_is S c -> exists d, size_is (fun x => S x /\ T x) d.
Proof.
  intros S T c D (l & Hl & Il & _).
  assert (forall m, NoDup m -> exists k, NoDup k /\ (forall x, In x k <-> In x m /\ T x)) as F.
  { induction m as [|a m IH]; intros N.
    - exists []. split; [constructor|]. simpl. tauto.
    - inversion N; subst. destruct IH as (k & Nk & Ik); [assumption|].
      destruct (D a) as [Ta|Ta].
      + exists (a :: k). split; [constructor; [rewrite Ik; tauto|assumption]|].
        intros x. simpl. rewrite Ik. split; [intros [->|?]; tauto|tauto].
      + exists k. split; [assumption|]. intros x. simpl. rewrite Ik.
        split; [tauto|]. intros [[->|?] ?]; tauto. }
  destruct (F l Hl) as (k & Nk & Ik). exists (length k), k. split; [assumption|]. split; [|reflexivity].
  intros x. rewrite Ik, Il. reflexivity.
Qed.

(* |S union T| = |S| + |T| - |S and T| *)
Theorem size_of_overlapping_union : forall (S T : set) c d e,
  size_is S c -> size_is T d -> size_is (fun x => S x /\ T x) e ->
  size_is (fun x => S x \/ T x) (c + d - e).
Proof.
  intros S T c d e (l & Hl & Il & <-) (m & Hm & Im & <-) E.
  pose (rest := filter (fun x => if in_dec Nat.eq_dec x l then false else true) m).
  pose (both := filter (fun x => if in_dec Nat.eq_dec x l then true else false) m).
  assert (forall x, In x rest <-> T x /\ ~ S x) as Ir.
  { intros x. unfold rest. rewrite filter_In, Im. destruct (in_dec Nat.eq_dec x l) as [I|I];
      rewrite Il in I; intuition discriminate. }
  assert (forall x, In x both <-> S x /\ T x) as Ib.
  { intros x. unfold both. rewrite filter_In, Im. destruct (in_dec Nat.eq_dec x l) as [I|I];
      rewrite Il in I; intuition discriminate. }
  assert (length both = e) as <-.
  { apply (size_unique (fun x => S x /\ T x)); [|assumption]. exists both.
    split; [apply NoDup_filter; assumption|]. split; [exact Ib|reflexivity]. }
  assert (length m = length both + length rest) as L.
  { unfold both, rest. clear. induction m as [|x m IH]; [reflexivity|]. simpl.
    destruct (in_dec Nat.eq_dec x l); simpl; lia. }
  replace (length l + length m - length both) with (length l + length rest) by lia.
  apply (size_is_same (fun x => S x \/ (T x /\ ~ S x))).
  - intros x. split; [tauto|]. intros [Sx|Tx]; [left; assumption|].
    destruct (in_dec Nat.eq_dec x l) as [I|I]; rewrite Il in I; tauto.
  - apply size_of_disjoint_union.
    + tauto.
    + exists l. auto.
    + exists rest. split; [apply NoDup_filter; assumption|]. split; [exact Ir|reflexivity].
Qed.

(* S within T gives |S union T| = |T| *)
Theorem size_of_absorbed_union : forall (S T : set) d,
  (forall x, S x -> T x) -> size_is T d -> size_is (fun x => S x \/ T x) d.
Proof. intros S T d W. apply size_is_same. intros x. split; [tauto|]. intros [Sx|Tx]; auto. Qed.
