(* SPDX-License-Identifier: Apache-2.0
   #{k : f(k) < i} = min{k : f(k) >= i} for every strictly increasing f. *)
Require Import Arith Lia List.
From heddle Require Import sets increasing.
Import ListNotations.

Definition least (P : set) (c : nat) : Prop := P c /\ forall k, k < c -> ~ P k.

(* #{k : f(k) < i} = c if and only if c is the least k with f(k) >= i *)
Theorem counting_by_inverse : forall f i c, increasing f ->
  (size_is (fun k => f k < i) c <-> least (fun k => i <= f k) c).
Proof.
  intros f i c F.
  assert (forall c, least (fun k => i <= f k) c -> size_is (fun k => f k < i) c) as Count.
  { intros d (D & M). apply (size_is_same (fun k => 0 <= k < d)).
    - intros k. split; intros H.
      + specialize (M k). lia.
      + split; [lia|]. apply (increasing_lt f F). lia.
    - apply size_of_interval. lia. }
  assert (exists c, least (fun k => i <= f k) c) as (d & Ld).
  { destruct (le_lt_dec i (f 0)) as [L|L].
    - exists 0. split; [assumption|]. lia.
    - destruct (increasing_bracket f F (i - 1)) as (g & A & B); [lia|].
      exists (S g). split; [lia|]. intros k K. assert (f k <= f g); [|lia].
      pose proof (increasing_pairs f F k g). lia. }
  split; [|apply Count]. intros H.
  replace c with d by (apply (size_unique (fun k => f k < i)); auto). assumption.
Qed.

(* The form of the prover's scripts: f(c-1) < i <= f(c), the first half only for c >= 1 *)
Theorem counting_by_bracket : forall f i c, increasing f ->
  (c >= 1 -> f (c - 1) < i) -> i <= f c -> size_is (fun k => f k < i) c.
Proof.
  intros f i c F A B. apply counting_by_inverse; [assumption|]. split; [assumption|].
  intros k K H. assert (f k <= f (c - 1)) by (pose proof (increasing_pairs f F k (c - 1)); lia). lia.
Qed.

(* #{k >= low : g(k) <= limit} = c where g increases from low on and g(low+c-1) <= limit < g(low+c) *)
Theorem counting_from : forall g low limit c,
  (forall k, low <= k -> g k < g (S k)) ->
  (c >= 1 -> g (low + c - 1) <= limit) -> limit < g (low + c) ->
  size_is (fun k => low <= k /\ g k <= limit) c.
Proof.
  intros g low limit c G A B.
  assert (increasing (fun k => g (low + k))) as F
    by (intros k; rewrite Nat.add_succ_r; apply G; lia).
  assert (size_is (fun k => g (low + k) < limit + 1) c) as C.
  { apply (counting_by_bracket (fun k => g (low + k))); [assumption| |lia].
    intros C1. replace (low + (c - 1)) with (low + c - 1) by lia. specialize (A C1). lia. }
  apply (size_of_image _ (fun k => low + k)) in C; [|intros; lia].
  apply (size_is_same _ _ _) with (2 := C). intros k. split.
  - intros (x & H & ->). lia.
  - intros (L & H). exists (k - low). replace (low + (k - low)) with k by lia. lia.
Qed.

(* Row i of offsets(f), {i - f(k) : f(k) < i}, has as many positions. *)
Definition offsets (f : nat -> nat) (i p : nat) : Prop := exists k, f k < i /\ p = i - f k.

Theorem offsets_row_size : forall f i c, increasing f ->
  least (fun k => i <= f k) c -> size_is (offsets f i) c.
Proof.
  intros f i c F L. apply counting_by_inverse in L; [|assumption].
  apply (size_of_image _ (fun k => i - f k)) in L; [exact L|].
  intros x y X Y E. apply (increasing_injective f F). lia.
Qed.

(* #{k : b^k < i} = c with b^(c-1) < i <= b^c, for b >= 2; for b = 2 it is the rounded up log2 *)
Theorem powers_increase : forall b, 2 <= b -> increasing (fun k => b ^ k).
Proof. intros b B k. simpl. pose proof (Nat.pow_nonzero b k). nia. Qed.

Theorem count_of_powers : forall b i c, 2 <= b ->
  (c >= 1 -> b ^ (c - 1) < i) -> i <= b ^ c -> size_is (fun k => b ^ k < i) c.
Proof. intros b i c B. apply (counting_by_bracket (fun k => b ^ k)), powers_increase, B. Qed.

Theorem count_of_powers_of_two : forall i, size_is (fun k => 2 ^ k < i) (Nat.log2_up i).
Proof.
  intros i. destruct (le_lt_dec i 1) as [L|L].
  - rewrite Nat.log2_up_eqn0 by assumption. apply count_of_powers; simpl; lia.
  - destruct (Nat.log2_up_spec i L) as (A & B). rewrite <- Nat.sub_1_r in A.
    apply count_of_powers; auto.
Qed.

(* #{k : k^2 + 1 < i} = floor(sqrt(i - 2)) + 1 for i >= 2 *)
Theorem squares_increase : increasing (fun k => k * k + 1).
Proof. intros k. nia. Qed.

Theorem count_of_squares : forall i, 2 <= i ->
  size_is (fun k => k * k + 1 < i) (Nat.sqrt (i - 2) + 1).
Proof.
  intros i I. destruct (Nat.sqrt_spec (i - 2)) as (A & B); [lia|].
  apply (counting_by_bracket (fun k => k * k + 1)); [apply squares_increase| |]; nia.
Qed.

(* p(k) = c_0 + c_1 k + ... + c_d k^d with naturals c_e, some c_e > 0 with e >= 1, increases *)
Fixpoint polynomial (coefficients : list nat) (k : nat) : nat :=
  match coefficients with
  | [] => 0
  | c :: rest => c + k * polynomial rest k
  end.

Lemma polynomial_grows : forall cs k, polynomial cs k <= polynomial cs (S k).
Proof.
  induction cs as [|c cs IH]; intros k; simpl polynomial; [lia|]. specialize (IH k). nia.
Qed.

Lemma polynomial_positive : forall cs k, Exists (fun c => 0 < c) cs -> 0 < polynomial cs (S k).
Proof.
  induction cs as [|c cs IH]; intros k E; inversion E; subst; cbn [polynomial]; [lia|].
  specialize (IH k H0). nia.
Qed.

Theorem polynomial_increases : forall c cs,
  Exists (fun c => 0 < c) cs -> increasing (polynomial (c :: cs)).
Proof.
  intros c cs E k. cbn [polynomial].
  pose proof (polynomial_grows cs k). pose proof (polynomial_positive cs k E). nia.
Qed.

(* #{k : p(k) < i} = r + 1 with the integer root r: p(r) < i <= p(r + 1) *)
Theorem count_of_polynomial : forall c cs i r, Exists (fun c => 0 < c) cs ->
  polynomial (c :: cs) r < i <= polynomial (c :: cs) (r + 1) ->
  size_is (fun k => polynomial (c :: cs) k < i) (r + 1).
Proof.
  intros c cs i r E (A & B). apply counting_by_bracket; [apply polynomial_increases, E| |exact B].
  intros _. replace (r + 1 - 1) with r by lia. exact A.
Qed.
