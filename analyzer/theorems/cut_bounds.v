(* SPDX-License-Identifier: Apache-2.0
   What bounds congestion and rank from one side, for any A and B: weights on tokens bound
   congestion from below; live positions of both sides, and the rows that read across the cut, bound
   rank from above. *)
Require Import Arith Lia List.
From heddle Require Import sets rows paths capacity_law.
Import ListNotations.

Definition weigh (w : nat -> nat) (l : list nat) : nat := sum (map w l).

(* Each path counted by the distinct tokens it passes. *)
Definition passed (w : nat -> nat) (tokens p : list nat) : nat :=
  weigh w (filter (fun v => if in_dec Nat.eq_dec v p then true else false) tokens).

Lemma passed_cons : forall w v tokens p,
  passed w (v :: tokens) p = (if in_dec Nat.eq_dec v p then w v else 0) + passed w tokens p.
Proof. intros. unfold passed. simpl. destruct (in_dec Nat.eq_dec v p); reflexivity. Qed.

Lemma exchange_sums : forall w tokens paths sources,
  sum (map (fun j => passed w tokens (paths j)) sources) =
  sum (map (fun v => w v * load paths sources v) tokens).
Proof.
  intros w tokens paths sources. induction tokens as [|v tokens IH].
  - induction sources as [|j sources IH]; [reflexivity|]. simpl in *. exact IH.
  - cbn [map sum]. rewrite <- IH. clear IH. induction sources as [|j sources IH].
    + unfold load. simpl. lia.
    + cbn [map sum]. rewrite IH, load_cons, passed_cons. destruct (in_dec Nat.eq_dec v (paths j)); lia.
Qed.

(* tokens of weight w in all: if each path passes at least t of weight, n t <= congestion(n) * w *)
Theorem weighted_distances : forall paths sources w tokens t g,
  (forall v, load paths sources v <= g) -> (forall j, In j sources -> t j <= passed w tokens (paths j)) ->
  sum (map t sources) <= g * weigh w tokens.
Proof.
  intros paths sources w tokens t g G T.
  apply Nat.le_trans with (sum (map (fun j => passed w tokens (paths j)) sources)).
  - clear G. induction sources as [|j sources IH]; [reflexivity|]. cbn [map sum].
    pose proof (T j (or_introl eq_refl)). assert (forall k, In k sources -> t k <= passed w tokens (paths k))
      as T' by (intros k K; apply T; right; assumption). specialize (IH T'). lia.
  - rewrite exchange_sums. clear T. unfold weigh. induction tokens as [|v tokens IH]; [simpl; lia|].
    cbn [map sum]. specialize (G v). nia.
Qed.

(* A route takes token j in at some row p whose rowA holds j, and goes on along B to row i. *)
Inductive route (a b : rows) (j i : nat) : nat -> list nat -> Prop :=
| enter : forall p l, a p j -> path b p i l -> route a b j i p l.

(* Routes from 1..m to later rows; no two share an input or an output. *)
Inductive disjoint_routes (a b : rows) (m : nat) : list nat -> list (list nat) -> Prop :=
| no_routes : disjoint_routes a b m [] []
| one_more_route : forall j i p l js ls,
    route a b j i p l -> 1 <= j <= m -> m < i -> disjoint_routes a b m js ls ->
    ~ In j js -> (forall k v, In k ls -> In v l -> ~ In v k) ->
    disjoint_routes a b m (j :: js) (l :: ls).

Lemma route_crosses : forall a b, causal_a a -> causal_b b -> forall m j i p l,
  route a b j i p l -> 1 <= j <= m -> m < i ->
  (live a m j /\ exists r, In r l /\ m < r /\ a r j) \/
  (exists v, In v l /\ live b m v /\ exists r, In r l /\ m < r /\ b r v).
Proof.
  intros a b CA CB m j i p l R J I. destruct R as [p l A P].
  destruct (le_lt_dec p m) as [L|L].
  - right. pose proof (CA p j A) as Jp. clear A.
    induction P as [|q i l P IH R]; [lia|]. destruct (le_lt_dec q m) as [Lq|Lq].
    + exists q. split; [right; apply (path_ends _ _ _ _ P)|]. split.
      * split; [specialize (CB i q R); lia|]. exists i. auto.
      * exists i. split; [left; reflexivity|auto].
    + destruct (IH Lq) as (v & V & Lv & r & Ir & Br). exists v. split; [right; assumption|].
      split; [assumption|]. exists r. split; [right; assumption|assumption].
  - left. split; [split; [assumption|exists p; auto]|]. exists p.
    split; [apply (path_starts _ _ _ _ P)|auto].
Qed.

(* inputs X and outputs Y that every route meets: no more disjoint routes than |X| + |Y| *)
Theorem rank_at_most_cut : forall a b m (X Y : set),
  (forall j i p l, route a b j i p l -> 1 <= j <= m -> m < i -> X j \/ exists v, In v l /\ Y v) ->
  forall js ls c d, disjoint_routes a b m js ls -> size_at_most X c -> size_at_most Y d ->
  length ls <= c + d.
Proof.
  intros a b m X Y Meet js ls c d D C E.
  assert (exists inputs outputs, NoDup inputs /\ NoDup outputs /\
    length ls = length inputs + length outputs /\
    (forall v, In v inputs -> X v) /\ (forall v, In v outputs -> Y v) /\
    (forall v, In v inputs -> In v js) /\ (forall v, In v outputs -> exists l, In l ls /\ In v l))
    as (inputs & outputs & Ni & No & -> & Li & Lo & _).
  { clear C E.
    induction D as [|j i p l js ls R J I D (inputs & outputs & Ni & No & Q & Li & Lo & Oi & Oo) Fresh Apart].
    - exists [], []. split; [constructor|]. split; [constructor|]. split; [reflexivity|].
      split; [intros v []|]. split; [intros v []|]. split; intros v [].
    - destruct (Meet j i p l R J I) as [L|(v & V & L)].
      + exists (j :: inputs), outputs. split; [|split; [|split; [|split; [|split; [|split]]]]].
        * constructor; [|assumption]. intros K. apply Fresh, Oi, K.
        * assumption.
        * simpl. lia.
        * intros w [<-|W]; [assumption|apply Li, W].
        * assumption.
        * intros w [<-|W]; [left; reflexivity|right; apply Oi, W].
        * intros w W. destruct (Oo w W) as (k & K & Wk). exists k. simpl. auto.
      + exists inputs, (v :: outputs). split; [|split; [|split; [|split; [|split; [|split]]]]].
        * assumption.
        * constructor; [|assumption]. intros K. destruct (Oo v K) as (k & Kk & Vk).
          apply (Apart k v Kk V Vk).
        * simpl. lia.
        * assumption.
        * intros w [<-|W]; [assumption|apply Lo, W].
        * intros w W. right. apply Oi, W.
        * intros w [<-|W]; [exists l; simpl; auto|]. destruct (Oo w W) as (k & K & Wk).
          exists k. simpl. auto. }
  specialize (C inputs Ni Li). specialize (E outputs No Lo). lia.
Qed.

(* rank(m) <= |live_A(m)| + |live_B(m)| *)
Theorem rank_at_most_live : forall a b, causal_a a -> causal_b b -> forall m js ls c d,
  disjoint_routes a b m js ls -> size_at_most (live a m) c -> size_at_most (live b m) d ->
  length ls <= c + d.
Proof.
  intros a b CA CB m js ls c d. apply rank_at_most_cut. intros j i p l R J I.
  destruct (route_crosses a b CA CB m j i p l R J I) as [(L & _)|(v & V & L & _)].
  - left. exact L.
  - right. exists v. split; assumption.
Qed.

(* rank(m) <= #{rows after m that read a position up to m} *)
Theorem rank_at_most_readers : forall a b, causal_a a -> causal_b b -> forall m js ls c,
  disjoint_routes a b m js ls ->
  size_at_most (fun r => m < r /\ exists v, v <= m /\ (a r v \/ b r v)) c -> length ls <= c.
Proof.
  intros a b CA CB m js ls c D C.
  assert (exists readers, NoDup readers /\ length readers = length ls /\
    (forall r, In r readers -> m < r /\ exists v, v <= m /\ (a r v \/ b r v)) /\
    (forall r, In r readers -> exists l, In l ls /\ In r l)) as (readers & N & <- & L & _).
  { clear C. induction D as [|j i p l js ls R J I D (readers & N & Q & L & O) Fresh Apart].
    - exists []. split; [constructor|]. split; [reflexivity|]. split; intros v [].
    - assert (exists r, In r l /\ m < r /\ exists v, v <= m /\ (a r v \/ b r v)) as (r & Ir & Mr & X).
      { destruct (route_crosses a b CA CB m j i p l R J I) as [(_ & r & Ir & Mr & A)|(v & _ & ((V & _) & r & Ir & Mr & B))].
        - exists r. split; [assumption|]. split; [assumption|]. exists j. split; [lia|left; assumption].
        - exists r. split; [assumption|]. split; [assumption|]. exists v. split; [lia|right; assumption]. }
      exists (r :: readers). split; [|split; [|split]].
      + constructor; [|assumption]. intros K. destruct (O r K) as (k & Kk & Rk).
        apply (Apart k r Kk Ir Rk).
      + simpl. lia.
      + intros s [<-|S]; [split; assumption|apply L, S].
      + intros s [<-|S]; [exists l; simpl; auto|]. destruct (O s S) as (k & K & Sk).
        exists k. simpl. auto. }
  apply C; assumption.
Qed.

(* rank(m) <= m *)
Theorem rank_at_most_columns : forall a b m js ls, disjoint_routes a b m js ls -> length ls <= m.
Proof.
  intros a b m js ls D.
  assert (NoDup js /\ length js = length ls /\ forall j, In j js -> 1 <= j <= m) as (N & <- & L).
  { induction D as [|j i p l js ls R J I D (N & Q & L) Fresh Apart].
    - split; [constructor|]. split; [reflexivity|]. intros j [].
    - split; [constructor; assumption|]. split; [simpl; lia|]. intros k [<-|K]; [assumption|apply L, K]. }
  rewrite <- (seq_length m 1). apply NoDup_incl_length; [assumption|]. intros j J. apply in_seq.
  specialize (L j J). lia.
Qed.
