/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A file is taken whole or refused at a place in it; every line of a taken file is found by its own key or not at all.
 */

#include <assert.h>
#include <string.h>

#include "shared/sign/signers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_fault struct fault fault = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        struct signers s;

        if (signers_parse("signers", data, size, a, &s, &fault) < 0) {
                assert(fault.code && fault.line > 0 && fault.column > 0);
                return 0;
        }
        for (size_t i = 0; i < s.n; i++) {
                own_fault struct fault unused = FAULT_INIT;
                const struct signer *line = NULL;
                struct sshkey k = { .type = SSHKEY_ED25519 };

                memcpy(k.id, s.lines[i].id, sizeof(k.id));
                assert(signers_know(&s, &k));
                if (signers_find(&s, &k, "git", 1800000000000, &line, &unused) == 0)
                        assert(memcmp(line->id, k.id, sizeof(k.id)) == 0 && line->line <= s.lines[s.n - 1].line);
        }
        return 0;
}
