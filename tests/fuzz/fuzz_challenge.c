/* SPDX-License-Identifier: Apache-2.0 */

/* A WWW-Authenticate header, line by line: no crash, and no control character in what comes out. */

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "providers/registry/login.h"
#include "shared/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text) {
        for (; text && *text; text++)
                assert(!iscntrl((unsigned char)*text));
}

static void check(const struct challenge *c) {
        const struct login login = { .registry = "localhost:5000", .repository = "a/b" };
        own_buffer struct buffer url = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        assert(c->scheme >= 0 && c->scheme < CHALLENGE_SCHEME_MAX_);
        check_text(c->realm);
        check_text(c->service);
        check_text(c->scope);
        check_text(c->error);
        if (login_token_url(c, &login, "user", &url, &f) < 0)
                return;
        assert(strncmp(url.data, "https://", 8) == 0 || strncmp(url.data, "http://", 7) == 0);
        for (const char *p = url.data; *p; p++)
                assert(isgraph((unsigned char)*p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_arena struct arena *a = arena_new();
        const char *text = arena_strndup(a, (const char *)data, size);
        struct challenge *items = NULL;
        size_t n = 0;

        for (;;) {
                size_t line = strcspn(text, "\n");
                own_fault struct fault f = FAULT_INIT;

                if (challenge_parse(arena_strndup(a, text, line), a, &items, &n, &f) < 0)
                        assert(f.kind == FAULT_DENIED);
                if (!text[line])
                        break;
                text += line + 1;
        }
        assert(n <= LIMIT_CHALLENGES);
        for (size_t i = 0; i < n; i++)
                check(&items[i]);
        return 0;
}
