; SPDX-License-Identifier: Apache-2.0
; Z3 4.8.12 computes on this for many minutes: it neither counts resources nor stops when it is
; interrupted.
(set-logic QF_UFNIA)
(declare-fun count.1 () Int)
(declare-fun count.2 () Int)
(declare-fun count.3 () Int)
(declare-fun i () Int)
(declare-fun log2.1 () Int)
(declare-fun size.1 () Int)
(declare-fun sqrt.1 () Int)
(declare-fun pow.2 (Int) Int)
(assert (<= 1 i))
(assert (<= 0 count.1))
(assert (=> (<= 1 count.1) (<= (+ (* (* (- (+ count.1 0) 1) (- (+ count.1 0) 1)) (- (+ count.1
    0) 1)) 1) (- i 1))))
(assert (<= 0 count.2))
(assert (=> (<= 1 count.2) (<= (* 1 (- (+ count.2 10) 1)) (- i 1))))
(assert (< (- i 1) (* 1 (+ count.2 10))))
(assert (<= 0 count.3))
(assert (=> (<= 1 count.3) (<= (+ (* (* (- (+ count.3 3) 1) (- (+ count.3 3) 1)) (- (+ count.3
    3) 1)) 1) (- i 1))))
(assert (< (- i 1) (+ (* (* (+ count.3 3) (+ count.3 3)) (+ count.3 3)) 1)))
(assert (=> (<= 1 i) (and (<= (+ (+ 0 (ite (<= 9 (- i 1)) 9 (ite (<= (+ (- (- i 1) 1) 1) 0) 0 (+
    (- (- i 1) 1) 1)))) (ite (<= count.3 count.2) count.2 count.3)) size.1) (<= size.1 (+ (+ 0
    (ite (<= 9 (- i 1)) 9 (ite (<= (+ (- (- i 1) 1) 1) 0) 0 (+ (- (- i 1) 1) 1)))) (+ count.2
    count.3))))))
(assert (=> (<= 0 i) (and (<= 0 sqrt.1) (<= (* sqrt.1 sqrt.1) i) (< i (* (+ sqrt.1 1) (+ sqrt.1
    1))))))
(assert (=> (<= 0 log2.1) (<= (+ log2.1 1) (pow.2 log2.1))))
(assert (=> (= log2.1 0) (= (pow.2 log2.1) 1)))
(assert (=> (< 1 log2.1) (<= 4 (pow.2 log2.1))))
(assert (=> (< 2 log2.1) (<= 8 (pow.2 log2.1))))
(assert (=> (and (<= 0 log2.1) (< log2.1 2)) (<= (* 2 (pow.2 log2.1)) 4)))
(assert (=> (< 4 log2.1) (<= 32 (pow.2 log2.1))))
(assert (=> (and (<= 0 log2.1) (< log2.1 4)) (<= (* 2 (pow.2 log2.1)) 16)))
(assert (=> (< 8 log2.1) (<= 512 (pow.2 log2.1))))
(assert (=> (and (<= 0 log2.1) (< log2.1 8)) (<= (* 2 (pow.2 log2.1)) 256)))
(assert (=> (and (<= 0 log2.1) (< log2.1 9)) (<= (* 2 (pow.2 log2.1)) 512)))
(assert (=> (< 10 log2.1) (<= 2048 (pow.2 log2.1))))
(assert (=> (and (<= 0 log2.1) (< log2.1 10)) (<= (* 2 (pow.2 log2.1)) 1024)))
(assert (not (=> (and (or (not (= i 2)) (< 14 i)) (<= i 599)) (and (<= 1 i) (<= 0 i) (<= 1 i)
    (<= (+ (+ 0 (+ (+ 0 (ite (<= 0 (- i 1)) 1 (ite (<= (+ (- (- i 1) 0) 1) 0) 0 (+ (- (- i 1) 0)
    1)))) count.1)) size.1) (+ (+ sqrt.1 log2.1) 575))))))
(check-sat)
