/* SPDX-License-Identifier: Apache-2.0 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "shared/git/known_hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint8_t blob[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20"
                                      "01234567890123456789012345678901";
        const struct host_key key = { .blob = blob, .size = sizeof(blob) - 1 };
        own_buffer struct buffer text = BUFFER_INIT, types = BUFFER_INIT, line = BUFFER_INIT;
        own_known_hosts struct known_hosts *k = NULL;
        own_fault struct fault f = FAULT_INIT;

        buffer_append(&text, data, size);
        if (known_hosts_parse("known_hosts", buffer_str(&text), size, &k, &f) < 0) {
                if (!fault_is_set(&f))
                        abort();
                return 0;
        }
        for (unsigned port = 22; port <= 23; port++) {
                if (known_hosts_check(k, "git.example", port, &key) >= HOST_KEY_VERDICT_MAX_)
                        abort();
                known_hosts_types(k, "git.example", port, &types);
                known_hosts_put_preferred(k, "git.example", port, &line);
        }
        return 0;
}
