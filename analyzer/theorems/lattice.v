(* SPDX-License-Identifier: Apache-2.0
   Lattice rows S_i = {p_k(i) : f(k) < i} with p_k(i) = a_k ceil((i - f(k)) / a_k), a_0 = 1,
   a_{k+1} = a_k ceil((f(k+1) - f(k)) / a_k), for every strictly increasing f with f(0) = 1:
   S_i is within 1..i-1 and within S_{i-1} and {i-1}; live(i) = S_{i+1}; cache(i) <= #{k : f(k) <= i}. *)
Require Import Arith Lia.
From heddle Require Import sets increasing counting_by_inverse rows.

Definition ceil_div (x a : nat) : nat := (x + a - 1) / a.

Fixpoint stride (f : nat -> nat) (k : nat) : nat :=
  match k with
  | 0 => 1
  | S k => stride f k * ceil_div (f (S k) - f k) (stride f k)
  end.

Definition place (f : nat -> nat) (k i : nat) : nat :=
  stride f k * ceil_div (i - f k) (stride f k).

Definition lattice (f : nat -> nat) : rows := fun i p => exists k, f k < i /\ p = place f k i.

(* x <= a ceil(x / a) <= x + a - 1 *)
Theorem round_up : forall x a, 1 <= a -> x <= a * ceil_div x a <= x + a - 1.
Proof.
  intros x a A. unfold ceil_div.
  pose proof (Nat.div_mod (x + a - 1) a). pose proof (Nat.mod_upper_bound (x + a - 1) a). lia.
Qed.

(* a ceil(x / a) is the only multiple of a in x..x+a-1 *)
Theorem round_up_unique : forall x a q, 1 <= a -> x <= a * q <= x + a - 1 -> a * ceil_div x a = a * q.
Proof. intros x a q A H. pose proof (round_up x a A). f_equal. nia. Qed.

(* a_k >= 1 *)
Theorem stride_positive : forall f, increasing f -> forall k, 1 <= stride f k.
Proof.
  intros f F k. induction k as [|k IH]; [simpl; lia|].
  cbn [stride]. pose proof (round_up (f (S k) - f k) (stride f k) IH). specialize (F k). lia.
Qed.

(* a_k divides a_{k+1} *)
Theorem stride_divides : forall f k, Nat.divide (stride f k) (stride f (S k)).
Proof. intros f k. exists (ceil_div (f (S k) - f k) (stride f k)). cbn [stride]. lia. Qed.

(* f(k+1) - f(k) <= a_{k+1} < f(k+1) - f(k) + a_k *)
Theorem stride_step : forall f, increasing f ->
  forall k, f (S k) - f k <= stride f (S k) <= f (S k) - f k + stride f k - 1.
Proof. intros f F k. cbn [stride]. apply round_up, stride_positive, F. Qed.

(* a_k <= f(k) when f(0) = 1 *)
Theorem stride_at_most : forall f, increasing f -> f 0 = 1 -> forall k, stride f k <= f k.
Proof.
  intros f F F0 k. induction k as [|k IH]; [simpl; lia|].
  pose proof (stride_step f F k). specialize (F k). lia.
Qed.

Theorem place_bounds : forall f, increasing f ->
  forall k i, i - f k <= place f k i <= i - f k + stride f k - 1.
Proof. intros f F k i. apply round_up, stride_positive, F. Qed.

(* p_k(i) is in 1..i-1 *)
Theorem lattice_causal : forall f, increasing f -> f 0 = 1 -> causal_b (lattice f).
Proof.
  intros f F F0 i p (k & K & ->).
  pose proof (place_bounds f F k i). pose proof (stride_at_most f F F0 k). lia.
Qed.

(* i - 1 is in S_i for i >= 2 *)
Theorem lattice_reads_previous : forall f, f 0 = 1 -> forall i, 2 <= i -> lattice f i (i - 1).
Proof.
  intros f F0 i I. exists 0. split; [lia|]. unfold place, ceil_div. cbn [stride].
  rewrite F0, Nat.div_1_r. lia.
Qed.

(* S_{i+1} is within S_i and {i} *)
Theorem lattice_inclusion : forall f, increasing f -> f 0 = 1 -> nested (lattice f).
Proof.
  intros f F F0 i p _ (k & K & ->).
  destruct k as [|k].
  - right. unfold place, ceil_div. cbn [stride]. rewrite F0, Nat.div_1_r. lia.
  - pose proof (stride_positive f F k) as A. pose proof (stride_positive f F (S k)) as A'.
    pose proof (stride_step f F k) as Step. pose proof (F k) as Fk.
    pose proof (place_bounds f F (S k) (S i)) as P.
    destruct (stride_divides f k) as (q & Q).
    (* Either p is not the first multiple that row i could take, and row i takes it as well ... *)
    destruct (le_lt_dec (place f (S k) (S i)) (i - f (S k) + stride f (S k) - 1)) as [L|L].
    + destruct (le_lt_dec i (f (S k))) as [I|I].
      * (* ... or k + 1 is new in row i + 1, f(k+1) = i, and p = a_{k+1} = p_k(i) ... *)
        assert (i = f (S k)) as E by lia. left. exists k. split; [lia|].
        assert (place f (S k) (S i) = stride f (S k)) as ->.
        { unfold place. rewrite <- (Nat.mul_1_r (stride f (S k))) at 3.
          apply round_up_unique; lia. }
        rewrite Q, Nat.mul_comm. symmetry. apply round_up_unique; [assumption|].
        rewrite Nat.mul_comm, <- Q. lia.
      * left. exists (S k). split; [assumption|]. symmetry. apply round_up_unique; [assumption|].
        unfold place in P, L |- *. lia.
    + (* ... or p jumps to i - f(k+1) + a_{k+1}, a multiple of a_k where p_k(i) must be. *)
      left. exists k. split; [lia|]. unfold place in P, L |- *. symmetry.
      rewrite Q. rewrite (Nat.mul_comm q), <- Nat.mul_assoc. apply round_up_unique; [assumption|].
      rewrite Nat.mul_assoc, (Nat.mul_comm _ q), <- Q. lia.
Qed.

(* live(i) = S_{i+1} *)
Theorem lattice_live : forall f, increasing f -> f 0 = 1 ->
  forall i p, live (lattice f) i p <-> lattice f (S i) p.
Proof.
  intros f F F0 i p. rewrite (live_of_nested _ (lattice_inclusion f F F0)).
  pose proof (lattice_causal f F F0 (S i) p) as C. split; [tauto|]. intros R.
  specialize (C R). split; [lia|assumption].
Qed.

(* |S_i| <= #{k : f(k) < i} *)
Theorem lattice_row_size : forall f i c,
  size_is (fun k => f k < i) c -> size_at_most (lattice f i) c.
Proof. intros f i c C. exact (size_of_any_image _ (fun k => place f k i) c C). Qed.

(* cache(i) = |S_{i+1}| <= #{k : f(k) <= i} *)
Theorem lattice_cache : forall f, increasing f -> f 0 = 1 ->
  forall i c, size_is (fun k => f k <= i) c -> size_at_most (live (lattice f) i) c.
Proof.
  intros f F F0 i c C. apply (size_of_subset _ (lattice f (S i))).
  - intros p. apply lattice_live; assumption.
  - apply lattice_row_size, (size_is_same (fun k => f k <= i)); [intros k; lia|assumption].
Qed.

(* S_i within S_{i-1} and {i}, as circulating summaries print it, is false in every row i >= 2 *)
Theorem circulating_inclusion_is_false : forall f, increasing f -> f 0 = 1 ->
  forall i, 2 <= i -> ~ (forall p, lattice f i p -> lattice f (i - 1) p \/ p = i).
Proof.
  intros f F F0 i I H. destruct (H (i - 1)) as [R|E].
  - apply lattice_reads_previous; assumption.
  - apply lattice_causal in R; [lia|assumption|assumption].
  - lia.
Qed.

(* with f(0) > 1 row f(0) + 1 reads position 1, which is neither in row f(0) nor f(0) *)
Theorem late_start_loses_its_cache : forall f, increasing f -> 1 < f 0 -> ~ nested (lattice f).
Proof.
  intros f F F0 N. destruct (N (f 0) 1) as [(k & K & _)|E]; [lia| |  |lia].
  - exists 0. split; [lia|]. unfold place, ceil_div. cbn [stride]. rewrite Nat.div_1_r. lia.
  - pose proof (increasing_lt f F k 0). lia.
Qed.
