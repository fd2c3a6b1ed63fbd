(* SPDX-License-Identifier: Apache-2.0
   With distances P on A and D on B token j reaches i if and only if i - j = d + s with d in P and s a
   sum of members of D; of each residue modulo a member m of D all distances from a reachable one on
   are reachable. Depth, congestion and rank of rows of distances. *)
Require Import Arith Lia List.
From heddle Require Import sets rows paths distances step_sums steps capacity_law cut_bounds.
Import ListNotations.

(* i - j = d + s *)
Theorem reaches_by_sums : forall (P D : set) i j, 1 <= j <= i ->
  (reaches (distances P) (distances D) i j <->
   exists d s h, P d /\ sum_of D h s /\ i - j = d + s).
Proof.
  intros P D i j J. split.
  - intros (p & l & (d & Pd & Ld & E) & Path).
    destruct (path_is_along D p i l Path) as (steps & F & S & L).
    exists d, (sum steps), (length steps). split; [assumption|]. split; [exists steps; auto|]. lia.
  - intros (d & s & h & Pd & (steps & F & S & L) & E). exists (j + d), (along (j + d) steps). split.
    + exists d. split; [assumption|]. lia.
    + replace i with (j + d + sum steps) by lia. apply along_is_path; [lia|assumption].
Qed.

(* m in D: with x also x + m, x + 2 m, ... are sums of one member of P and members of D *)
Theorem residue_reached : forall (P D : set) m, D m ->
  forall x, (exists d s h, P d /\ sum_of D h s /\ x = d + s) ->
  forall y, x <= y -> y mod m = x mod m -> exists d s h, P d /\ sum_of D h s /\ y = d + s.
Proof.
  intros P D m Dm x (d & s & h & Pd & S & E) y L R.
  destruct (Nat.eq_dec m 0) as [->|M].
  - simpl in R. exists d, s, h. split; [assumption|]. split; [assumption|]. lia.
  - assert (exists t, y = x + m * t) as (t & T).
    { exists (y / m - x / m). pose proof (Nat.div_mod x m M). pose proof (Nat.div_mod y m M).
      assert (x / m <= y / m) by (apply Nat.div_le_mono; lia). rewrite Nat.mul_sub_distr_l. lia. }
    exists d, (s + m * t), (h + t). split; [assumption|]. split; [|lia].
    apply sums_add; [assumption|]. clear - Dm. induction t as [|t IH].
    + rewrite Nat.mul_0_r. apply sum_of_none.
    + replace (m * S t) with (m + m * t) by lia. apply (sums_add D 1); [apply sum_of_one, Dm|exact IH].
Qed.

(* distances of at least m: a chain in 1..n has at most floor((n - 1) / m) edges, and one has them *)
Theorem chain_of_long_edges : forall (D : set) m, 1 <= m -> (forall d, D d -> m <= d) ->
  forall j i l, 1 <= j -> path (distances D) j i l -> length l <= (i - 1) / m + 1.
Proof.
  intros D m M Long j i l J P.
  assert (m * (length l - 1) + j <= i) as B.
  { induction P as [|p i l P IH (d & Dd & Ld & E)]; [simpl; lia|]. simpl length.
    specialize (Long d Dd). assert (1 <= length l) by (destruct P; simpl; lia). nia. }
  assert (length l - 1 <= (i - 1) / m); [|lia]. apply Nat.div_le_lower_bound; lia.
Qed.

Theorem chain_of_one_distance : forall (D : set) m, 1 <= m -> D m ->
  forall n, 1 <= n -> exists i l, i <= n /\ path (distances D) 1 i l /\ length l = (n - 1) / m + 1.
Proof.
  intros D m M Dm n N. pose proof (Nat.mul_div_le (n - 1) m).
  assert (forall t, path (distances D) 1 (1 + t * m) (along 1 (repeat m t)) /\
    length (along 1 (repeat m t)) = t + 1) as Chain.
  { intros t. rewrite along_length, repeat_length. split; [|lia].
    assert (sum (repeat m t) = t * m) as E by (induction t; simpl in *; lia).
    rewrite <- E. apply along_is_path; [lia|]. apply Forall_forall. intros d I.
    apply repeat_spec in I. subst. assumption. }
  destruct (Chain ((n - 1) / m)) as (P & L). eexists _, _. split; [|split; [exact P|exact L]]. lia.
Qed.

(* row j + n reads j for every j <= n: congestion(n) = 1 *)
Theorem direct_copies : forall (r : rows) n, (forall j, 1 <= j <= n -> r (j + n) j) -> congestion_at_most r n 1.
Proof.
  intros r n R. exists (fun j => [j + n; j]). split.
  - intros j J. apply path_step with j; [constructor|]. apply R, J.
  - intros v. unfold load. set (met := filter _ _).
    assert (forall j, In j met -> 1 <= j <= n /\ (v = j + n \/ v = j)) as M.
    { intros j I. unfold met in I. apply filter_In in I. destruct I as (S & I). apply in_seq in S.
      destruct (in_dec Nat.eq_dec v [j + n; j]) as [K|]; [|discriminate].
      destruct K as [<-|[<-|[]]]; lia. }
    assert (NoDup met) as N by apply NoDup_filter, seq_NoDup.
    clearbody met. destruct met as [|j [|k met]]; simpl; [lia|lia|]. exfalso.
    pose proof (M j (or_introl eq_refl)). pose proof (M k (or_intror (or_introl eq_refl))).
    assert (j = k) by lia. subst. inversion N as [|? ? I]. apply I. left. reflexivity.
Qed.

(* one distance c >= 1 of B, A reading its own row: min(c, m) disjoint routes cross the cut after m *)
Theorem long_distance_carries : forall (a : rows) (D : set) c m, (forall i, 1 <= i -> a i i) -> D c ->
  1 <= c -> exists js ls, disjoint_routes a (distances D) m js ls /\ length ls = Nat.min c m.
Proof.
  intros a D c m A Dc C.
  assert (forall t, t <= Nat.min c m ->
    exists js ls, disjoint_routes a (distances D) m js ls /\ length ls = t /\
      (forall j, In j js -> m - t < j) /\
      (forall l v, In l ls -> In v l -> m - t < v <= m \/ m + c - t < v)) as Routes.
  { induction t as [|t IH]; intros T.
    - exists [], []. split; [constructor|]. split; [reflexivity|]. split; [intros j []|intros l v []].
    - destruct IH as (js & ls & R & L & Js & Ls); [lia|].
      set (j := m - t). exists (j :: js), ([j + c; j] :: ls).
      split; [|split; [simpl; lia|split]].
      + apply one_more_route with (j + c) j.
        * constructor; [apply A; unfold j; lia|]. apply path_step with j; [constructor|].
          exists c. split; [assumption|]. unfold j. lia.
        * unfold j. lia.
        * unfold j. lia.
        * assumption.
        * intros I. apply Js in I. unfold j in I. lia.
        * intros l v I V W. specialize (Ls l v I W). unfold j in V.
          destruct V as [<-|[<-|[]]]; lia.
      + intros k [<-|K]; [unfold j; lia|]. specialize (Js k K). lia.
      + intros l v [<-|I] V.
        * unfold j in V. destruct V as [<-|[<-|[]]]; lia.
        * specialize (Ls l v I V). lia. }
  destruct (Routes (Nat.min c m) (Nat.le_refl _)) as (js & ls & R & L & _). exists js, ls. auto.
Qed.

(* one distance c >= 1 of A: so do its input edges *)
Theorem long_input_distance_carries : forall (b : rows) (P : set) c m, P c -> 1 <= c ->
  exists js ls, disjoint_routes (distances P) b m js ls /\ length ls = Nat.min c m.
Proof.
  intros b P c m Pc C.
  assert (forall t, t <= Nat.min c m ->
    exists js ls, disjoint_routes (distances P) b m js ls /\ length ls = t /\
      (forall j, In j js -> m - t < j) /\ (forall l v, In l ls -> In v l -> m + c - t < v)) as Routes.
  { induction t as [|t IH]; intros T.
    - exists [], []. split; [constructor|]. split; [reflexivity|]. split; [intros j []|intros l v []].
    - destruct IH as (js & ls & R & L & Js & Ls); [lia|].
      set (j := m - t). exists (j :: js), ([j + c] :: ls).
      split; [|split; [simpl; lia|split]].
      + apply one_more_route with (j + c) (j + c).
        * constructor; [|constructor]. exists c. split; [assumption|]. unfold j. lia.
        * unfold j. lia.
        * unfold j. lia.
        * assumption.
        * intros I. apply Js in I. unfold j in I. lia.
        * intros l v I V W. specialize (Ls l v I W). unfold j in V. destruct V as [<-|[]]; lia.
      + intros k [<-|K]; [unfold j; lia|]. specialize (Js k K). lia.
      + intros l v [<-|I] V.
        * unfold j in V. destruct V as [<-|[]]; lia.
        * specialize (Ls l v I V). lia. }
  destruct (Routes (Nat.min c m) (Nat.le_refl _)) as (js & ls & R & L & _). exists js, ls. auto.
Qed.
