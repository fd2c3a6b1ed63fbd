(* SPDX-License-Identifier: Apache-2.0
   A, B >= 0 with rows of A + B summing to 1, B strictly lower triangular: M = (I - B)^-1 A is
   row-stochastic, N = (I - B)^-1 has entries in [0, 1], and Y = M X stays within the range of X.
   Over the rationals, tokens numbered 0..n-1; (I - B)^-1 A is the one M with M = A + B M. *)
Require Import Arith Lia QArith Lqa.
Open Scope Q_scope.

(* g(0) + ... + g(n-1) *)
Fixpoint Qsum (n : nat) (g : nat -> Q) : Q :=
  match n with
  | O => 0
  | S n => Qsum n g + g n
  end.

Lemma Qsum_same : forall n g h, (forall k, (k < n)%nat -> g k == h k) -> Qsum n g == Qsum n h.
Proof.
  induction n as [|n IH]; intros g h E; simpl; [reflexivity|].
  rewrite (IH g h), (E n); [reflexivity|lia|]. intros k K. apply E. lia.
Qed.

Lemma Qsum_le : forall n g h, (forall k, (k < n)%nat -> g k <= h k) -> Qsum n g <= Qsum n h.
Proof.
  induction n as [|n IH]; intros g h E; simpl; [lra|].
  assert (Qsum n g <= Qsum n h) by (apply IH; intros k K; apply E; lia).
  assert (g n <= h n) by (apply E; lia). lra.
Qed.

Lemma Qsum_zero : forall n, Qsum n (fun _ => 0) == 0.
Proof. induction n as [|n IH]; simpl; [reflexivity|]. rewrite IH. reflexivity. Qed.

Lemma Qsum_nonnegative : forall n g, (forall k, (k < n)%nat -> 0 <= g k) -> 0 <= Qsum n g.
Proof.
  intros n g G. rewrite <- (Qsum_zero n). apply Qsum_le. exact G.
Qed.

Lemma Qsum_add : forall n g h, Qsum n (fun k => g k + h k) == Qsum n g + Qsum n h.
Proof. induction n as [|n IH]; intros g h; simpl; [reflexivity|]. rewrite IH. ring. Qed.

Lemma Qsum_scale : forall n c g, Qsum n (fun k => c * g k) == c * Qsum n g.
Proof. induction n as [|n IH]; intros c g; simpl; [ring|]. rewrite IH. ring. Qed.

Lemma Qsum_exchange : forall m n (g : nat -> nat -> Q),
  Qsum m (fun j => Qsum n (fun k => g j k)) == Qsum n (fun k => Qsum m (fun j => g j k)).
Proof.
  induction m as [|m IH]; intros n g; simpl; [rewrite Qsum_zero; reflexivity|].
  rewrite IH, <- Qsum_add. reflexivity.
Qed.

Definition matrix := nat -> nat -> Q.

(* M = A + B M, where row i of B reads the rows before it *)
Definition solves (A B M : matrix) : Prop :=
  forall i j, M i j == A i j + Qsum i (fun k => B i k * M k j).

(* Existence by forward substitution; `fuel` at least i is enough for row i. *)
Fixpoint substitute (A B : matrix) (fuel i j : nat) : Q :=
  match fuel with
  | O => A i j
  | S fuel => A i j + Qsum i (fun k => B i k * substitute A B fuel k j)
  end.

Lemma substitute_enough : forall A B i f g j, (i <= f)%nat -> (i <= g)%nat ->
  substitute A B f i j == substitute A B g i j.
Proof.
  intros A B. induction i as [i IH] using lt_wf_ind. intros f g j F G.
  assert (forall h, (i <= h)%nat -> substitute A B h i j ==
    A i j + Qsum i (fun k => B i k * substitute A B k k j)) as H.
  { intros h L. destruct h as [|h].
    - assert (i = O) as -> by lia. simpl. ring.
    - cbn [substitute]. rewrite (Qsum_same i _ (fun k => B i k * substitute A B k k j)); [reflexivity|].
      intros k K. rewrite (IH k K h k j) by lia. reflexivity. }
  rewrite (H f F), (H g G). reflexivity.
Qed.

Theorem solution_exists : forall A B, exists M, solves A B M.
Proof.
  intros A B. exists (fun i j => substitute A B i i j). intros i j.
  rewrite (substitute_enough A B i i (S i) j) by lia. cbn [substitute].
  rewrite (Qsum_same i _ (fun k => B i k * substitute A B k k j)); [reflexivity|].
  intros k K. rewrite (substitute_enough A B k i k j) by lia. reflexivity.
Qed.

Theorem solution_unique : forall A B M N, solves A B M -> solves A B N -> forall i j, M i j == N i j.
Proof.
  intros A B M N HM HN. induction i as [i IH] using lt_wf_ind. intros j. rewrite (HM i j), (HN i j).
  rewrite (Qsum_same i _ (fun k => B i k * N k j)); [reflexivity|].
  intros k K. rewrite (IH k K). reflexivity.
Qed.

Definition nonnegative (A : matrix) : Prop := forall i j, 0 <= A i j.

(* Rows of A + B sum to 1: n columns of A, and the columns 0..i-1 of row i of B. *)
Definition rows_sum_to_one (n : nat) (A B : matrix) : Prop :=
  forall i, (i < n)%nat -> Qsum n (A i) + Qsum i (B i) == 1.

Theorem solution_nonnegative : forall A B M, nonnegative A -> nonnegative B -> solves A B M ->
  nonnegative M.
Proof.
  intros A B M HA HB HM. unfold nonnegative.
  induction i as [i IH] using lt_wf_ind. intros j. rewrite (HM i j). specialize (HA i j).
  assert (0 <= Qsum i (fun k => B i k * M k j)); [|lra].
  apply Qsum_nonnegative. intros k K. apply Qmult_le_0_compat; [apply HB|apply IH, K].
Qed.

(* rows of (I - B)^-1 A sum to 1 *)
Theorem row_stochastic : forall n A B M, rows_sum_to_one n A B -> solves A B M ->
  forall i, (i < n)%nat -> Qsum n (M i) == 1.
Proof.
  intros n A B M R HM. induction i as [i IH] using lt_wf_ind. intros I.
  rewrite (Qsum_same n (M i) (fun j => A i j + Qsum i (fun k => B i k * M k j)))
    by (intros j _; apply HM).
  rewrite Qsum_add, Qsum_exchange.
  rewrite (Qsum_same i _ (B i)); [apply R, I|].
  intros k K. rewrite Qsum_scale, (IH k K) by lia. ring.
Qed.

Definition identity : matrix := fun i j => if Nat.eq_dec i j then 1 else 0.

(* rows of B >= 0 sum to at most 1: entries of (I - B)^-1, the visiting probabilities, are in [0, 1] *)
Theorem visiting_probabilities : forall B N, nonnegative B -> (forall i, Qsum i (B i) <= 1) ->
  solves identity B N -> forall i j, 0 <= N i j <= 1.
Proof.
  intros B N HB R HN.
  assert (forall i j, (i < j)%nat -> N i j == 0) as Lower.
  { induction i as [i IH] using lt_wf_ind. intros j J. rewrite (HN i j).
    unfold identity. destruct (Nat.eq_dec i j); [lia|].
    rewrite (Qsum_same i _ (fun _ => 0)); [rewrite Qsum_zero; reflexivity|].
    intros k K. rewrite (IH k K) by lia. ring. }
  assert (nonnegative identity) as HI.
  { intros i j. unfold identity. destruct (Nat.eq_dec i j); lra. }
  pose proof (solution_nonnegative identity B N HI HB HN) as P.
  intros i j. split; [apply P|]. revert j.
  induction i as [i IH] using lt_wf_ind. intros j. rewrite (HN i j). unfold identity.
  destruct (Nat.eq_dec i j) as [<-|E].
  - rewrite (Qsum_same i _ (fun _ => 0)); [rewrite Qsum_zero; lra|].
    intros k K. rewrite (Lower k i K). ring.
  - apply Qle_trans with (Qsum i (B i)); [|apply R]. rewrite Qplus_0_l. apply Qsum_le.
    intros k K. specialize (IH k K j). specialize (HB i k). specialize (P k j). nra.
Qed.

(* y_i = sum_j A_ij x_j + sum_{k<i} B_ik y_k with low <= x_j <= high: low <= y_i <= high *)
Theorem outputs_stay_in_range : forall n A B x y low high,
  nonnegative A -> nonnegative B -> rows_sum_to_one n A B ->
  (forall i, y i == Qsum n (fun j => A i j * x j) + Qsum i (fun k => B i k * y k)) ->
  (forall j, (j < n)%nat -> low <= x j <= high) ->
  forall i, (i < n)%nat -> low <= y i <= high.
Proof.
  intros n A B x y low high HA HB R HY X. induction i as [i IH] using lt_wf_ind. intros I.
  specialize (R i I). rewrite (HY i).
  assert (forall c, c == Qsum n (fun j => c * A i j) + Qsum i (fun k => c * B i k)) as Split.
  { intros c. transitivity (c * (Qsum n (A i) + Qsum i (B i))); [rewrite R; ring|].
    rewrite !Qsum_scale. apply Qmult_plus_distr_r. }
  split.
  - rewrite (Split low). apply Qplus_le_compat; apply Qsum_le; intros k K.
    + specialize (HA i k). specialize (X k K). nra.
    + specialize (HB i k). specialize (IH k K). assert (k < n)%nat as L by lia. specialize (IH L). nra.
  - rewrite (Split high). apply Qplus_le_compat; apply Qsum_le; intros k K.
    + specialize (HA i k). specialize (X k K). nra.
    + specialize (HB i k). specialize (IH k K). assert (k < n)%nat as L by lia. specialize (IH L). nra.
Qed.

(* without the sum of 1 this is lost: A_ii = 1, B_{i,i-1} = 2, x = 1 gives y_i >= 2^i *)
Theorem unnormalised_outputs_grow : forall y : nat -> Q,
  y O == 1 -> (forall i, y (S i) == 1 + 2 * y i) -> forall i, inject_Z (2 ^ Z.of_nat i) <= y i.
Proof.
  intros y Y0 Y. induction i as [|i IH]; [rewrite Y0; apply Qle_refl|].
  rewrite (Y i), Nat2Z.inj_succ, Z.pow_succ_r, inject_Z_mult by lia.
  change (inject_Z 2) with 2. lra.
Qed.

(* ChaCAL, y = (1 - g) P x + g P y with rows of P summing to 1, divided by D = 1 - g P_ii: the rows
   of A = (1 - g) P / D and B = g P_strict / D sum to 1, and its outputs are those of A and B *)
Theorem chacal_rows_sum_to_one : forall g p_before p_own, ~ 1 - g * p_own == 0 ->
  p_before + p_own == 1 ->
  (1 - g) * (p_before + p_own) / (1 - g * p_own) + g * p_before / (1 - g * p_own) == 1.
Proof.
  intros g p q D E. setoid_replace p with (1 - q) by lra. field. exact D.
Qed.

Theorem chacal_is_a_mixer : forall g p_own mixed_x before_y y, ~ 1 - g * p_own == 0 ->
  (y == (1 - g) * mixed_x + g * (before_y + p_own * y) <->
   y == (1 - g) * mixed_x / (1 - g * p_own) + g * before_y / (1 - g * p_own)).
Proof.
  intros g q mx by_ y D. split; intros E.
  - assert (y * (1 - g * q) == (1 - g) * mx + g * by_) as H by lra.
    setoid_replace ((1 - g) * mx / (1 - g * q) + g * by_ / (1 - g * q))
      with (((1 - g) * mx + g * by_) / (1 - g * q)) by (field; exact D).
    rewrite <- H. field. exact D.
  - assert (y * (1 - g * q) == (1 - g) * mx + g * by_) as H by (rewrite E at 1; field; exact D).
    lra.
Qed.
