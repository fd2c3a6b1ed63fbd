(* SPDX-License-Identifier: Apache-2.0
   How sums, products, powers, quotients, min, max and recursions grow: from lower bounds m on values
   and d on steps, g(k) >= m and g(k+1) - g(k) >= d for k >= start, the same for the whole. *)
Require Import Arith ZArith Lia.
Open Scope Z_scope.

Definition sequence := nat -> Z.

(* g(k) >= m and g(k+1) >= g(k) + d for every k; g exceeds every bound from some k on. *)
Definition low (g : sequence) (m : Z) : Prop := forall k, m <= g k.
Definition step (g : sequence) (d : Z) : Prop := forall k, g k + d <= g (S k).
Definition diverges (g : sequence) : Prop := forall b, exists k, forall l, (k <= l)%nat -> b <= g l.

Theorem sum_grows : forall g h m n d e,
  (low g m -> low h n -> low (fun k => g k + h k) (m + n)) /\
  (step g d -> step h e -> step (fun k => g k + h k) (d + e)) /\
  (diverges g -> low h n -> diverges (fun k => g k + h k)).
Proof.
  intros g h m n d e. split; [|split].
  - intros G H k. specialize (G k). specialize (H k). lia.
  - intros G H k. specialize (G k). specialize (H k). lia.
  - intros G H b. destruct (G (b - n)) as (k & K). exists k. intros l L.
    specialize (K l L). specialize (H l). lia.
Qed.

(* x'y' - xy >= d_x m_y + d_y m_x + d_x d_y when the bounds are at least 0 *)
Theorem product_grows : forall g h m n d e, 0 <= m -> 0 <= n -> 0 <= d -> 0 <= e ->
  low g m -> low h n ->
  low (fun k => g k * h k) (m * n) /\
  (step g d -> step h e -> step (fun k => g k * h k) (d * n + e * m + d * e)) /\
  (diverges g -> 1 <= n -> diverges (fun k => g k * h k)).
Proof.
  intros g h m n d e M N D E G H. split; [|split].
  - intros k. specialize (G k). specialize (H k). nia.
  - intros Sg Sh k. specialize (G k). specialize (H k). specialize (Sg k). specialize (Sh k).
    assert ((g k + d) * (h k + e) <= g (S k) * h (S k)) by (apply Z.mul_le_mono_nonneg; lia). nia.
  - intros Dg N1 b. destruct (Dg (Z.max b 0)) as (k & K). exists k. intros l L.
    specialize (K l L). specialize (H l). nia.
Qed.

(* b^(x + d) - b^x >= b^m (b^d - 1) for b >= 2 and x >= m >= 0 *)
Theorem exponential_grows : forall b g m d, 2 <= b -> 0 <= m -> 0 <= d -> low g m ->
  low (fun k => b ^ g k) (b ^ m) /\ (step g d -> step (fun k => b ^ g k) (b ^ m * (b ^ d - 1))).
Proof.
  intros b g m d B M D G. split.
  - intros k. apply Z.pow_le_mono_r; [lia|apply G].
  - intros Sg k. specialize (G k). specialize (Sg k).
    assert (b ^ (g k + d) <= b ^ g (S k)) as P by (apply Z.pow_le_mono_r; lia).
    rewrite Z.pow_add_r in P by lia.
    assert (b ^ m <= b ^ g k) by (apply Z.pow_le_mono_r; lia).
    assert (0 < b ^ d) by (apply Z.pow_pos_nonneg; lia). nia.
Qed.

(* floor((x + d) / c) >= floor(x / c) + floor(d / c) *)
Theorem quotient_grows : forall g m d c, 1 <= c ->
  (low g m -> low (fun k => g k / c) (m / c)) /\ (step g d -> step (fun k => g k / c) (d / c)).
Proof.
  intros g m d c C. split.
  - intros G k. apply Z.div_le_mono; [lia|apply G].
  - intros Sg k. apply Z.div_le_lower_bound; [lia|]. specialize (Sg k).
    pose proof (Z.mul_div_le (g k) c). pose proof (Z.mul_div_le d c). lia.
Qed.

(* ceil((x + d) / c) >= ceil(x / c) + floor(d / c), where ceil(x / c) = -floor(-x / c) *)
Theorem ceiling_grows : forall g m d c, 1 <= c ->
  (low g m -> low (fun k => - (- g k / c)) (- (- m / c))) /\
  (step g d -> step (fun k => - (- g k / c)) (d / c)).
Proof.
  intros g m d c C. split.
  - intros G k. specialize (G k). assert (- g k / c <= - m / c) by (apply Z.div_le_mono; lia). lia.
  - intros Sg k. specialize (Sg k).
    assert (- g (S k) / c <= (- g k - d / c * c) / c) as H.
    { apply Z.div_le_mono; [lia|]. pose proof (Z.mul_div_le d c). lia. }
    replace (- g k - d / c * c) with (- g k + - (d / c) * c) in H by ring.
    rewrite Z.div_add in H by lia. lia.
Qed.

(* min(x', y') - min(x, y) >= min(d_x, d_y), and so for max *)
Theorem extremes_grow : forall g h m n d e,
  (low g m -> low h n -> low (fun k => Z.min (g k) (h k)) (Z.min m n) /\
                         low (fun k => Z.max (g k) (h k)) (Z.max m n)) /\
  (step g d -> step h e -> step (fun k => Z.min (g k) (h k)) (Z.min d e) /\
                           step (fun k => Z.max (g k) (h k)) (Z.min d e)).
Proof.
  intros g h m n d e. split; intros G H; split; intros k; specialize (G k); specialize (H k); lia.
Qed.

(* steps of at least 0 make floor(sqrt) and floor(log2) nondecreasing *)
Theorem roots_grow : forall g, step g 0 ->
  step (fun k => Z.sqrt (g k)) 0 /\ step (fun k => Z.log2 (g k)) 0.
Proof.
  intros g Sg. split; intros k; specialize (Sg k); rewrite Z.add_0_r in *.
  - apply Z.sqrt_le_mono, Sg.
  - apply Z.log2_le_mono, Sg.
Qed.

(* d >= 1 gives strict growth and divergence; d >= 0 gives g(s) + d (t - s) <= g(t) *)
Theorem steps_add_up : forall g d, step g d -> forall s t, (s <= t)%nat ->
  g s + d * (Z.of_nat t - Z.of_nat s) <= g t.
Proof.
  intros g d Sg s t L. induction L as [|t L IH]; [lia|]. specialize (Sg t). lia.
Qed.

Theorem steps_diverge : forall g d, 1 <= d -> step g d -> diverges g.
Proof.
  intros g d D Sg b. exists (Z.to_nat (b - g O)). intros l L.
  pose proof (steps_add_up g d Sg 0 l (Nat.le_0_l l)). nia.
Qed.

(* f(m) within the arguments of g: steps multiply when the argument's step is at least 0 *)
Theorem composition_grows : forall f (g : nat -> nat) d e, 0 <= d ->
  step f d -> (forall k, (g k + e <= g (S k))%nat) -> step (fun k => f (g k)) (d * Z.of_nat e).
Proof.
  intros f g d e D Sf Sg k. specialize (Sg k).
  assert (g k <= g (S k))%nat as L by lia.
  pose proof (steps_add_up f d Sf (g k) (g (S k)) L). nia.
Qed.

(* f(k+r) = e_k with e_k >= f(k+r-1) + d given f >= m before, and base values rising by d from m >= 0:
   f rises by d >= 0 for ever and stays above m *)
Theorem recursion_grows : forall f m d r, (1 <= r)%nat -> 0 <= m -> 0 <= d -> f O = m ->
  (forall k, (S k < r)%nat -> f k + d <= f (S k)) ->
  (forall k, (forall l, (l < k + r)%nat -> m <= f l) -> f (k + r - 1)%nat + d <= f (k + r)%nat) ->
  step f d /\ low f m.
Proof.
  intros f m d r R M D F0 Base Step.
  assert (forall k, (forall l, (l <= k)%nat -> m <= f l) /\
    forall l, (l < k)%nat -> f l + d <= f (S l)) as All.
  { induction k as [|k (Low & Up)].
    - split; [intros l L; replace l with O by lia; lia|lia].
    - assert (f k + d <= f (S k)) as Next.
      { destruct (le_lt_dec r (S k)) as [L|L].
        - specialize (Step (S k - r)%nat). replace (S k - r + r)%nat with (S k) in Step by lia.
          replace (S k - 1)%nat with k in Step by lia. apply Step. intros l Ll. apply Low. lia.
        - apply Base, L. }
      split.
      + intros l L. destruct (Nat.eq_dec l (S k)) as [->|]; [|apply Low; lia].
        specialize (Low k (Nat.le_refl k)). lia.
      + intros l L. destruct (Nat.eq_dec l k) as [->|]; [assumption|]. apply Up. lia. }
  split; intros k.
  - apply (All (S k)). lia.
  - apply (All k). lia.
Qed.
