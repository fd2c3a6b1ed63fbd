(* SPDX-License-Identifier: Apache-2.0
   How many positions of a lattice row are distinct. Gaps f(k+1) - f(k) in a constant ratio are the
   strides and |S_i| = #{k : f(k) < i}; gaps that do not fall give a_k <= 2 (f(k) - f(k-1)) - 1; and
   a_{k+w} <= f(k+w) - f(k) for k >= s gives |S_i| >= ceil((#{k : f(k) < i} - s) / w). *)
Require Import Arith Lia List.
From heddle Require Import sets increasing counting_by_inverse rows lattice.
Import ListNotations.

Definition gap (f : nat -> nat) (k : nat) : nat := f (S k) - f k.

(* gap(k+1) = c gap(k): a_{k+1} = gap(k) *)
Theorem ratio_strides : forall f c, increasing f -> (forall k, gap f (S k) = c * gap f k) ->
  forall k, stride f (S k) = gap f k.
Proof.
  intros f c F R k. induction k as [|k IH].
  - cbn [stride]. unfold gap, ceil_div. rewrite Nat.div_1_r. lia.
  - change (stride f (S k) * ceil_div (gap f (S k)) (stride f (S k)) = gap f (S k)).
    rewrite IH, R, Nat.mul_comm. rewrite (Nat.mul_comm c). rewrite Nat.mul_comm.
    apply round_up_unique; unfold gap; specialize (F k); lia.
Qed.

(* a_{k+w} <= f(k+w) - f(k): p_{k+w}(i) < p_k(i) *)
Theorem later_place_is_before : forall f, increasing f ->
  forall k w i, 1 <= w -> f (k + w) < i -> stride f (k + w) <= f (k + w) - f k ->
  place f (k + w) i < place f k i.
Proof.
  intros f F k w i W I A. pose proof (place_bounds f F k i). pose proof (place_bounds f F (k + w) i).
  pose proof (increasing_lt f F k (k + w)). lia.
Qed.

(* the positions p_s, p_{s+w}, ..., p_{s+(d-1)w} are distinct *)
Theorem lattice_row_spread : forall f s w, increasing f -> 1 <= w ->
  (forall k, s <= k -> stride f (k + w) <= f (k + w) - f k) ->
  forall i c d, size_is (fun k => f k < i) c -> (1 <= d -> s + w * (d - 1) < c) ->
  size_at_least (lattice f i) d.
Proof.
  intros f s w F W A i c d C D.
  apply (counting_by_inverse f i c F) in C. destruct C as (_ & Below).
  assert (forall t u, t < u -> u < d -> place f (s + w * u) i < place f (s + w * t) i) as Falls.
  { intros t u T U. induction T as [|u T IH].
    - replace (s + w * S t) with (s + w * t + w) by lia. apply later_place_is_before; [assumption|assumption| |].
      + assert (~ i <= f (s + w * t + w)); [apply Below; nia|lia].
      + apply A. lia.
    - assert (u < d) as U' by lia. specialize (IH U').
      apply Nat.lt_trans with (2 := IH). replace (s + w * S u) with (s + w * u + w) by lia.
      apply later_place_is_before; [assumption|assumption| |apply A; lia].
      assert (~ i <= f (s + w * u + w)); [apply Below; nia|lia]. }
  exists (map (fun t => place f (s + w * t) i) (seq 0 d)). split; [|split].
  - apply NoDup_map; [|apply seq_NoDup]. intros t u T U E. apply in_seq in T. apply in_seq in U.
    destruct (lt_eq_lt_dec t u) as [[L|L]|L]; [|assumption|].
    + assert (place f (s + w * u) i < place f (s + w * t) i) by (apply Falls; lia). lia.
    + assert (place f (s + w * t) i < place f (s + w * u) i) by (apply Falls; lia). lia.
  - intros p P. apply in_map_iff in P. destruct P as (t & <- & T). apply in_seq in T.
    exists (s + w * t). split; [|reflexivity].
    assert (~ i <= f (s + w * t)); [apply Below; nia|lia].
  - rewrite map_length, seq_length. reflexivity.
Qed.

(* gaps in a constant ratio: |S_i| = #{k : f(k) < i}, and so for 2^k *)
Theorem ratio_row_size : forall f c, increasing f -> (forall k, gap f (S k) = c * gap f k) ->
  forall i n, size_is (fun k => f k < i) n -> size_is (lattice f i) n.
Proof.
  intros f c F R i n N. pose proof N as (l & Nl & Il & Ll).
  assert (forall k m, k < m -> f m < i -> place f m i < place f k i) as Falls.
  { intros k m L. induction L as [|m L IH]; intros M.
    - rewrite <- Nat.add_1_r in *. apply later_place_is_before; [assumption|lia|assumption|].
      rewrite Nat.add_1_r, (ratio_strides f c F R). unfold gap. lia.
    - apply Nat.lt_trans with (place f m i).
      + rewrite <- (Nat.add_1_r m) in *. apply later_place_is_before; [assumption|lia|assumption|].
        rewrite Nat.add_1_r, (ratio_strides f c F R). unfold gap. lia.
      + apply IH. specialize (F m). lia. }
  apply (size_of_image _ (fun k => place f k i)) in N; [exact N|].
  intros k m K M E. destruct (lt_eq_lt_dec k m) as [[L|L]|L]; [|assumption|].
  - specialize (Falls k m L M). lia.
  - specialize (Falls m k L K). lia.
Qed.

(* gap(k) <= gap(k+1): a_{k+1} <= 2 gap(k) - 1 *)
Theorem convex_strides : forall f, increasing f -> (forall k, gap f k <= gap f (S k)) ->
  forall k, stride f (S k) + 1 <= 2 * gap f k.
Proof.
  intros f F Convex k. induction k as [|k IH].
  - cbn [stride]. unfold gap, ceil_div. rewrite Nat.div_1_r. specialize (F 0). lia.
  - pose proof (stride_positive f F (S k)) as P. pose proof (stride_step f F (S k)) as Step.
    fold (gap f (S k)) in Step. specialize (Convex k).
    destruct (le_lt_dec (gap f (S k)) (stride f (S k))) as [L|L]; [|lia].
    assert (stride f (S (S k)) = stride f (S k)) as ->; [|lia].
    change (stride f (S k) * ceil_div (gap f (S k)) (stride f (S k)) = stride f (S k)).
    rewrite <- (Nat.mul_1_r (stride f (S k))) at 3. apply round_up_unique; [assumption|].
    assert (1 <= gap f (S k)) by (unfold gap; specialize (F (S k)); lia). lia.
Qed.

(* gap(k) < gap(k+1): a_{k+2} <= 2 gap(k+1) - 2 *)
Theorem strictly_convex_strides : forall f, increasing f -> (forall k, gap f k < gap f (S k)) ->
  forall k, stride f (S (S k)) + 2 <= 2 * gap f (S k).
Proof.
  intros f F Convex k.
  assert (stride f (S k) + 1 <= 2 * gap f k) as H.
  { apply convex_strides; [assumption|]. intros m. specialize (Convex m). lia. }
  pose proof (stride_positive f F (S k)) as P. pose proof (stride_step f F (S k)) as Step.
  fold (gap f (S k)) in Step. specialize (Convex k).
  destruct (le_lt_dec (gap f (S k)) (stride f (S k))) as [L|L]; [|lia].
  assert (stride f (S (S k)) = stride f (S k)) as ->; [|lia].
  change (stride f (S k) * ceil_div (gap f (S k)) (stride f (S k)) = stride f (S k)).
  rewrite <- (Nat.mul_1_r (stride f (S k))) at 3. apply round_up_unique; [assumption|].
  assert (1 <= gap f (S k)) by lia. lia.
Qed.
