(* SPDX-License-Identifier: Apache-2.0
   A diagonal, M = (I - B)^-1 A: the block of rows >= m and columns < m factors through the live
   outputs, M_ij = sum over live p < m of U_ip M_pj, so that its rank is at most cache(m) whatever
   the values of A and B are. Over the rationals, tokens numbered 0..n-1 as in row_stochastic. *)
Require Import Arith Lia QArith.
From heddle Require Import row_stochastic.
Open Scope Q_scope.

Definition only (P : nat -> bool) (g : nat -> Q) : nat -> Q := fun k => if P k then g k else 0.

Lemma Qsum_split : forall n (P : nat -> bool) g,
  Qsum n g == Qsum n (only P g) + Qsum n (only (fun k => negb (P k)) g).
Proof.
  intros n P g. rewrite <- Qsum_add. apply Qsum_same. intros k _. unfold only.
  destruct (P k); simpl; ring.
Qed.

(* terms from m on are 0: the sum up to any i >= m is the sum up to m *)
Lemma Qsum_cut : forall i m g, (m <= i)%nat -> (forall k, (m <= k < i)%nat -> g k == 0) ->
  Qsum i g == Qsum m g.
Proof.
  intros i m g L Z. induction L as [|i L IH]; [reflexivity|]. simpl. rewrite (Z i), IH.
  - ring.
  - intros k K. apply Z. lia.
  - lia.
Qed.

Definition before (m k : nat) : bool := (k <? m)%nat.

(* is_live p for every p < m that a row from m on reads *)
Theorem rank_factors : forall m (is_live : nat -> bool) A B M,
  (forall i j, (m <= i)%nat -> (j < m)%nat -> A i j == 0) ->
  (forall i p, (m <= i)%nat -> (p < m)%nat -> is_live p = false -> B i p == 0) ->
  solves A B M ->
  exists U : matrix, forall i j, (m <= i)%nat -> (j < m)%nat ->
    M i j == Qsum m (only is_live (fun p => U i p * M p j)).
Proof.
  intros m is_live A B M HA HB HM.
  (* U is what reaches row i from the first read of a live p on: U = B + (B from m on) U *)
  destruct (solution_exists B (fun i k => if before m k then 0 else B i k)) as (U & HU).
  exists U. induction i as [i IH] using lt_wf_ind. intros j I J.
  rewrite (HM i j), (HA i j I J), Qplus_0_l.
  rewrite (Qsum_split i (before m)).
  (* reads of 0..m-1 go to live positions *)
  rewrite (Qsum_cut i m (only (before m) _)); [|assumption|].
  2: { intros k K. unfold only, before. destruct (Nat.ltb_spec k m); [lia|reflexivity]. }
  rewrite (Qsum_same m (only (before m) _) (only is_live (fun p => B i p * M p j))).
  2: { intros p P. unfold only, before. destruct (Nat.ltb_spec p m); [|lia].
       destruct (is_live p) eqn:E; [reflexivity|]. rewrite (HB i p I P E). ring. }
  (* reads of m..i-1 factor already *)
  rewrite (Qsum_same i (only (fun k => negb (before m k)) _)
    (fun k => Qsum m (fun p => only is_live (fun p =>
      (if before m k then 0 else B i k) * U k p * M p j) p))).
  2: { intros k K. unfold only at 1, before. destruct (Nat.ltb_spec k m) as [L|L]; simpl.
       - rewrite (Qsum_same m _ (fun _ => 0)); [rewrite Qsum_zero; reflexivity|].
         intros p _. unfold only. destruct (is_live p); ring.
       - rewrite (IH k K j L J), <- Qsum_scale. apply Qsum_same. intros p _. unfold only.
         destruct (is_live p); ring. }
  rewrite Qsum_exchange, <- Qsum_add. apply Qsum_same. intros p _. unfold only.
  destruct (is_live p).
  - rewrite (HU i p). rewrite Qmult_plus_distr_l. apply Qplus_comp; [reflexivity|].
    rewrite (Qmult_comm (Qsum i _)), <- Qsum_scale. apply Qsum_same. intros k _. ring.
  - rewrite Qsum_zero. ring.
Qed.
