(* SPDX-License-Identifier: Apache-2.0
   With A diagonal: congestion(n) * cache(n) >= n and rank(m) <= cache(m). The copy task sends each
   token j of 1..n to j + n; rank(m) is the most pairwise disjoint paths from 1..m to later tokens. *)
Require Import Arith Lia List.
From heddle Require Import sets rows paths.
Import ListNotations.

(* The number of tokens of `sources` whose path passes v; g bounds it at every v: congestion <= g. *)
Definition load (paths : nat -> list nat) (sources : list nat) (v : nat) : nat :=
  length (filter (fun j => if in_dec Nat.eq_dec v (paths j) then true else false) sources).

Definition copies (r : rows) (n : nat) (paths : nat -> list nat) : Prop :=
  forall j, 1 <= j <= n -> path r j (j + n) (paths j).

Definition congestion_at_most (r : rows) (n g : nat) : Prop :=
  exists paths, copies r n paths /\ forall v, load paths (seq 1 n) v <= g.

Lemma load_cons : forall paths j sources v,
  load paths (j :: sources) v = (if in_dec Nat.eq_dec v (paths j) then 1 else 0) + load paths sources v.
Proof. intros. unfold load. simpl. destruct (in_dec Nat.eq_dec v (paths j)); reflexivity. Qed.

(* Counted per source or per gate, each source that passes a gate is counted at least once. *)
Lemma double_count : forall paths sources gates,
  (forall j, In j sources -> exists v, In v gates /\ In v (paths j)) ->
  length sources <= sum (map (load paths sources) gates).
Proof.
  intros paths sources gates. induction sources as [|j sources IH]; intros H; [simpl; lia|].
  assert (length sources <= sum (map (load paths sources) gates)) as A
    by (apply IH; intros k K; apply H; right; assumption).
  destruct (H j) as (v & V & P); [left; reflexivity|]. clear H IH.
  assert (1 + sum (map (load paths sources) gates) <= sum (map (load paths (j :: sources)) gates)).
  2: { simpl length. lia. }
  clear A. induction gates as [|w gates IH]; [destruct V|].
  assert (sum (map (load paths sources) gates) <= sum (map (load paths (j :: sources)) gates)) as M.
  { clear. induction gates as [|w gates IH]; cbn [map sum]; [lia|]. rewrite load_cons. lia. }
  cbn [map sum]. rewrite load_cons. destruct V as [<-|V].
  - destruct (in_dec Nat.eq_dec w (paths j)); [lia|contradiction].
  - specialize (IH V). lia.
Qed.

Lemma sum_at_most : forall (g : nat -> nat) l c, (forall x, g x <= c) -> sum (map g l) <= c * length l.
Proof. intros g l c H. induction l as [|x l IH]; simpl; [lia|]. specialize (H x). nia. Qed.

(* congestion(n) * cache(n) >= n *)
Theorem capacity_law_of_congestion : forall r, causal_b r -> forall n g c,
  congestion_at_most r n g -> size_is (live r n) c -> n <= g * c.
Proof.
  intros r C n g c (paths & P & G) (gates & _ & In_gates & <-).
  rewrite <- (seq_length n 1) at 1.
  apply Nat.le_trans with (sum (map (load paths (seq 1 n)) gates)); [|apply sum_at_most, G].
  apply double_count. intros j J. apply in_seq in J.
  destruct (path_crosses_live r C n j (j + n) (paths j)) as (v & V & L).
  - apply P. lia.
  - lia.
  - lia.
  - exists v. split; [apply In_gates, L|assumption].
Qed.

(* Paths across the cut after m, no two of which share a token. *)
Inductive disjoint_paths (r : rows) (m : nat) : list (list nat) -> Prop :=
| no_paths : disjoint_paths r m []
| one_more : forall j i l rest,
    path r j i l -> 1 <= j <= m -> m < i -> disjoint_paths r m rest ->
    (forall k v, In k rest -> In v l -> ~ In v k) -> disjoint_paths r m (l :: rest).

(* rank(m) <= cache(m) *)
Theorem capacity_law_of_rank : forall r, causal_b r -> forall m ps c,
  disjoint_paths r m ps -> size_at_most (live r m) c -> length ps <= c.
Proof.
  intros r C m ps c D S.
  assert (exists gates, NoDup gates /\ length gates = length ps /\ (forall v, In v gates -> live r m v) /\
    forall v, In v gates -> exists l, In l ps /\ In v l) as (gates & N & <- & L & _).
  { clear S. induction D as [|j i l rest P J I D (gates & N & E & L & Own) Apart].
    - exists []. split; [constructor|]. split; [reflexivity|]. split; intros v [].
    - destruct (path_crosses_live r C m j i l P J I) as (v & V & Lv). exists (v :: gates).
      split; [|split; [|split]].
      + constructor; [|assumption]. intros G. destruct (Own v G) as (k & K & Vk).
        apply (Apart k v K V Vk).
      + simpl. lia.
      + intros w [<-|W]; [assumption|apply L, W].
      + intros w [<-|W]; [exists l; simpl; auto|]. destruct (Own w W) as (k & K & Vk).
        exists k. simpl. auto. }
  apply S; assumption.
Qed.

(* congestion(n) <= n, since a token is on at most n paths; congestion(n) >= 1 for n >= 1 *)
Theorem load_at_most_all : forall paths sources v, load paths sources v <= length sources.
Proof.
  intros paths sources v. induction sources as [|j sources IH]; [reflexivity|].
  rewrite load_cons. simpl length. destruct (in_dec Nat.eq_dec v (paths j)); lia.
Qed.

Theorem congestion_at_least_one : forall r n g, 1 <= n -> congestion_at_most r n g -> 1 <= g.
Proof.
  intros r n g N (paths & P & G). specialize (G 1). specialize (P 1). destruct n as [|n]; [lia|].
  cbn [seq] in G. rewrite load_cons in G.
  destruct (in_dec Nat.eq_dec 1 (paths 1)) as [I|I]; [lia|]. destruct I.
  apply path_starts with r (1 + S n), P. lia.
Qed.

(* congestion(n) <= n where there are paths at all *)
Theorem congestion_at_most_all : forall r n paths, copies r n paths -> congestion_at_most r n n.
Proof.
  intros r n paths P. exists paths. split; [assumption|]. intros v.
  pose proof (load_at_most_all paths (seq 1 n) v) as L. rewrite seq_length in L. exact L.
Qed.

(* rank(m) <= m, since disjoint paths have distinct first tokens *)
Theorem rank_at_most_all : forall r m ps, disjoint_paths r m ps -> length ps <= m.
Proof.
  intros r m ps D.
  assert (exists starts, NoDup starts /\ length starts = length ps /\
    forall v, In v starts -> 1 <= v <= m /\ exists l, In l ps /\ In v l) as (starts & N & <- & L).
  { induction D as [|j i l rest P J I D (starts & N & E & L) Apart].
    - exists []. split; [constructor|]. split; [reflexivity|]. intros v [].
    - pose proof (path_starts r j i l P) as S. exists (j :: starts). split; [|split].
      + constructor; [|assumption]. intros G. destruct (L j G) as (_ & k & K & Vk).
        apply (Apart k j K S Vk).
      + simpl. lia.
      + intros w [<-|W].
        * split; [assumption|]. exists l. simpl. auto.
        * destruct (L w W) as (B & k & K & Vk). split; [assumption|]. exists k. simpl. auto. }
  rewrite <- (seq_length m 1). apply NoDup_incl_length; [assumption|].
  intros v V. apply in_seq. destruct (L v V). lia.
Qed.
