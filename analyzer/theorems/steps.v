(* SPDX-License-Identifier: Apache-2.0
   Hops and depth from the shape of the rows: row i reads i - 1 gives i - j steps and depth n - 1; a
   window of w is crossed in exactly ceil((i - j) / w); h steps of at most m cross at most h m. *)
Require Import Arith Lia List.
From heddle Require Import sets rows paths distances lattice.
Import ListNotations.

Definition reads_previous (r : rows) : Prop := forall i, 2 <= i -> r i (i - 1).
Definition reads_all_before (r : rows) : Prop := forall i p, 1 <= p < i -> r i p.

(* reads i - 1 in every row: j reaches i in i - j steps *)
Theorem step_by_step : forall r, reads_previous r ->
  forall j i, 1 <= j <= i -> hops_at_most r i j (i - j).
Proof.
  intros r R j i (J & L). induction L as [|i L (l & P & E)].
  - exists [j]. split; [constructor|]. simpl. lia.
  - exists (S i :: l). split; [|cbn [length]; lia]. apply path_step with i; [assumption|].
    replace i with (S i - 1) at 2 by lia. apply R. lia.
Qed.

(* A walk starts at an input: at row j if rowA(j) holds j, or at any row whose rowA holds j. *)
Definition reaches (a b : rows) (i j : nat) : Prop := exists p l, a p j /\ path b p i l.

Theorem reaches_step_by_step : forall a b : rows, (forall i, 1 <= i -> a i i) -> reads_previous b ->
  forall i j, 1 <= j <= i -> reaches a b i j.
Proof.
  intros a b A B i j J. destruct (step_by_step b B j i J) as (l & P & _).
  exists j, l. split; [apply A; lia|assumption].
Qed.

Theorem reaches_directly : forall a b : rows, (forall i p, 1 <= p <= i -> a i p) ->
  forall i j, 1 <= j <= i -> reaches a b i j.
Proof. intros a b A i j J. exists i, [i]. split; [apply A, J|constructor]. Qed.

(* every row reads every position before it: one edge *)
Theorem one_edge : forall r, reads_all_before r -> forall i j, 1 <= j < i -> hops_is r i j 1.
Proof.
  intros r R i j J. split.
  - exists [i; j]. split; [|cbn [length]; lia]. apply path_step with j; [constructor|]. apply R, J.
  - intros l P. inversion P; subst; [lia|]. destruct H; simpl; lia.
Qed.

(* another token is at least one edge away *)
Theorem at_least_one_edge : forall r i j l, j < i -> path r j i l -> 2 <= length l.
Proof. intros r i j l J P. inversion P as [|p ? m Q]; subst; [lia|]. destruct Q; simpl; lia. Qed.

(* distances of at most m: h edges cross at most h m *)
Theorem longest_step : forall (D : set) m, (forall d, D d -> d <= m) ->
  forall j i l, path (distances D) j i l -> i + m <= j + m * length l.
Proof.
  intros D m M j i l P. induction P as [|p i l P IH (d & Dd & L & E)]; simpl length; [lia|].
  specialize (M d Dd). nia.
Qed.

(* distances 1..w among others: at most h steps wherever i - j <= h w *)
Theorem window_steps : forall (D : set) w, (forall d, 1 <= d <= w -> D d) ->
  forall h j i, 1 <= j <= i -> i - j <= h * w -> hops_at_most (distances D) i j h.
Proof.
  intros D w W h. induction h as [|h IH]; intros j i J L.
  - replace i with j by lia. exists [j]. split; [constructor|]. simpl. lia.
  - destruct (le_lt_dec (i - j) w) as [Near|Far].
    + destruct (Nat.eq_dec i j) as [->|N].
      * exists [j]. split; [constructor|]. simpl. lia.
      * exists [i; j]. split; [|cbn [length]; lia]. apply path_step with j; [constructor|].
        exists (i - j). split; [apply W; lia|]. lia.
    + destruct w as [|w]; [lia|]. destruct (IH j (i - S w)) as (l & P & E); [lia|lia|].
      exists (i :: l). split; [|cbn [length]; lia]. apply path_step with (i - S w); [assumption|].
      exists (S w). split; [apply W; lia|]. lia.
Qed.

(* a window of w: hops(i, j) = ceil((i - j) / w) *)
Theorem window_hops : forall w, 1 <= w -> forall i j, 1 <= j <= i ->
  hops_is (distances (window 1 w)) i j (ceil_div (i - j) w).
Proof.
  intros w W i j J. pose proof (round_up (i - j) w W). split.
  - apply window_steps with w; unfold window; [lia|assumption|nia].
  - intros l P. apply (longest_step _ w) in P; [|unfold window; lia]. nia.
Qed.

(* row i reads i - 1 in a causal pattern: the chain 1, ..., n is the longest, depth(n) = n - 1 *)
Theorem chain_is_longest : forall r, causal_b r ->
  forall j i l, path r j i l -> length l + j <= i + 1.
Proof.
  intros r C j i l P. induction P as [|p i l P IH R]; simpl; [lia|]. specialize (C i p R). lia.
Qed.

Theorem chain_exists : forall r, reads_previous r ->
  forall n, 1 <= n -> exists l, path r 1 n l /\ length l = n.
Proof.
  intros r R n N. induction N as [|n N (l & P & E)].
  - exists [1]. split; [constructor|reflexivity].
  - exists (S n :: l). split; [|cbn [length]; lia]. apply path_step with n; [assumption|].
    replace n with (S n - 1) at 2 by lia. apply R. lia.
Qed.

(* hops are at least 1 and at most i - j *)
Theorem hops_at_most_distance : forall r, causal_b r ->
  forall i j h, hops_is r i j h -> h <= i - j.
Proof.
  intros r C i j h ((l & P & E) & Least). specialize (Least l P).
  pose proof (chain_is_longest r C j i l P). lia.
Qed.
