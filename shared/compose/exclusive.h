/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Exclusive: what keeps a service from running twice on one host
 *
 * A port or an address of the host, a name, or data that is written. The compose file alone tells it.
 */

#include "shared/compose/compose.h"

/* What there is only one of. */
enum claim {
        CLAIM_NOTHING,
        CLAIM_NAME,
        CLAIM_NETWORK, /* the host's */
        CLAIM_PORT,
        CLAIM_DATA,
        CLAIM_ADDRESS,
};

struct exclusive_reason {
        enum claim claim;
        struct source_pos at;
        const char *why; /* for people: "it publishes port 8080 of the host"; NULL when nothing is claimed */
};

/* The first claim of @s; its text lives in @a. */
struct exclusive_reason exclusive_find(const struct compose_service *s, struct arena *a);
