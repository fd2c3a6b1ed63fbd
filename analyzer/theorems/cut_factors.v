(* SPDX-License-Identifier: Apache-2.0
   Inputs X and outputs Y that every route across the cut after m meets: for all values of A and B
   the block of M = (I - B)^-1 A with rows > m and columns <= m is a sum of |X| + |Y| products,
   M_ij = U_ij (0 unless j is in X) + sum over y in Y of V_iy M_yj: its rank is at most |X| + |Y|. *)
Require Import Arith Bool Lia List QArith.
From heddle Require Import sets rows paths cut_bounds row_stochastic rank_factors.
Import ListNotations.
Open Scope Q_scope.

(* A sum that is not 0 has a term that is not. *)
Lemma Qsum_nonzero : forall n g, ~ Qsum n g == 0 -> exists k, (k < n)%nat /\ ~ g k == 0.
Proof.
  induction n as [|n IH]; intros g H; [destruct H; reflexivity|]. simpl in H.
  destruct (Qeq_dec (g n) 0) as [Z|N]; [|exists n; auto].
  destruct (IH g) as (k & K & N); [|exists k; split; [lia|assumption]].
  intros Z'. apply H. rewrite Z, Z'. reflexivity.
Qed.

(* A and B are 0 off the rows a and b. *)
Definition supported (r : rows) (A : matrix) : Prop := forall i j, ~ A i j == 0 -> r i j.

(* W = A off X + (B off Y) W is 0 wherever every route of j to i meets X, or Y before i. *)
Lemma avoiding_route : forall (a b : rows) (X Y : nat -> bool) A B W, supported a A -> supported b B ->
  solves (fun i j => if X j then 0 else A i j) (fun i k => if Y k then 0 else B i k) W ->
  forall i j, ~ W i j == 0 ->
  exists p l, X j = false /\ a p j /\ path b p i l /\ forall v, In v l -> v <> i -> Y v = false.
Proof.
  intros a b X Y A B W SA SB HW. induction i as [i IH] using lt_wf_ind. intros j N.
  destruct (Qeq_dec (if X j then 0 else A i j) 0) as [Z|Direct].
  - rewrite (HW i j), Z, Qplus_0_l in N. apply Qsum_nonzero in N. destruct N as (k & K & N).
    destruct (Y k) eqn:Yk; [destruct N; ring|].
    assert (~ B i k == 0) as Bik by (intros E; apply N; rewrite E; ring).
    assert (~ W k j == 0) as Wkj by (intros E; apply N; rewrite E; ring).
    destruct (IH k K j Wkj) as (p & l & Xj & Ap & P & Off). exists p, (i :: l).
    split; [assumption|]. split; [assumption|]. split.
    + apply path_step with k; [assumption|]. apply SB, Bik.
    + intros v [<-|V] Vi; [destruct Vi; reflexivity|]. destruct (Nat.eq_dec v k) as [->|Vk]; [assumption|].
      apply Off; assumption.
  - destruct (X j) eqn:Xj; [destruct Direct; reflexivity|]. exists i, [i]. split; [reflexivity|].
    split; [apply SA, Direct|]. split; [constructor|]. intros v [<-|[]] Vi. destruct Vi. reflexivity.
Qed.

(* the sum up to k is the sum up to any i >= k when what is beyond is 0 *)
Lemma Qsum_extend : forall k i g, (k <= i)%nat -> (forall y, (k <= y)%nat -> g y == 0) ->
  Qsum k g == Qsum i g.
Proof. intros k i g L Z. symmetry. apply Qsum_cut; [assumption|]. intros y (Y & _). apply Z, Y. Qed.

(* rows in Y are among the products themselves; of the others: *)
Theorem cut_factors : forall (a b : rows) m (X Y : nat -> bool) A B M,
  causal_b b -> supported a A -> supported b B -> solves A B M ->
  (forall i j p l, route a b j i p l -> (1 <= j <= m)%nat -> (m < i)%nat ->
     X j = true \/ exists v, In v l /\ Y v = true) ->
  exists U V : matrix, (forall i j, X j = false -> U i j == 0) /\
    forall i j, (1 <= j <= m)%nat -> (m < i)%nat -> Y i = false ->
      M i j == U i j + Qsum i (only Y (fun y => V i y * M y j)).
Proof.
  intros a b m X Y A B M C SA SB HM Meet.
  (* U: routes that start in X; V: routes from Y on; W: routes that avoid both *)
  set (B' := fun i k => if Y k then 0 else B i k).
  destruct (solution_exists (fun i j => if X j then A i j else 0) B') as (U & HU).
  destruct (solution_exists (fun i y => if Y y then B i y else 0) B') as (V & HV).
  destruct (solution_exists (fun i j => if X j then 0 else A i j) B') as (W & HW).
  exists U, V.
  assert (forall i j, X j = false -> U i j == 0) as UX.
  { induction i as [i IH] using lt_wf_ind. intros j Xj. rewrite (HU i j), Xj.
    rewrite (Qsum_same i _ (fun _ => 0)); [rewrite Qsum_zero; reflexivity|].
    intros k K. rewrite (IH k K j Xj). ring. }
  split; [exact UX|].
  assert (forall i y, (i <= y)%nat -> V i y == 0) as Lower.
  { induction i as [i IH] using lt_wf_ind. intros y L. rewrite (HV i y).
    rewrite (Qsum_same i _ (fun _ => 0)).
    - rewrite Qsum_zero. destruct (Y y); [|reflexivity].
      destruct (Qeq_dec (B i y) 0) as [Z|N]; [rewrite Z; reflexivity|].
      apply SB in N. apply C in N. lia.
    - intros k K. rewrite (IH k K y) by lia. ring. }
  assert (forall i j, M i j == U i j + Qsum i (only Y (fun y => V i y * M y j)) + W i j) as Whole.
  { induction i as [i IH] using lt_wf_ind. intros j. rewrite (HM i j), (HU i j), (HW i j).
    rewrite (Qsum_split i Y (fun k => B i k * M k j)).
    rewrite (Qsum_same i (only (fun k => negb (Y k)) (fun k => B i k * M k j))
      (fun k => B' i k * U k j + (B' i k * Qsum i (only Y (fun y => V k y * M y j)) + B' i k * W k j))).
    2: { intros k K. unfold only at 1, B'. destruct (Y k); simpl; [ring|].
         rewrite (IH k K j). rewrite (Qsum_extend k i (only Y (fun y => V k y * M y j))).
         - ring.
         - lia.
         - intros y L. unfold only. destruct (Y y); [|reflexivity]. rewrite (Lower k y L). ring. }
    rewrite !Qsum_add.
    rewrite (Qsum_same i (only Y (fun y => V i y * M y j)) (fun y => only Y (fun y => B i y * M y j) y +
      Qsum i (fun k => B' i k * only Y (fun y => V k y * M y j) y))).
    2: { intros y _. unfold only. destruct (Y y) eqn:Yy.
         - rewrite (HV i y), Yy, Qmult_plus_distr_l. apply Qplus_comp; [reflexivity|].
           rewrite (Qmult_comm (Qsum i _)), <- Qsum_scale. apply Qsum_same. intros k _. ring.
         - rewrite (Qsum_same i _ (fun _ => 0)); [rewrite Qsum_zero; ring|]. intros k _. ring. }
    rewrite Qsum_add.
    rewrite (Qsum_exchange i i (fun y k => B' i k * only Y (fun y => V k y * M y j) y)).
    rewrite (Qsum_same i (fun k => Qsum i (fun y => B' i k * only Y (fun y => V k y * M y j) y))
      (fun k => B' i k * Qsum i (only Y (fun y => V k y * M y j)))) by (intros k _; apply Qsum_scale).
    destruct (X j); ring. }
  intros i j J I Yi. rewrite (Whole i j).
  assert (W i j == 0) as ->; [|ring].
  destruct (Qeq_dec (W i j) 0) as [Z|N]; [exact Z|]. exfalso.
  destruct (avoiding_route a b X Y A B W SA SB HW i j N) as (p & l & Xj & Ap & P & Off).
  destruct (Meet i j p l) as [Xj'|(v & Iv & Yv)]; [constructor; assumption|assumption|assumption| |].
  - congruence.
  - destruct (Nat.eq_dec v i) as [->|Vi]; [congruence|]. rewrite (Off v Iv Vi) in Yv. discriminate.
Qed.
