(* SPDX-License-Identifier: Apache-2.0
   The arithmetic that is left of a claim once its measures are numbers: `numbers` decides what floor,
   ceil, sqrt, log2 and counts of f say, by their defining inequalities. *)
Require Import Arith Lia Psatz.
From heddle Require Import sets increasing counting_by_inverse lattice integer_functions patterns pattern_rows.

Theorem counts_cases : forall f i c, counts f i c ->
  (c = 0 /\ i <= f 0) \/ exists b, c = S b /\ f b < i /\ i <= f (S b).
Proof.
  intros f i [|b] (A & B); [left; auto|right]. exists b. split; [reflexivity|]. split; [|assumption].
  replace b with (S b - 1) at 1 by lia. apply A. lia.
Qed.

(* f(k+m) >= 2 f(k) >= 2: at most m log2(i - 1) + m values are below i *)
Theorem counts_of_doubling : forall f m i c, 1 <= m -> (forall k, 1 <= f k) ->
  (forall k, 2 * f k <= f (k + m)) -> counts f i c -> c <= m * Nat.log2 (i - 1) + m.
Proof.
  intros f m i c M P D C. apply counts_cases in C. destruct C as [(-> & _)|(b & -> & B & _)]; [lia|].
  pose proof (doubling f m M P D b) as G. specialize (P b).
  assert (b / m <= Nat.log2 (i - 1)) as L by (apply Nat.log2_le_pow2; lia).
  pose proof (Nat.div_mod b m). pose proof (Nat.mod_upper_bound b m). nia.
Qed.

(* f(k+1) <= 2^e f(k), f(0) = 1: at least (log2(i - 1) + 1) / e, for i >= 2 *)
Theorem counts_of_slow_growth : forall f e i c, f 0 = 1 -> (forall k, f (S k) <= 2 ^ e * f k) ->
  counts f i c -> 2 <= i -> Nat.log2 (i - 1) + 1 <= e * c.
Proof.
  intros f e i c F0 G (_ & C) I.
  assert (forall k, f k <= 2 ^ (e * k)) as P.
  { induction k as [|k IH]; [rewrite Nat.mul_0_r; simpl; lia|].
    rewrite Nat.mul_succ_r, Nat.add_comm, Nat.pow_add_r. specialize (G k). nia. }
  specialize (P c). assert (Nat.log2 (i - 1) < e * c); [|lia]. apply Nat.log2_lt_pow2; lia.
Qed.

(* f increases: at most i *)
Theorem counts_at_most : forall f i c, increasing f -> counts f i c -> counts f i c /\ c <= i.
Proof.
  intros f i c F C. split; [assumption|]. apply counts_cases in C.
  destruct C as [(-> & _)|(b & -> & B & _)]; [lia|]. pose proof (increasing_above f F b). lia.
Qed.

Lemma cube : forall x, x ^ 3 = x * x * x.
Proof. intros x. simpl. lia. Qed.

Lemma log2_up_beyond_one : forall x, 2 <= x -> Nat.log2_up x = Nat.log2 (x - 1) + 1.
Proof. intros x X. rewrite Nat.log2_up_eqn by lia. rewrite Nat.sub_1_r. lia. Qed.

Lemma log2_of_at_most_twice : forall x y, 1 <= y -> x <= 2 * y -> Nat.log2 x <= Nat.log2 y + 1.
Proof.
  intros x y Y L. rewrite Nat.add_1_r, <- Nat.log2_double by lia. apply Nat.log2_le_mono, L.
Qed.

Lemma log2_at_least_one : forall x, 2 <= x -> 1 <= Nat.log2 x.
Proof. intros x X. change 1 with (Nat.log2 2). apply Nat.log2_le_mono, X. Qed.

(* Each root and quotient becomes a number between its two inequalities, each logarithm a number that
   is ordered against the others. *)
Ltac name_roots :=
  repeat match goal with
  | |- context [Nat.sqrt ?x] =>
      let s := fresh "s" in let E := fresh "E" in
      pose proof (Nat.sqrt_spec' x); cbv zeta in *; remember (Nat.sqrt x) as s eqn:E in *; clear E
  | _ : context [Nat.sqrt ?x] |- _ =>
      let s := fresh "s" in let E := fresh "E" in
      pose proof (Nat.sqrt_spec' x); cbv zeta in *; remember (Nat.sqrt x) as s eqn:E in *; clear E
  end.

Ltac name_quotients :=
  unfold ceil_div in *;
  repeat match goal with
  | |- context [?x / ?d] =>
      let q := fresh "q" in let E := fresh "E" in let r := fresh "r" in
      pose proof (Nat.div_mod x d ltac:(lia)); pose proof (Nat.mod_upper_bound x d ltac:(lia));
      remember (x / d) as q eqn:E in *; clear E; remember (x mod d) as r eqn:E in *; clear E
  | _ : context [?x / ?d] |- _ =>
      let q := fresh "q" in let E := fresh "E" in let r := fresh "r" in
      pose proof (Nat.div_mod x d ltac:(lia)); pose proof (Nat.mod_upper_bound x d ltac:(lia));
      remember (x / d) as q eqn:E in *; clear E; remember (x mod d) as r eqn:E in *; clear E
  end.

Ltac no_rounding_up :=
  repeat match goal with
  | |- context [Nat.log2_up ?x] =>
      destruct (le_lt_dec x 1); [rewrite !(Nat.log2_up_eqn0 x) in * by lia|rewrite !(log2_up_beyond_one x) in * by lia]
  | _ : context [Nat.log2_up ?x] |- _ =>
      destruct (le_lt_dec x 1); [rewrite !(Nat.log2_up_eqn0 x) in * by lia|rewrite !(log2_up_beyond_one x) in * by lia]
  end.

Ltac name_logarithms :=
  repeat match goal with
  | |- context [Nat.log2 ?x] => let l := fresh "l" in let E := fresh "E" in remember (Nat.log2 x) as l eqn:E in *
  | _ : context [?y + Nat.log2 ?x] |- _ => let l := fresh "l" in let E := fresh "E" in remember (Nat.log2 x) as l eqn:E in *
  | _ : context [Nat.log2 ?x + ?y] |- _ => let l := fresh "l" in let E := fresh "E" in remember (Nat.log2 x) as l eqn:E in *
  | _ : context [?y * Nat.log2 ?x] |- _ => let l := fresh "l" in let E := fresh "E" in remember (Nat.log2 x) as l eqn:E in *
  end;
  repeat match goal with
  | E : ?l = Nat.log2 ?x, F : ?m = Nat.log2 ?y |- _ =>
      lazymatch goal with
      | _ : l <= m |- _ => fail
      | _ => assert (l <= m) by (rewrite E, F; apply Nat.log2_le_mono; lia)
      end
  end;
  repeat match goal with
  | E : ?l = Nat.log2 ?x, F : ?m = Nat.log2 ?y |- _ =>
      lazymatch goal with
      | _ : l <= m + 1 |- _ => fail
      | _ => assert (l <= m + 1) by (rewrite E, F; apply log2_of_at_most_twice; lia)
      end
  end;
  repeat match goal with
  | E : ?l = Nat.log2 ?x |- _ =>
      lazymatch goal with
      | _ : 1 <= l |- _ => fail
      | _ : l = 0 |- _ => fail
      | _ => first [assert (1 <= l) by (rewrite E; apply log2_at_least_one; lia)
                   |assert (l = 0) by (rewrite E; apply Nat.log2_null; lia)]
      end
  end.

Ltac open_counts :=
  repeat match goal with
  | H : counts ?f ?i ?c |- _ =>
      let b := fresh "b" in
      apply counts_cases in H; destruct H as [(? & ?)|(b & ? & ? & ?)]
  end.

(* Where a count stands to a root, as far as the squares alone say it. *)
Ltac compare_roots :=
  repeat match goal with
  | _ : ?s * ?s <= _ < S ?s * S ?s |- _ =>
      lazymatch goal with
      | _ : 1 <= s |- _ => fail
      | _ : s = 0 |- _ => fail
      | _ => first [assert (1 <= s) by nia | destruct (Nat.eq_dec s 0); [|assert (1 <= s) by lia]]
      end
  end;
  repeat match goal with
  | _ : ?s * ?s <= _ < S ?s * S ?s, _ : ?c = S ?b |- _ =>
      lazymatch goal with
      | _ : b <= s |- _ => fail
      | _ => assert (b <= s) by nia
      end
  end;
  repeat match goal with
  | _ : ?s * ?s <= _ < S ?s * S ?s, _ : ?c = S ?b |- _ =>
      lazymatch goal with
      | _ : s <= b + 1 |- _ => fail
      | _ => assert (s <= b + 1) by nia
      end
  end.

Ltac open_facts :=
  repeat match goal with
  | H : exists _, _ |- _ => destruct H
  | H : _ /\ _ |- _ => destruct H
  end.

Ltac numbers :=
  intros; open_facts; open_counts; no_rounding_up; name_roots; name_quotients; name_logarithms;
  rewrite ?Nat.pow_2_r, ?cube in *; compare_roots; repeat split; first [lia | nia].

(* 2 k x <= k^2 + x^2 *)
Lemma twice_product : forall k x, 2 * k * x <= k * k + x * x.
Proof.
  intros k x. destruct (le_lt_dec k x) as [L|L].
  - replace x with (k + (x - k)) by lia. generalize (x - k). intros d. nia.
  - replace k with (x + (k - x)) by lia. generalize (k - x). intros d. nia.
Qed.

(* i + 1 or w + 1 + b at least floor(c sqrt(e) / d) + 1: by squares, where i is about k or b about l. *)
Ltac numbers_near k l :=
  intros; open_facts; open_counts; name_roots; name_quotients; subst;
  repeat match goal with
  | |- context [Nat.min ?x ?y] =>
      destruct (le_lt_dec x y); [rewrite (Nat.min_l x y) by lia|rewrite (Nat.min_r x y) by lia]
  end;
  try lia;
  match goal with
  | E : ?c * ?s = ?d * ?q + _ |- ?t >= ?q + 1 =>
      destruct (le_lt_dec (q + 1) t); [lia|];
      assert (d * t <= c * s) by lia;
      assert (d * t * (d * t) <= c * s * (c * s)) by (apply Nat.mul_le_mono; assumption)
  end;
  lazymatch goal with
  | _ : ?w + S ?b + _ < _ |- _ => pose proof (twice_product l b)
  | _ : 1 <= ?i |- _ => pose proof (twice_product k (i - 1))
  end;
  nia.
