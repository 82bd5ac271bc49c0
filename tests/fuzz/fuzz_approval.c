/* SPDX-License-Identifier: Apache-2.0 */

/* A statement that is taken reads back as it was when it is written; a path that is one of ours holds only names. */

#include <assert.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/model/approval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(const char *text) {
        struct approval_path p = approval_path_read(text);

        if (p.file != APPROVAL_STATEMENT && p.file != APPROVAL_SIGNATURE)
                return;
        assert(name_is_valid(p.environment) && name_is_valid(p.app) && digest_is_valid(p.release));
        assert(str_after(p.statement, "statement") && !strchr(p.principal, '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_fault struct fault fault = FAULT_INIT, again_fault = FAULT_INIT;
        own_arena struct arena *a = arena_new();
        own_buffer struct buffer out = BUFFER_INIT;
        struct approval approval, again;

        try_path(arena_strndup(a, (const char *)data, size));
        if (approval_read("statement.json", data, size, a, &approval, &fault) < 0)
                return 0;
        assert(approval.fleet.text && digest_is_valid(approval.release.text) &&
               approval.meaning < APPROVAL_MEANING_MAX_);
        assert(approval_write(&approval, &out, &again_fault) == 0);
        /* What is written for people may be larger than what was read. */
        if (out.size > LIMIT_APPROVAL_BYTES)
                return 0;
        assert(approval_read("again", out.data, out.size, a, &again, &again_fault) == 0);
        assert(str_eq(approval.reason, again.reason) && approval.at == again.at &&
               approval.expires_at == again.expires_at);
        assert(str_eq(approval.release.text, again.release.text) && approval.meaning == again.meaning);
        return 0;
}
