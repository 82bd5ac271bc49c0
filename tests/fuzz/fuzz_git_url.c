/* SPDX-License-Identifier: Apache-2.0 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "shared/git/credentials.h"
#include "shared/git/refs.h"
#include "shared/git/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One text as a URL, as a branch, as something to redact and as a credentials file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_buffer struct buffer text = BUFFER_INIT, shown = BUFFER_INIT;
        own_credentials struct credentials *c = NULL;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_git_url struct git_url u = { 0 };
        struct credential credential;

        buffer_append(&text, data, size);
        git_redact(buffer_str(&text), &shown);
        (void)branch_is_valid(buffer_str(&text));
        (void)credentials_parse("credentials", buffer_str(&text), size, &c, &g);
        if (git_url_parse(buffer_str(&text), &u, &f) < 0) {
                if (!fault_is_set(&f) || u.host || u.path)
                        abort();
                return 0;
        }
        if (!u.path || (u.scheme != GIT_SCHEME_LOCAL && !u.host))
                abort();
        if (u.scheme != GIT_SCHEME_LOCAL)
                (void)credentials_find(c, &u, &credential);
        return 0;
}
