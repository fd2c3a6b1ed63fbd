// SPDX-License-Identifier: Apache-2.0
// Nothing but a place for the precompiled header that all tests share.
int main() { return 0; }
