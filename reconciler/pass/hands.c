/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/hands.h"

size_t hands_open(struct runtime *rt, size_t n, void *ret_hands[PASS_HANDS]) {
        size_t opened = 1;

        ret_hands[0] = rt;
        for (; opened < PASS_HANDS && opened < n; opened++) {
                own_fault struct fault ignored = FAULT_INIT;
                struct runtime *more = NULL;

                /* Without it fewer work. */
                if (runtime_hand(rt, &more, &ignored) < 0)
                        break;
                ret_hands[opened] = more;
        }
        return opened;
}

void hands_close(void *const *hands, size_t n) {
        for (size_t i = 1; i < n; i++)
                runtime_close(hands[i]);
}
