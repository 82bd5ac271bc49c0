/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers of real engines: "classic" is 20.10 with overlay2, "containerd" is 26.1 with the containerd image store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>

#include "shared/base/file.h"
#include "shared/data/json.h"

#define RECORDED_INDEX  "sha256:4788eb01ee2b55208319c560dcd3716150ee53342241148556ffc656c6dc3f1a"
#define RECORDED_CONFIG "sha256:d2947bcb5a2eb1cdb987e3372590dfc70d214850f856170e1def95e6245bcbbf"
#define RECORDED_PINNED "127.0.0.1:25000/shop/web@" RECORDED_INDEX
#define RECORDED_SPEC   "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static const char *const recorded_stores[] = { "classic", "containerd", NULL };

static inline void recorded_bytes(const char *store, const char *what, struct buffer *out) {
        own_buffer struct buffer path = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;

        buffer_printf(&path, "%s/%s.%s", RECORDED, store, what);
        if (file_read(AT_FDCWD, buffer_str(&path), 1 << 20, out, &fault) < 0)
                fail_msg("%s", fault.message);
}

static inline json_t *recorded_json(const char *store, const char *what) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        json_t *json = NULL;

        recorded_bytes(store, what, &text);
        if (json_parse(what, text.data, text.size, &json, &fault) < 0)
                fail_msg("%s", fault.message);
        return json;
}
