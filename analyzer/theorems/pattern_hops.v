(* SPDX-License-Identifier: Apache-2.0
   Hops, depth, congestion and rank of a pattern of two sides from what its rows contain, and from the
   theorems about one side: own rows of inputs, previous outputs, distances, live sets. *)
Require Import Arith Lia List.
From heddle Require Import sets increasing counting_by_inverse rows lattice distances set_algebra paths
  capacity_law step_sums translation_law steps cut_bounds reach_by_sums hops_of_powers_of_two greedy_hops
  hops_of_squares lattice_descent patterns pattern_rows.
Import ListNotations.

Definition reads_own (A : rows) : Prop := forall i, 1 <= i -> A i i.
Definition only_own (A : rows) : Prop := forall i p, A i p -> p = i.
Definition within (r s : rows) : Prop := forall i p, r i p -> s i p.

Theorem path_within_more : forall r s j i l, within r s -> path r j i l -> path s j i l.
Proof.
  intros r s j i l W P. induction P as [|p i l P IH R]; [constructor|].
  apply path_step with p; [assumption|apply W, R].
Qed.

Theorem hops_within_more : forall r s i j h, within r s -> hops_at_most r i j h -> hops_at_most s i j h.
Proof. intros r s i j h W (l & P & L). exists l. split; [apply (path_within_more r s); assumption|assumption]. Qed.

Theorem hops_of_same : forall r s i j h, same r s -> hops_is s i j h -> hops_is r i j h.
Proof.
  intros r s i j h E (H & L). split.
  - apply (hops_within_more s r); [intros x y; apply E|assumption].
  - intros l P. apply L, (path_within_more r s); [intros x y; apply E|assumption].
Qed.

Theorem offsets_as_distances : forall f, same (offsets f) (distances (values f)).
Proof. intros f i p. apply offsets_are_distances. Qed.

Lemma route_parts : forall (A B : rows) j i p l, route A B j i p l -> A p j /\ path B p i l.
Proof. intros A B j i p l [q k R P]. auto. Qed.

(* ---- hops ------------------------------------------------------------------------------------------ *)
(* x_j enters at row j: hops are those of the outputs *)
Theorem hops_from_own : forall (A B : rows) i j h, reads_own A -> 1 <= j ->
  hops_at_most B i j h -> at_most_hops A B i j h.
Proof.
  intros A B i j h O J (l & P & L). exists j, l. split; [constructor; [apply O, J|assumption]|].
  unfold route_hops, entering. destruct (Nat.eq_dec j j); lia.
Qed.

(* ... and no fewer where it enters nowhere else *)
Theorem no_fewer_hops_from_own : forall (A B : rows) i j h, only_own A ->
  (forall l, path B j i l -> S h <= length l) -> at_least_hops A B i j h.
Proof.
  intros A B i j h O H p l [p' l' R P]. apply O in R. subst. specialize (H l' P).
  unfold route_hops. lia.
Qed.

(* row i reads x_j *)
Theorem one_hop_of_input : forall (A B : rows) i j, j < i -> A i j -> at_most_hops A B i j 1.
Proof.
  intros A B i j J R. exists i, [i]. split; [constructor; [assumption|constructor]|].
  unfold route_hops, entering. simpl. destruct (Nat.eq_dec i j); lia.
Qed.

Theorem one_hop_of_output : forall (A B : rows) i j, reads_own A -> 1 <= j -> B i j -> at_most_hops A B i j 1.
Proof.
  intros A B i j O J R. apply hops_from_own; [assumption|assumption|]. exists [i; j].
  split; [|simpl; lia]. apply path_step with j; [constructor|assumption].
Qed.

Theorem at_least_one_hop : forall (A B : rows) i j, j < i -> at_least_hops A B i j 1.
Proof.
  intros A B i j J p l [p' l' R P]. unfold route_hops, entering.
  destruct (Nat.eq_dec p' j) as [->|N]; [|lia]. pose proof (at_least_one_edge B i j l' J P). lia.
Qed.

Theorem more_hops : forall (A B : rows) i j h k, at_most_hops A B i j h -> h <= k -> at_most_hops A B i j k.
Proof. intros A B i j h k (p & l & R & L) K. exists p, l. split; [assumption|lia]. Qed.

Theorem fewer_hops : forall (A B : rows) i j h k, at_least_hops A B i j h -> k <= h -> at_least_hops A B i j k.
Proof. intros A B i j h k H K p l R. specialize (H p l R). lia. Qed.

(* window(w) *)
Theorem window_as_distances : forall w, same (window_b w) (distances (window 1 w)).
Proof.
  intros w i p. unfold window_b, distances, window. split.
  - intros (P & L). exists (i - p). lia.
  - intros (d & D & L & ->). lia.
Qed.

Theorem hops_of_window : forall w i j, 1 <= w -> 1 <= j <= i ->
  hops_is (window_b w) i j (ceil_div (i - j) w).
Proof. intros w i j W J. apply (hops_of_same _ _ _ _ _ (window_as_distances w)), window_hops; assumption. Qed.

(* f(k) = 2^k *)
Theorem hops_of_powers : forall f i j, (forall k, f k = 2 ^ k) -> 1 <= j <= i ->
  hops_is (offsets f) i j (popcount (i - j)).
Proof.
  intros f i j F J. apply (hops_of_same _ (distances power_of_two)); [|apply hops_of_powers_of_two, J].
  intros x p. split.
  - intros (k & K & E). exists (2 ^ k). rewrite F in *. split; [exists k; reflexivity|auto].
  - intros (d & (k & ->) & K). exists k. rewrite F. assumption.
Qed.

(* f(0) = 1, f(k+1) <= 2 f(k) *)
Theorem hops_of_doubling : forall f i j, increasing f -> f 0 = 1 -> (forall k, f (S k) <= 2 * f k) ->
  1 <= j < i -> hops_at_most (offsets f) i j (Nat.log2 (i - j) + 1).
Proof.
  intros f i j F F0 Double J. apply (hops_within_more (distances (values f))).
  - intros x p. apply offsets_as_distances.
  - apply hops_are_sums; [lia|]. apply doubling_hops; [assumption|assumption|assumption|lia].
Qed.

(* f(k) = k^2 + 1 *)
Theorem hops_of_squares_plus_one : forall f i j, (forall k, f k = k * k + 1) -> 1 <= j <= i ->
  hops_at_most (offsets f) i j 4.
Proof.
  intros f i j F J. apply (hops_within_more (distances square_plus_one)); [|apply hops_of_squares, J].
  intros x p (d & (k & ->) & K). exists k. rewrite F. assumption.
Qed.

Lemma same_strides : forall f g, (forall k, f k = g k) -> forall k, stride f k = stride g k.
Proof.
  intros f g E k. induction k as [|k IH]; [reflexivity|]. cbn [stride]. rewrite !E, IH. reflexivity.
Qed.

Lemma same_lattices : forall f g, (forall k, f k = g k) -> same (lattice f) (lattice g).
Proof.
  intros f g E i p. unfold lattice, place.
  split; intros (k & K); exists k; rewrite ?E, ?(same_strides f g E) in *; assumption.
Qed.

Theorem lattice_hops_of_squares_plus_one : forall f i j, (forall k, f k = k * k + 1) -> 1 <= j < i ->
  hops_at_most (lattice f) i j (Nat.log2 (i - j) + 1).
Proof.
  intros f i j F J. apply (hops_within_more (lattice square)); [|apply lattice_hops_of_squares_by_descent, J].
  intros x p. apply (same_lattices f square). exact F.
Qed.

(* ---- depth ----------------------------------------------------------------------------------------- *)
Theorem depth_of_previous : forall (A B : rows) n, causal_b B -> reads_previous B -> 1 <= n ->
  depth_is A B n (n - 1).
Proof.
  intros A B n C R N. split.
  - destruct (chain_exists B R n N) as (l & P & L). exists 1, n, l. split; [lia|]. split; [lia|].
    split; [assumption|left; lia].
  - intros e (p & i & l & P & I & Path & E). pose proof (chain_is_longest B C p i l Path).
    destruct E as [E|(E & j & J & _)]; lia.
Qed.

(* no outputs are read, the previous input is *)
Theorem depth_of_inputs : forall (A B : rows) n, (forall i p, ~ B i p) -> (forall i, 2 <= i -> A i (i - 1)) ->
  1 <= n -> depth_is A B n (Nat.min (n - 1) 1).
Proof.
  intros A B n NoB R N. split.
  - destruct (Nat.eq_dec n 1) as [->|M].
    + exists 1, 1, [1]. split; [lia|]. split; [lia|]. split; [constructor|left; reflexivity].
    + exists n, n, [n]. split; [lia|]. split; [lia|]. split; [constructor|]. right.
      split; [simpl; lia|]. exists (n - 1). split; [lia|apply R; lia].
  - intros e (p & i & l & P & I & Path & E). inversion Path as [|q k m Q S]; subst.
    + simpl in E. destruct E as [E|(E & j & J & _)]; lia.
    + exfalso. apply (NoB i q S).
Qed.

(* ---- congestion ------------------------------------------------------------------------------------ *)
Theorem congestion_from_own : forall (A B : rows) n g, reads_own A ->
  congestion_at_most B n g -> at_most_congestion A B n g.
Proof.
  intros A B n g O (paths & P & G). exists paths. split; [|assumption]. intros j J. exists j.
  constructor; [apply O; lia|apply P, J].
Qed.

Theorem more_congestion : forall (A B : rows) n g h, at_most_congestion A B n g -> g <= h ->
  at_most_congestion A B n h.
Proof.
  intros A B n g h (paths & P & G) L. exists paths. split; [assumption|]. intros v. specialize (G v). lia.
Qed.

Theorem at_least_one_congestion : forall (A B : rows) n, 1 <= n -> at_least_congestion A B n 1.
Proof.
  intros A B n N h (paths & P & G). destruct (P 1) as (p & R); [lia|].
  apply route_parts in R. destruct R as (_ & Path). specialize (G (1 + n)). apply path_ends in Path. destruct n as [|n]; [lia|].
  cbn [seq] in G. rewrite load_cons in G. destruct (in_dec Nat.eq_dec (1 + S n) (paths 1)); [lia|contradiction].
Qed.

Theorem less_congestion : forall (A B : rows) n g h, at_least_congestion A B n g -> h <= g ->
  at_least_congestion A B n h.
Proof. intros A B n g h L H k K. specialize (L k K). lia. Qed.

(* row j + n reads x_j *)
Theorem congestion_of_inputs : forall (A B : rows) n, (forall j, 1 <= j <= n -> A (j + n) j) ->
  at_most_congestion A B n 1.
Proof.
  intros A B n R. exists (fun j => [j + n]). split.
  - intros j J. exists (j + n). constructor; [apply R, J|constructor].
  - intros v. unfold load. set (met := filter _ _).
    assert (forall j, In j met -> v = j + n) as M.
    { intros j I. unfold met in I. apply filter_In in I. destruct I as (_ & I).
      destruct (in_dec Nat.eq_dec v [j + n]) as [[<-|[]]|]; [reflexivity|discriminate]. }
    assert (NoDup met) as N by apply NoDup_filter, seq_NoDup.
    clearbody met. destruct met as [|j [|k met]]; simpl; [lia|lia|]. exfalso.
    pose proof (M j (or_introl eq_refl)). pose proof (M k (or_intror (or_introl eq_refl))).
    assert (j = k) by lia. subst. inversion N as [|? ? I]. apply I. left. reflexivity.
Qed.

(* row j + n reads y_j *)
Theorem congestion_of_outputs : forall (A B : rows) n, reads_own A -> (forall j, 1 <= j <= n -> B (j + n) j) ->
  at_most_congestion A B n 1.
Proof. intros A B n O R. apply congestion_from_own; [assumption|]. apply direct_copies, R. Qed.

Fixpoint walk (j n : nat) : list nat :=
  match n with
  | 0 => [j]
  | S n => j + S n :: walk j n
  end.

(* row i reads y_{i-1}: all n copies walk *)
Theorem congestion_of_previous : forall (A B : rows) n, reads_own A -> reads_previous B ->
  at_most_congestion A B n n.
Proof.
  intros A B n O R. apply congestion_from_own; [assumption|].
  apply congestion_at_most_all with (fun j => walk j n). intros j J. clear O.
  destruct J as (J & _). induction n as [|n IH].
  - rewrite Nat.add_0_r. constructor.
  - cbn [walk]. apply path_step with (j + n); [exact IH|].
    replace (j + n) with (j + S n - 1) at 1 by lia. apply R. lia.
Qed.

Lemma congestion_within_more : forall r s n g, within r s -> congestion_at_most r n g -> congestion_at_most s n g.
Proof.
  intros r s n g W (paths & P & G). exists paths. split; [|assumption].
  intros j J. apply (path_within_more r s); [assumption|apply P, J].
Qed.

(* rows of distances: at most as much as hops over the distance n *)
Theorem congestion_of_distances : forall (D : set) r n h, (forall d, D d -> 1 <= d) ->
  same r (distances D) -> 1 <= n -> hops_at_most r (n + 1) 1 h -> congestion_at_most r n h.
Proof.
  intros D r n h Positive E N H.
  apply (hops_within_more r (distances D)) in H; [|intros i p; apply E].
  apply hops_are_sums in H; [|lia]. replace (n + 1 - 1) with n in H by lia.
  destruct H as (steps & F & Sum & L).
  apply (congestion_within_more (distances D)); [intros i p; apply E|].
  destruct (translation_law D Positive n steps N F Sum) as (paths & P & G).
  exists paths. split; [assumption|]. intros v. specialize (G v). lia.
Qed.

Theorem congestion_of_offsets : forall A f n h, reads_own A -> increasing f -> f 0 = 1 -> 1 <= n ->
  hops_at_most (offsets f) (n + 1) 1 h -> at_most_congestion A (offsets f) n h.
Proof.
  intros A f n h O F F0 N H. apply congestion_from_own; [assumption|].
  apply (congestion_of_distances (values f)); [|apply offsets_as_distances|assumption|assumption].
  intros d (k & ->). pose proof (increasing_pairs f F 0 k). lia.
Qed.

Theorem congestion_of_window : forall A w n h, reads_own A -> 1 <= n ->
  hops_at_most (window_b w) (n + 1) 1 h -> at_most_congestion A (window_b w) n h.
Proof.
  intros A w n h O N H. apply congestion_from_own; [assumption|].
  apply (congestion_of_distances (window 1 w)); [|apply window_as_distances|assumption|assumption].
  unfold window. lia.
Qed.

(* A diagonal: congestion(n) |live B n| >= n *)
Theorem capacity : forall (A B : rows) n g c, only_own A -> causal_b B -> size_is (live B n) c ->
  at_most_congestion A B n g -> n <= g * c.
Proof.
  intros A B n g c O C L (paths & P & G). apply (capacity_law_of_congestion B C n g c); [|assumption].
  exists paths. split; [|assumption]. intros j J. destruct (P j J) as (p & R).
  apply route_parts in R. destruct R as (R & Path). apply O in R. subst. assumption.
Qed.

(* ---- rank ------------------------------------------------------------------------------------------ *)
Theorem rank_of_cache : forall (A B : rows) m c, causal_a A -> causal_b B -> cache_is A B m c ->
  at_most_rank A B m c.
Proof.
  intros A B m c CA CB (x & y & X & Y & ->) js ls R.
  apply (rank_at_most_live A B CA CB m js ls); [assumption| |]; apply size_is_at_most; assumption.
Qed.

Theorem more_rank : forall (A B : rows) m r s, at_most_rank A B m r -> r <= s -> at_most_rank A B m s.
Proof. intros A B m r s H L js ls R. specialize (H js ls R). lia. Qed.

Theorem less_rank : forall (A B : rows) m r s, at_least_rank A B m r -> s <= r -> at_least_rank A B m s.
Proof. intros A B m r s (js & ls & R & H) L. exists js, ls. split; [assumption|lia]. Qed.

Lemma disjoint_routes_within_more : forall (A A' B B' : rows) m js ls, within A A' -> within B B' ->
  disjoint_routes A B m js ls -> disjoint_routes A' B' m js ls.
Proof.
  intros A A' B B' m js ls WA WB R. induction R as [|j i p l js ls [q k R P] J I D IH Fresh Apart]; [constructor|].
  apply one_more_route with i q; try assumption.
  constructor; [apply WA, R|apply (path_within_more B B'); assumption].
Qed.

(* every row reads the output c before it, if it is there *)
Theorem rank_of_output : forall (A B : rows) m c, reads_own A -> 1 <= c -> (forall i, c < i -> B i (i - c)) ->
  at_least_rank A B m (Nat.min c m).
Proof.
  intros A B m c O C R.
  destruct (long_distance_carries A (fun d => d = c) c m O (eq_refl c) C) as (js & ls & D & L).
  exists js, ls. split; [|lia]. apply (disjoint_routes_within_more A A (distances (fun d => d = c)) B);
    [intros i p H; exact H| |assumption].
  intros i p (d & -> & I & ->). apply R, I.
Qed.

(* ... or the input *)
Theorem rank_of_input : forall (A B : rows) m c, 1 <= c -> (forall i, c < i -> A i (i - c)) ->
  at_least_rank A B m (Nat.min c m).
Proof.
  intros A B m c C R.
  destruct (long_input_distance_carries B (fun d => d = c) c m (eq_refl c) C) as (js & ls & D & L).
  exists js, ls. split; [|lia]. apply (disjoint_routes_within_more (distances (fun d => d = c)) A B B);
    [|intros i p H; exact H|assumption].
  intros i p (d & -> & I & ->). apply R, I.
Qed.

Theorem rank_within : forall (A B : rows) m c, causal_a A -> causal_b B -> cache_is A B m c ->
  at_most_rank A B m (Nat.min m c).
Proof.
  intros A B m c CA CB C js ls R. pose proof (rank_at_most_columns A B m js ls R).
  pose proof (rank_of_cache A B m c CA CB C js ls R). lia.
Qed.
