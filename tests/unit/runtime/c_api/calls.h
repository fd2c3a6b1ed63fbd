/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the C interface, made by a C program. Each returns null, or what was not as it must be.
 */
#ifndef HEDDLE_TESTS_C_API_CALLS_H_
#define HEDDLE_TESTS_C_API_CALLS_H_

#ifdef __cplusplus
extern "C" {
#endif

const char* calls_in_order(const char* folder);
const char* calls_with_wrong_handles(const char* folder);
const char* calls_with_null_pointers(const char* folder);
const char* launches_that_do_not_fit(const char* folder);
const char* calls_after_fork(const char* folder);
/* Opening the folder must fail with that kind and a message that has `part` in it. */
const char* open_is_refused(const char* folder, int kind, const char* part);

#ifdef __cplusplus
}
#endif

#endif /* HEDDLE_TESTS_C_API_CALLS_H_ */
