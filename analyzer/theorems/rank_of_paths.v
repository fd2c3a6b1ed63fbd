(* SPDX-License-Identifier: Apache-2.0
   k disjoint routes across the cut after m: for some values of A and B, the block of (I - B)^-1 A
   from the k inputs to the k ends is the identity. So the generic rank is at least k, and together
   with a cut of k tokens (rank_factors, cut_bounds) exactly k: what Lindstrom-Gessel-Viennot gives. *)
Require Import Arith Bool Lia List QArith.
From heddle Require Import sets rows paths cut_bounds row_stochastic.
Import ListNotations.
Open Scope Q_scope.

(* k comes right after v in l *)
Fixpoint next_in (l : list nat) (v k : nat) : bool :=
  match l with
  | [] => false
  | i :: rest =>
      match rest with
      | [] => false
      | q :: _ => (v =? i)%nat && (k =? q)%nat
      end || next_in rest v k
  end.

Lemma path_head : forall b p i l, path b p i l -> exists rest, l = i :: rest.
Proof. intros b p i l P. destruct P; eexists; reflexivity. Qed.

Lemma next_in_path : forall b p i l, causal_b b -> path b p i l ->
  (forall v k, next_in l v k = true -> In v l /\ In k l /\ b v k /\ v <> p) /\
  (forall v, In v l -> v = p \/ exists k, next_in l v k = true) /\
  (forall v k k', next_in l v k = true -> next_in l v k' = true -> k = k').
Proof.
  intros b p i l C P. induction P as [|q i l P (Sound & Total & Unique) R].
  - split; [|split].
    + intros v k H. discriminate.
    + intros v [<-|[]]. left. reflexivity.
    + intros v k k' H. discriminate.
  - destruct (path_head b p q l P) as (rest & E).
    assert (forall v k, next_in (i :: l) v k = ((v =? i) && (k =? q)) || next_in l v k)%nat as Next
      by (intros v k; rewrite E; reflexivity).
    pose proof (path_within b C p q l P) as Within. pose proof (C i q R) as Iq.
    pose proof (path_ends b p q l P) as Q.
    assert (~ In i l) as Fresh by (intros I; specialize (Within i I); lia).
    pose proof (Within q Q) as Pq.
    split; [|split].
    + intros v k H. rewrite Next in H. apply orb_true_iff in H. destruct H as [H|H].
      * apply andb_true_iff in H. rewrite !Nat.eqb_eq in H. destruct H as (-> & ->).
        split; [left; reflexivity|]. split; [right; assumption|]. split; [assumption|lia].
      * destruct (Sound v k H) as (V & K & B & N). split; [right; assumption|].
        split; [right; assumption|]. split; assumption.
    + intros v [<-|V].
      * right. exists q. rewrite Next, !Nat.eqb_refl. reflexivity.
      * destruct (Total v V) as [->|(k & H)]; [left; reflexivity|right]. exists k.
        rewrite Next, H. apply orb_true_r.
    + intros v k k' H H'. rewrite Next in H, H'. apply orb_true_iff in H. apply orb_true_iff in H'.
      rewrite !andb_true_iff, !Nat.eqb_eq in *. destruct H as [(-> & ->)|H], H' as [(E' & ->)|H'].
      * reflexivity.
      * destruct Fresh. apply (Sound i k' H').
      * subst v. destruct Fresh. apply (Sound i k H).
      * apply (Unique v k k' H H').
Qed.

Lemma Qsum_single : forall n k0 (g : nat -> Q), (k0 < n)%nat ->
  (forall k, (k < n)%nat -> k <> k0 -> g k == 0) -> Qsum n g == g k0.
Proof.
  induction n as [|n IH]; intros k0 g K Z; [lia|]. simpl. destruct (Nat.eq_dec k0 n) as [->|N].
  - rewrite (Qsum_same n g (fun _ => 0)); [rewrite Qsum_zero; ring|].
    intros k L. apply Z; lia.
  - rewrite (IH k0 g); [|lia|intros k L M; apply Z; lia]. rewrite (Z n); [ring|lia|lia].
Qed.

(* Inputs with the rows they enter at and the tokens they pass. *)
Record carried := { input : nat; entry : nat; tokens : list nat }.

Inductive separate (a b : rows) : list carried -> Prop :=
| separate_none : separate a b []
| separate_more : forall c i rest, a (entry c) (input c) -> path b (entry c) i (tokens c) ->
    separate a b rest -> (forall d, In d rest -> input d <> input c) ->
    (forall d v, In d rest -> In v (tokens c) -> ~ In v (tokens d)) -> separate a b (c :: rest).

Lemma separate_in : forall a b cs, separate a b cs -> forall c, In c cs ->
  a (entry c) (input c) /\ exists i, path b (entry c) i (tokens c).
Proof.
  intros a b cs S. induction S as [|c i rest A P S IH F D]; intros e I; [destruct I|].
  destruct I as [<-|I]; [split; [assumption|exists i; assumption]|apply IH, I].
Qed.

Lemma separate_tokens : forall a b cs, separate a b cs -> forall c d v, In c cs -> In d cs ->
  In v (tokens c) -> In v (tokens d) -> c = d.
Proof.
  intros a b cs S. induction S as [|c i rest A P S IH F D]; intros x y v X Y Vx Vy; [destruct X|].
  destruct X as [<-|X], Y as [<-|Y].
  - reflexivity.
  - destruct (D y v Y Vx Vy).
  - destruct (D x v X Vy Vx).
  - apply (IH x y v X Y Vx Vy).
Qed.

Lemma separate_inputs : forall a b cs, separate a b cs -> forall c d, In c cs -> In d cs ->
  input c = input d -> c = d.
Proof.
  intros a b cs S. induction S as [|c i rest A P S IH F D]; intros x y X Y E; [destruct X|].
  destruct X as [<-|X], Y as [<-|Y].
  - reflexivity.
  - destruct (F y Y). symmetry. exact E.
  - destruct (F x X). exact E.
  - apply (IH x y X Y E).
Qed.

Definition one_if (c : bool) : Q := if c then 1 else 0.

Definition entries (cs : list carried) : matrix := fun i j =>
  one_if (existsb (fun c => (i =? entry c) && (j =? input c))%nat cs).
Definition edges (cs : list carried) : matrix := fun i k =>
  one_if (existsb (fun c => next_in (tokens c) i k) cs).
Definition carries (cs : list carried) : matrix := fun i j =>
  one_if (existsb (fun c => (j =? input c)%nat && if in_dec Nat.eq_dec i (tokens c) then true else false) cs).

Lemma one_if_false : forall c, c <> true -> one_if c = 0.
Proof. intros [] H; [destruct H; reflexivity|reflexivity]. Qed.

(* M_ij = 1 where the route of j passes i, and 0 elsewhere *)
Theorem routes_carry : forall a b cs, causal_b b -> separate a b cs ->
  solves (entries cs) (edges cs) (carries cs).
Proof.
  intros a b cs C S i j.
  destruct (existsb (fun c => if in_dec Nat.eq_dec i (tokens c) then true else false) cs) eqn:On.
  - apply existsb_exists in On. destruct On as (c & Ic & On).
    destruct (in_dec Nat.eq_dec i (tokens c)) as [V|]; [clear On|discriminate].
    destruct (separate_in a b cs S c Ic) as (A & e & P).
    destruct (next_in_path b (entry c) e (tokens c) C P) as (Sound & Total & Unique).
    (* of all routes only that of c matters in row i *)
    assert (forall k, existsb (fun d => next_in (tokens d) i k) cs = next_in (tokens c) i k) as Edge.
    { intros k. apply eq_true_iff_eq. rewrite existsb_exists. split.
      - intros (d & D & H). destruct (separate_in a b cs S d D) as (_ & ed & Pd).
        destruct (next_in_path b (entry d) ed (tokens d) C Pd) as (Sd & _).
        rewrite (separate_tokens a b cs S c d i Ic D V); [assumption|]. apply (Sd i k H).
      - intros H. exists c. split; assumption. }
    assert (forall v, In v (tokens c) -> carries cs v j = one_if (j =? input c)%nat) as Carry.
    { intros v W. unfold carries. f_equal. apply eq_true_iff_eq. rewrite existsb_exists. split.
      - intros (d & D & H). apply andb_true_iff in H. destruct H as (E & H).
        destruct (in_dec Nat.eq_dec v (tokens d)) as [Vd|]; [|discriminate].
        rewrite (separate_tokens a b cs S c d v Ic D W Vd). exact E.
      - intros E. exists c. split; [assumption|]. rewrite E.
        destruct (in_dec Nat.eq_dec v (tokens c)); [reflexivity|contradiction]. }
    rewrite (Carry i V). destruct (Total i V) as [Entry|(k & K)].
    + rewrite (Qsum_same i _ (fun _ => 0)).
      2: { intros k _. unfold edges. rewrite Edge, one_if_false; [ring|]. intros H.
           destruct (Sound i k H) as (_ & _ & _ & N). apply N, Entry. }
      rewrite Qsum_zero, Qplus_0_r. unfold entries. f_equal.
      assert (existsb (fun d => (i =? entry d) && (j =? input d))%nat cs = (j =? input c)%nat) as ->;
        [|reflexivity].
      apply eq_true_iff_eq. rewrite existsb_exists. split.
      * intros (d & D & H). apply andb_true_iff in H. rewrite !Nat.eqb_eq in H. destruct H as (Ed & Ej).
        destruct (separate_in a b cs S d D) as (_ & ed & Pd).
        rewrite (separate_tokens a b cs S c d i Ic D V); [apply Nat.eqb_eq, Ej|].
        rewrite Ed. apply (path_starts b (entry d) ed), Pd.
      * intros E. exists c. split; [assumption|]. rewrite E, Entry, Nat.eqb_refl. reflexivity.
    + destruct (Sound i k K) as (_ & Kc & B & N). pose proof (C i k B) as Lt.
      rewrite (Qsum_single i k).
      2: lia.
      2: { intros q _ Q. unfold edges. rewrite Edge, one_if_false; [ring|]. intros H.
           apply Q. apply (Unique i q k H K). }
      rewrite (Carry k Kc). unfold edges. rewrite Edge, K.
      unfold entries. rewrite (one_if_false (existsb _ cs)); [change (one_if true) with 1; ring|].
      intros H. apply existsb_exists in H. destruct H as (d & D & H). apply andb_true_iff in H.
      rewrite !Nat.eqb_eq in H. destruct H as (Ed & _).
      destruct (separate_in a b cs S d D) as (_ & ed & Pd).
      assert (c = d) as ->.
      { apply (separate_tokens a b cs S c d i Ic D V). rewrite Ed. apply (path_starts b (entry d) ed), Pd. }
      apply N, Ed.
  - (* no route passes row i *)
    assert (forall d, In d cs -> ~ In i (tokens d)) as Off.
    { intros d D V. assert (existsb (fun c => if in_dec Nat.eq_dec i (tokens c) then true else false) cs = true)
        as T; [|congruence]. apply existsb_exists. exists d. split; [assumption|].
      destruct (in_dec Nat.eq_dec i (tokens d)); [reflexivity|contradiction]. }
    unfold carries at 1. rewrite one_if_false.
    2: { intros H. apply existsb_exists in H. destruct H as (d & D & H). apply andb_true_iff in H.
         destruct (in_dec Nat.eq_dec i (tokens d)) as [V|]; [destruct (Off d D V)|destruct H; discriminate]. }
    unfold entries. rewrite one_if_false.
    2: { intros H. apply existsb_exists in H. destruct H as (d & D & H). apply andb_true_iff in H.
         rewrite !Nat.eqb_eq in H. destruct H as (Ed & _). apply (Off d D). rewrite Ed.
         destruct (separate_in a b cs S d D) as (_ & ed & Pd). apply (path_starts b (entry d) ed), Pd. }
    rewrite (Qsum_same i _ (fun _ => 0)); [rewrite Qsum_zero; ring|].
    intros k _. unfold edges. rewrite one_if_false; [ring|]. intros H. apply existsb_exists in H.
    destruct H as (d & D & H). apply (Off d D). destruct (separate_in a b cs S d D) as (_ & ed & Pd).
    apply (next_in_path b (entry d) ed (tokens d) C Pd) in H. tauto.
Qed.

(* Values on the reads of A and B alone, for which every solution is the identity from inputs to ends. *)
Theorem disjoint_routes_give_rank : forall a b cs, causal_b b -> separate a b cs ->
  exists A B : matrix,
    (forall i j, ~ A i j == 0 -> a i j) /\ (forall i k, ~ B i k == 0 -> b i k) /\
    forall M, solves A B M -> forall c d e, In c cs -> In d cs ->
      path b (entry c) e (tokens c) -> M e (input d) == one_if (input c =? input d)%nat.
Proof.
  intros a b cs C S. exists (entries cs), (edges cs). split; [|split].
  - intros i j H. unfold entries in H.
    destruct (existsb (fun c => (i =? entry c) && (j =? input c))%nat cs) eqn:X; [|destruct H; reflexivity].
    apply existsb_exists in X. destruct X as (c & I & X). apply andb_true_iff in X.
    rewrite !Nat.eqb_eq in X. destruct X as (-> & ->). apply (separate_in a b cs S c I).
  - intros i k H. unfold edges in H.
    destruct (existsb (fun c => next_in (tokens c) i k) cs) eqn:X; [|destruct H; reflexivity].
    apply existsb_exists in X. destruct X as (c & I & X).
    destruct (separate_in a b cs S c I) as (_ & e & P).
    apply (next_in_path b (entry c) e (tokens c) C P) in X. tauto.
  - intros M HM c d e Ic Id P.
    rewrite (solution_unique _ _ _ _ HM (routes_carry a b cs C S)). unfold carries.
    assert (existsb (fun x => (input d =? input x)%nat &&
      if in_dec Nat.eq_dec e (tokens x) then true else false) cs = (input c =? input d)%nat) as ->;
      [|reflexivity].
    pose proof (path_ends b (entry c) e (tokens c) P) as E.
    apply eq_true_iff_eq. rewrite existsb_exists, Nat.eqb_eq. split.
    + intros (x & X & H). apply andb_true_iff in H. destruct H as (Q & H). apply Nat.eqb_eq in Q.
      destruct (in_dec Nat.eq_dec e (tokens x)) as [V|]; [|discriminate].
      rewrite (separate_tokens a b cs S c x e Ic X E V). symmetry. exact Q.
    + intros Q. exists c. split; [assumption|]. rewrite <- Q, Nat.eqb_refl.
      destruct (in_dec Nat.eq_dec e (tokens c)); [reflexivity|contradiction].
Qed.
