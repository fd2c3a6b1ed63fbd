(* SPDX-License-Identifier: Apache-2.0
   f = 1, 2, 3, 5, 8, ...: every d is a sum of f(k) with no two neighbouring k (Zeckendorf), and no
   sum of fewer offsets gives d: hops(i, j) is the length of that sum, at most floor(g / 2) + 1 for
   f(g) <= i - j < f(g+1). *)
Require Import Arith Lia List.
From heddle Require Import sets increasing rows paths distances step_sums greedy_hops.
Import ListNotations.

Fixpoint fib (k : nat) : nat :=
  match k with
  | 0 => 1
  | S m => match m with
           | 0 => 2
           | S n => fib m + fib n
           end
  end.

Lemma fib_step : forall k, fib (S (S k)) = fib (S k) + fib k.
Proof. reflexivity. Qed.

Lemma fib_positive : forall k, 1 <= fib k.
Proof.
  induction k as [k IH] using lt_wf_ind. destruct k as [|[|k]]; [simpl; lia|simpl; lia|].
  rewrite fib_step. specialize (IH k). lia.
Qed.

Theorem fib_increasing : increasing fib.
Proof.
  intros k. destruct k as [|k]; [simpl; lia|]. rewrite fib_step. pose proof (fib_positive k). lia.
Qed.

(* Indices, largest first, each at least two below the one before it. *)
Inductive zeckendorf : list nat -> Prop :=
| zeckendorf_none : zeckendorf []
| zeckendorf_one : forall k, zeckendorf [k]
| zeckendorf_more : forall k m ks, m + 2 <= k -> zeckendorf (m :: ks) -> zeckendorf (k :: m :: ks).

Definition total (ks : list nat) : nat := sum (map fib ks).

(* the sum is less than the next offset *)
Theorem zeckendorf_below : forall k ks, zeckendorf (k :: ks) -> total (k :: ks) < fib (S k).
Proof.
  intros k ks. revert k. induction ks as [|m ks IH]; intros k Z; unfold total in *; cbn [map sum].
  - pose proof (fib_increasing k). lia.
  - inversion Z as [| |? ? ? L Z']; subst. specialize (IH m Z'). cbn [map sum] in IH.
    destruct k as [|k]; [lia|]. rewrite fib_step.
    pose proof (increasing_pairs fib fib_increasing (S m) k). lia.
Qed.

(* Existence: d < f(g+1) is such a sum with largest index at most g *)
Theorem zeckendorf_exists : forall g d, d < fib (S g) ->
  exists ks, zeckendorf ks /\ total ks = d /\ forall k, In k ks -> k <= g.
Proof.
  induction g as [g IH] using lt_wf_ind. intros d D.
  destruct (Nat.eq_dec d 0) as [->|Z].
  { exists []. split; [constructor|]. split; [reflexivity|]. intros k []. }
  destruct (increasing_bracket fib fib_increasing d) as (h & B); [simpl; lia|].
  assert (h <= g) as H by (pose proof (increasing_lt fib fib_increasing h (S g)); lia).
  destruct h as [|[|h]].
  - exists [0]. split; [constructor|]. split; [unfold total; simpl in *; lia|].
    intros k [<-|[]]. lia.
  - exists [1]. split; [constructor|]. split; [unfold total; simpl in *; lia|].
    intros k [<-|[]]. lia.
  - rewrite (fib_step (S h)) in B. destruct (IH h) with (d := d - fib (S (S h))) as (ks & Zk & T & K).
    + lia.
    + lia.
    + exists (S (S h) :: ks). split; [|split].
      * destruct ks as [|m ks]; [constructor|]. constructor; [|assumption].
        specialize (K m (or_introl eq_refl)). lia.
      * unfold total in *. cbn [map sum]. lia.
      * intros k [<-|I]; [assumption|]. specialize (K k I). lia.
Qed.

(* at most floor(g / 2) + 1 of the indices 0..g are at least two apart *)
Theorem zeckendorf_length : forall k ks, zeckendorf (k :: ks) -> 2 * length (k :: ks) <= k + 2.
Proof.
  intros k ks. revert k. induction ks as [|m ks IH]; intros k Z; [simpl; lia|].
  inversion Z as [| |? ? ? L Z']; subst. specialize (IH m Z'). simpl in *. lia.
Qed.

Lemma total_app : forall l m, total (l ++ m) = total l + total m.
Proof. intros l m. unfold total. induction l; simpl in *; lia. Qed.

(* Exchange: a sum of at least f(g) is also one of as few offsets with an index of at least g,
   since f(k+1) = f(k) + f(k-1) and 2 f(k) = f(k+1) + f(k-2). *)
Lemma exchange : forall g ks, fib g <= total ks ->
  exists k rest, g <= k /\ total (k :: rest) = total ks /\ length (k :: rest) <= length ks.
Proof.
  induction g as [g IH] using lt_wf_ind. intros ks T. destruct g as [|[|g]].
  - destruct ks as [|k ks]; [unfold total in T; simpl in T; lia|]. exists k, ks.
    split; [lia|]. split; [reflexivity|lia].
  - destruct ks as [|[|k] ks]; [unfold total in T; simpl in T; lia| |].
    + destruct ks as [|m ks]; [unfold total in T; simpl in T; lia|]. destruct m as [|m].
      * exists 1, ks. split; [lia|]. unfold total. simpl. lia.
      * exists (S m), (0 :: ks). split; [lia|]. unfold total. cbn [map sum length]. lia.
    + exists (S k), ks. split; [lia|]. split; [reflexivity|lia].
  - pose proof (fib_step g) as Fg. pose proof (fib_positive g) as Pg.
    destruct (IH (S g)) with (ks := ks) as (k & r & K & Tk & Lk); [lia|lia|].
    destruct (le_lt_dec (S (S g)) k) as [Big|Small].
    { exists k, r. split; [assumption|]. split; assumption. }
    assert (k = S g) as -> by lia. unfold total in Tk. cbn [map sum length] in Tk, Lk.
    destruct (IH g) with (ks := r) as (m & s & M & Tm & Lm); [lia|unfold total in *; lia|].
    unfold total in *. cbn [map sum length] in Tm, Lm.
    destruct (le_lt_dec (S (S g)) m) as [Big|Small'].
    + exists m, (S g :: s). split; [assumption|]. cbn [map sum length]. lia.
    + destruct (Nat.eq_dec m g) as [->|Neq].
      * exists (S (S g)), s. split; [lia|]. cbn [map sum length]. lia.
      * assert (m = S g) as -> by lia. destruct g as [|g].
        { exists 2, (0 :: s). split; [lia|]. cbn [map sum length]. simpl fib in *. lia. }
        exists (S (S (S g))), (g :: s). split; [lia|]. pose proof (fib_step (S g)).
        pose proof (fib_step g). cbn [map sum length]. lia.
Qed.

(* Optimality: no sum of offsets with the same value is shorter *)
Theorem zeckendorf_shortest : forall ks, zeckendorf ks ->
  forall other, total other = total ks -> length ks <= length other.
Proof.
  induction ks as [|k ks IH]; intros Z other E; [simpl; lia|].
  destruct (exchange k other) as (m & rest & M & T & L).
  { rewrite E. unfold total. cbn [map sum]. lia. }
  pose proof (zeckendorf_below k ks Z) as B.
  assert (m = k) as ->.
  { destruct (le_lt_dec m k) as [|H]; [lia|].
    pose proof (increasing_pairs fib fib_increasing (S k) m H).
    unfold total in *. cbn [map sum] in *. lia. }
  assert (length ks <= length rest).
  { apply IH.
    - inversion Z; subst; [constructor|assumption].
    - unfold total in *. cbn [map sum] in *. lia. }
  simpl in *. lia.
Qed.

(* hops(i, j) is the length of the Zeckendorf sum of i - j *)
Theorem hops_of_fibonacci : forall i j ks, 1 <= j <= i -> zeckendorf ks -> total ks = i - j ->
  hops_is (distances (values fib)) i j (length ks).
Proof.
  intros i j ks J Z T. apply exact_hops; [assumption| |].
  - exists (map fib ks). split; [|split; [exact T|rewrite map_length; lia]].
    clear. induction ks as [|k ks IH]; constructor; [exists k; reflexivity|assumption].
  - intros h (steps & F & E & L).
    assert (exists other, steps = map fib other) as (other & ->).
    { clear - F. induction F as [|d steps (k & ->) F (other & ->)]; [exists []; reflexivity|].
      exists (k :: other). reflexivity. }
    rewrite map_length in L. apply Nat.le_trans with (2 := L). apply zeckendorf_shortest; [assumption|].
    rewrite T. exact E.
Qed.

(* f(g) <= i - j < f(g+1): hops(i, j) <= floor(g / 2) + 1 *)
Theorem fibonacci_hops_at_most : forall i j g, 1 <= j <= i -> i - j < fib (S g) ->
  hops_at_most (distances (values fib)) i j (g / 2 + 1).
Proof.
  intros i j g J D. destruct (zeckendorf_exists g (i - j) D) as (ks & Z & T & K).
  destruct (hops_of_fibonacci i j ks J Z T) as ((l & P & L) & _). exists l. split; [assumption|].
  apply Nat.le_trans with (1 := L). apply le_n_S.
  destruct ks as [|k ks]; [simpl; lia|]. pose proof (zeckendorf_length k ks Z).
  specialize (K k (or_introl eq_refl)). apply Nat.le_trans with ((g + 2) / 2).
  - apply Nat.div_le_lower_bound; lia.
  - replace (g + 2) with (g + 1 * 2) by lia. rewrite Nat.div_add by lia. lia.
Qed.
