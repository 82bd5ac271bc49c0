/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Routes: what the tests of the routers' files and answers have in common */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "providers/routers/parts.h"
#include "shared/base/buffer.h"
#include "shared/base/cleanup.h"

/* Two current targets, one of them with an IPv6 address, and one candidate. */
static struct route_target routes_targets[] = {
        { .instance = "i1", .address = "127.0.0.1:32768", .variation = VARIATION_CURRENT, .release = "3f2a91c07be4" },
        { .instance = "i3", .address = "127.0.0.1:32770", .variation = VARIATION_CANDIDATE, .release = "9d0c4be1.a-7" },
        { .instance = "i2", .address = "[fd00::2]:80", .variation = VARIATION_CURRENT, .release = "3f2a91c07be4" },
};
static const struct route routes_split = { .app = "shop",
                                           .candidate = 25,
                                           .targets = { .items = routes_targets, .n = 3 } };
static const struct route routes_plain = { .app = "shop",
                                           .candidate = 0,
                                           .targets = { .items = routes_targets, .n = 1 } };
static const struct route routes_empty = { .app = "shop" };
static const struct sticky routes_sticky = { .cookie = "met", .duration_ms = 3600000 };

static const struct {
        const char *name;
        struct traffic traffic;
        const struct route *route;
} routes_cases[] = {
        { "weight", { .listen = "127.0.0.1:8080", .path = "/" }, &routes_split },
        { "plain", { .listen = ":8080", .path = "/" }, &routes_plain },
        { "empty", { .listen = ":8080", .path = "/" }, &routes_empty },
        { "sticky",
          { .listen = "127.0.0.1:8080", .server_name = "shop.example", .path = "/", .sticky = &routes_sticky },
          &routes_split },
        { "header",
          { .listen = "[::1]:8080",
            .server_name = "shop.example",
            .path = "/api/",
            .split = { SPLIT_HEADER, "X-Canary", "be.ta" } },
          &routes_split },
        { "cookie",
          { .listen = "127.0.0.1:8080",
            .server_name = "*.example",
            .path = "/",
            .split = { SPLIT_COOKIE, "canary", NULL },
            .sticky = &routes_sticky },
          &routes_split },
        { "group", { .path = "/", .sticky = &routes_sticky }, &routes_split },
};
#define ROUTES_CASES (sizeof(routes_cases) / sizeof(routes_cases[0]))

/*
 * @text is what the file has, of tests/unit/providers/routes. With ROUTES_WRITE in the environment it becomes that, to
 * be reviewed.
 */
static inline void routes_expect(const char *name, const char *ending, const struct buffer *text) {
        char path[512], there[65536];
        FILE *f;
        size_t n;

        (void)snprintf(path, sizeof(path), "%s/%s.%s", ROUTES, name, ending);
        if (getenv("ROUTES_WRITE")) {
                f = fopen(path, "w");
                assert_non_null(f);
                assert_int_equal(fwrite(buffer_str(text), 1, text->size, f), text->size);
                assert_int_equal(fclose(f), 0);
        }
        f = fopen(path, "r");
        if (!f)
                fail_msg("%s is not there", path);
        n = fread(there, 1, sizeof(there) - 1, f);
        there[n] = '\0';
        (void)fclose(f);
        assert_string_equal(buffer_str(text), there);
}

static inline void routes_fine(int r, const struct fault *f) {
        if (r < 0)
                fail_msg("%s", f->message ? f->message : "a fault without message");
}
