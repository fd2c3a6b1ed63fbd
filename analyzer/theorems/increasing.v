(* SPDX-License-Identifier: Apache-2.0
   Strictly increasing functions on the naturals: what f(k) < f(k+1) for every k gives. *)
Require Import Arith Lia.

Definition increasing (f : nat -> nat) : Prop := forall k, f k < f (S k).

(* f(s) + (t - s) <= f(t) for s <= t *)
Theorem increasing_pairs : forall f, increasing f -> forall s t, s <= t -> f s + (t - s) <= f t.
Proof.
  intros f F s t L. induction L as [|t L IH]; [lia|]. specialize (F t). lia.
Qed.

Theorem increasing_lt : forall f, increasing f -> forall s t, f s < f t <-> s < t.
Proof.
  intros f F s t. destruct (le_lt_dec t s) as [L|L].
  - pose proof (increasing_pairs f F t s L). lia.
  - pose proof (increasing_pairs f F s t (Nat.lt_le_incl _ _ L)). lia.
Qed.

Theorem increasing_injective : forall f, increasing f -> forall s t, f s = f t -> s = t.
Proof.
  intros f F s t E. pose proof (increasing_lt f F s t). pose proof (increasing_lt f F t s). lia.
Qed.

(* f is unbounded: f(i) >= i *)
Theorem increasing_above : forall f, increasing f -> forall k, k <= f k.
Proof. intros f F k. pose proof (increasing_pairs f F 0 k (Nat.le_0_l k)). lia. Qed.

(* For f(0) <= d there is one g with f(g) <= d < f(g+1): the greedy choice. *)
Theorem increasing_bracket : forall f, increasing f ->
  forall d, f 0 <= d -> exists g, f g <= d < f (S g).
Proof.
  intros f F d. induction d as [|d IH]; intros L.
  - exists 0. specialize (F 0). lia.
  - destruct (le_lt_dec (f 0) d) as [L'|L'].
    + destruct (IH L') as (g & A & B). destruct (Nat.eq_dec (S d) (f (S g))) as [E|E].
      * exists (S g). specialize (F (S g)). lia.
      * exists g. lia.
    + exists 0. specialize (F 0). lia.
Qed.
