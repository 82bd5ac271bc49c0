/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of rendering share: a rig for every test, of the runtime RENDERED_BY (docker). */

#include <stdlib.h>

#include "tests/lib/rig.h"

#ifndef RENDERED_BY
#define RENDERED_BY "docker"
#endif
#define HEX   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IMAGE "registry.example/shop/web@sha256:" HEX

static const struct runtime_settings settings = {
        .host = "web1",
        .environment = "prod",
        .endpoint = "unix:///nonexistent",
        .files = "/var/lib/tally/files",
};

static int setup(void **state) {
        struct rig *rig = calloc(1, sizeof(*rig));

        assert_non_null(rig);
        rig_open(rig, RENDERED_BY, &settings);
        *state = rig;
        return 0;
}

static int teardown(void **state) {
        rig_close(*state);
        free(*state);
        return 0;
}
