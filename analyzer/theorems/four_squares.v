(* SPDX-License-Identifier: Apache-2.0
   Lagrange: every natural number is a sum of four squares. Products of such sums are such sums
   (Euler); for a prime p some m p with 0 < m < p is one (pigeonhole), and from m > 1 a smaller
   multiple follows (descent); primes give all numbers. *)
Require Import Arith ZArith Znumtheory Lia List.
Import ListNotations.
Open Scope Z_scope.

Definition four (n : Z) : Prop := exists a b c d, n = a * a + b * b + c * c + d * d.

(* Euler: (a^2 + b^2 + c^2 + d^2)(w^2 + x^2 + y^2 + z^2) is a sum of four squares *)
Theorem four_times_four : forall m n, four m -> four n -> four (m * n).
Proof.
  intros m n (a & b & c & d & ->) (w & x & y & z & ->).
  exists (a * w + b * x + c * y + d * z), (a * x - b * w + c * z - d * y),
    (a * y - b * z - c * w + d * x), (a * z + b * y - c * x - d * w). ring.
Qed.

(* p an odd prime: the squares of 0..(p-1)/2 are distinct modulo p *)
Lemma distinct_squares : forall p, prime p -> forall x y,
  0 <= x -> 0 <= y -> 2 * x < p -> 2 * y < p -> (p | x * x - y * y) -> x = y.
Proof.
  intros p P x y X Y Hx Hy D. pose proof (prime_ge_2 p P).
  replace (x * x - y * y) with ((x - y) * (x + y)) in D by ring.
  destruct (prime_mult p P _ _ D) as [(k & K)|(k & K)].
  - assert (k = 0) by nia. lia.
  - assert (k = 0) by nia. lia.
Qed.

Section Pigeonhole.
Open Scope nat_scope.

Lemma distinct_remainders : forall p x y, prime (Z.of_nat p) -> 2 * x < p -> 2 * y < p ->
  (x * x) mod p = (y * y) mod p -> x = y.
Proof.
  intros p x y P X Y E. apply Nat2Z.inj. apply (distinct_squares (Z.of_nat p)); try lia; [assumption|].
  exists (Z.of_nat (x * x / p) - Z.of_nat (y * y / p))%Z.
  pose proof (Nat.div_mod (x * x) p). pose proof (Nat.div_mod (y * y) p). rewrite E in *. nia.
Qed.

(* x^2 + y^2 + 1 = m p for some x, y <= (p-1)/2 *)
Lemma minus_one : forall p h, prime (Z.of_nat p) -> p = 2 * h + 1 ->
  exists x y, x <= h /\ y <= h /\ Nat.divide p (x * x + y * y + 1).
Proof.
  intros p h P E.
  set (left := map (fun x => (x * x) mod p) (seq 0 (S h))).
  set (right := map (fun y => p - 1 - (y * y) mod p) (seq 0 (S h))).
  assert (forall l : list nat, NoDup l -> forall g : nat -> nat,
    (forall x y, In x l -> In y l -> g x = g y -> x = y) -> NoDup (map g l)) as Map.
  { intros l N g G. induction N as [|a l A N IH]; simpl; constructor.
    - intros I. apply in_map_iff in I. destruct I as (b & Q & B).
      assert (b = a) as -> by (apply G; simpl; auto). contradiction.
    - apply IH. intros x y I J. apply G; simpl; auto. }
  assert (NoDup left) as Left.
  { apply Map; [apply seq_NoDup|]. intros x y X Y Q. apply in_seq in X. apply in_seq in Y.
    apply (distinct_remainders p); [assumption|lia|lia|assumption]. }
  assert (NoDup right) as Right.
  { apply Map; [apply seq_NoDup|]. intros x y X Y Q. apply in_seq in X. apply in_seq in Y.
    apply (distinct_remainders p); [assumption|lia|lia|].
    pose proof (Nat.mod_upper_bound (x * x) p). pose proof (Nat.mod_upper_bound (y * y) p). lia. }
  assert (exists v, In v left /\ In v right) as (v & L & R).
  { destruct (Exists_dec (fun v => In v right) left) as [X|X].
    - intros v. apply in_dec, Nat.eq_dec.
    - apply Exists_exists in X. exact X.
    - exfalso. assert (NoDup (left ++ right)) as N.
      { clearbody right. clear - Left Right X. induction left as [|a l IH]; [assumption|].
        inversion Left; subst. simpl. constructor.
        - rewrite in_app_iff. intros [I|I]; [contradiction|]. apply X. constructor. assumption.
        - apply IH; [assumption|]. intros Y. apply X. apply Exists_cons_tl. assumption. }
      assert (length (left ++ right) <= length (seq 0 p)) as Len.
      { apply NoDup_incl_length; [assumption|]. intros w W. apply in_seq.
        apply in_app_iff in W. destruct W as [W|W]; apply in_map_iff in W; destruct W as (x & <- & _).
        - pose proof (Nat.mod_upper_bound (x * x) p). lia.
        - lia. }
      rewrite app_length in Len. unfold left, right in Len. rewrite !map_length, !seq_length in Len. lia. }
  apply in_map_iff in L. apply in_map_iff in R.
  destruct L as (x & <- & X), R as (y & Q & Y). apply in_seq in X. apply in_seq in Y.
  exists x, y. split; [lia|]. split; [lia|].
  exists (x * x / p + y * y / p + 1).
  pose proof (Nat.div_mod (x * x) p). pose proof (Nat.div_mod (y * y) p).
  pose proof (Nat.mod_upper_bound (y * y) p). nia.
Qed.

End Pigeonhole.

(* the remainder y of x modulo m with -m < 2 y <= m *)
Lemma centred : forall m x, 0 < m -> exists y k, x = y + m * k /\ - m < 2 * y <= m.
Proof.
  intros m x M. pose proof (Z.div_mod x m). pose proof (Z.mod_pos_bound x m M).
  destruct (Z_le_gt_dec (2 * (x mod m)) m).
  - exists (x mod m), (x / m). lia.
  - exists (x mod m - m), (x / m + 1). lia.
Qed.

Lemma square_small : forall m y, - m < 2 * y <= m -> 0 <= 4 * (y * y) <= m * m.
Proof. intros m y H. nia. Qed.

Lemma square_full : forall m y, - m < 2 * y <= m -> 4 * (y * y) = m * m -> 2 * y = m.
Proof. intros m y H E. nia. Qed.

Lemma no_divisor : forall p m, prime p -> 1 < m < p -> (m | p) -> False.
Proof. intros p m P M D. destruct (prime_divisors p P m D) as [|[|[|]]]; lia. Qed.

(* m p a sum of four squares, 1 < m < p: so is r p for some 0 < r < m *)
Lemma descent : forall p m, prime p -> 1 < m < p -> four (m * p) ->
  exists r, 0 < r < m /\ four (r * p).
Proof.
  intros p m P M (a & b & c & d & E).
  destruct (centred m a) as (w & i & -> & W); [lia|]. destruct (centred m b) as (x & j & -> & X); [lia|].
  destruct (centred m c) as (y & k & -> & Y); [lia|]. destruct (centred m d) as (z & l & -> & Z0); [lia|].
  pose proof (square_small m w W) as W'. pose proof (square_small m x X) as X'.
  pose proof (square_small m y Y) as Y'. pose proof (square_small m z Z0) as Z'.
  (* the squares of the remainders add up to a multiple r of m *)
  set (r := p - (2 * (w * i + x * j + y * k + z * l) + m * (i * i + j * j + k * k + l * l))).
  assert (m * r = w * w + x * x + y * y + z * z) as R by (unfold r; lia).
  assert (0 <= r) by nia. assert (r <= m) by nia.
  destruct (Z.eq_dec r 0) as [Zero|Nonzero].
  { exfalso. apply (no_divisor p m P M).
    assert (w = 0 /\ x = 0 /\ y = 0 /\ z = 0) as (-> & -> & -> & ->) by (rewrite Zero in R; nia).
    exists (i * i + j * j + k * k + l * l). unfold r in Zero. lia. }
  destruct (Z.eq_dec r m) as [Full|Less].
  { exfalso. apply (no_divisor p m P M). rewrite Full in R.
    assert (2 * w = m) as Hw by (apply square_full; [assumption|lia]).
    assert (2 * x = m) as Hx by (apply square_full; [assumption|lia]).
    assert (2 * y = m) as Hy by (apply square_full; [assumption|lia]).
    assert (2 * z = m) as Hz by (apply square_full; [assumption|lia]).
    exists (1 + i + j + k + l + (i * i + j * j + k * k + l * l)). unfold r in Full.
    replace (2 * (w * i + x * j + y * k + z * l))
      with (2 * w * i + 2 * x * j + 2 * y * k + 2 * z * l) in Full by ring.
    rewrite Hw, Hx, Hy, Hz in Full. lia. }
  exists r. split; [lia|].
  exists (r + w * i + x * j + y * k + z * l), (i * x - j * w + k * z - l * y),
    (i * y - j * z - k * w + l * x), (i * z + j * y - k * x - l * w).
  apply Z.mul_reg_l with (m * m); [nia|].
  replace (m * m * (r * p)) with ((m * p) * (m * r)) by ring. rewrite E, R.
  replace (m * m * ((r + w * i + x * j + y * k + z * l) * (r + w * i + x * j + y * k + z * l) +
    (i * x - j * w + k * z - l * y) * (i * x - j * w + k * z - l * y) +
    (i * y - j * z - k * w + l * x) * (i * y - j * z - k * w + l * x) +
    (i * z + j * y - k * x - l * w) * (i * z + j * y - k * x - l * w)))
    with ((m * r + m * (w * i + x * j + y * k + z * l)) * (m * r + m * (w * i + x * j + y * k + z * l)) +
    m * m * ((i * x - j * w + k * z - l * y) * (i * x - j * w + k * z - l * y) +
    (i * y - j * z - k * w + l * x) * (i * y - j * z - k * w + l * x) +
    (i * z + j * y - k * x - l * w) * (i * z + j * y - k * x - l * w))) by ring.
  rewrite R. ring.
Qed.

Lemma four_prime : forall p, prime p -> four p.
Proof.
  intros p P. pose proof (prime_ge_2 p P).
  destruct (Z.eq_dec p 2) as [->|Odd]; [exists 1, 1, 0, 0; reflexivity|].
  assert (exists m, 0 < m < p /\ four (m * p)) as (m & M & F).
  { assert (exists h, p = 2 * h + 1) as (h & E).
    { exists (p / 2). pose proof (Z.div_mod p 2). pose proof (Z.mod_pos_bound p 2).
      destruct (Z.eq_dec (p mod 2) 0); [|lia]. exfalso.
      apply (no_divisor p 2 P); [lia|]. exists (p / 2). lia. }
    destruct (minus_one (Z.to_nat p) (Z.to_nat h)) as (x & y & X & Y & q & Q).
    - rewrite Z2Nat.id by lia. assumption.
    - lia.
    - exists (Z.of_nat q). assert (Z.of_nat q * p = Z.of_nat x * Z.of_nat x + Z.of_nat y * Z.of_nat y + 1).
      { replace p with (Z.of_nat (Z.to_nat p)) by lia. lia. }
      split; [split; nia|]. exists (Z.of_nat x), (Z.of_nat y), 1, 0. lia. }
  refine (Z_lt_induction (fun m => 0 < m < p -> four (m * p) -> four p) _ m _ M F); [|lia].
  clear m M F. intros m IH M F.
  destruct (Z.eq_dec m 1) as [->|N]; [rewrite Z.mul_1_l in F; exact F|].
  destruct (descent p m P) as (r & R & G); [lia|assumption|]. apply (IH r); [lia|lia|assumption].
Qed.

(* every natural number is a sum of four squares *)
Theorem four_squares_of_integers : forall n, 0 <= n -> four n.
Proof.
  intros n N. refine (Z_lt_induction (fun n => 0 <= n -> four n) _ n N N).
  clear n N. intros n IH N.
  destruct (Z_le_gt_dec n 1) as [Small|Large].
  - exists n, 0, 0, 0. nia.
  - destruct (prime_dec n) as [P|C]; [apply four_prime, P|].
    destruct (not_prime_divide n) as (a & A & b & ->); [lia|assumption|].
    apply four_times_four; apply IH; nia.
Qed.

Theorem four_squares : forall n : nat, exists a b c d : nat, (n = a * a + b * b + c * c + d * d)%nat.
Proof.
  intros n. destruct (four_squares_of_integers (Z.of_nat n)) as (a & b & c & d & E); [lia|].
  exists (Z.abs_nat a), (Z.abs_nat b), (Z.abs_nat c), (Z.abs_nat d). apply Nat2Z.inj.
  rewrite !Nat2Z.inj_add, !Nat2Z.inj_mul, !Zabs2Nat.id_abs, !Z.abs_square. exact E.
Qed.
