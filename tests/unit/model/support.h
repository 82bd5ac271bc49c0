/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of the model share: texts in, structures or faults out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/buffer.h"
#include "shared/base/reason.h"
#include "shared/data/yaml.h"
#include "shared/fleet/fleet.h"

#define HEX_A    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DIGEST_A "sha256:" HEX_A
#define DIGEST_B "sha256:" HEX_B

static inline struct desired_entry entry_of(const char *path, const char *text) {
        return (struct desired_entry){ .path = path, .type = DESIRED_FILE, .bytes = text, .size = strlen(text) };
}

static inline const struct node *parse_yaml(const char *text, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        const struct node *root;

        if (yaml_parse("compose.yaml", text, strlen(text), a, &root, &fault) < 0)
                fail_msg("%s", fault.message);
        return root;
}

/* The whole text that a person sees. free() it. */
static inline char *fault_text(const struct fault *f) {
        char *text = NULL;
        size_t n;
        FILE *out = open_memstream(&text, &n);

        fault_print(out, f);
        fclose(out);
        return text;
}

/* A fault with this code whose printed text holds @part. */
static inline void assert_fault(const struct fault *f, const char *code, const char *part) {
        own_free char *text = fault_text(f);

        assert_true(fault_is_set(f));
        if (code && (!f->code || strcmp(f->code, code) != 0))
                fail_msg("code %s instead of %s: %s", f->code ? f->code : "(none)", code, text);
        if (!strstr(text, part))
                fail_msg("'%s' is not in: %s", part, text);
}
