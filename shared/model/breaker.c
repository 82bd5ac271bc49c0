/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/breaker.h"

const char *const breaker_state_names[] = {
        [BREAKER_CLOSED] = "closed",
        [BREAKER_OPEN] = "open",
        [BREAKER_HALF_OPEN] = "half-open",
        NULL,
};

static const struct field repair_fields[] = {
        { .key = "at",
          .type = FIELD_INTEGER,
          .at = offsetof(struct breaker_repair, at),
          .flags = FIELD_REQUIRED,
          .doc = "When, in milliseconds." },
        {},
};

static const struct table breaker_repair_table = {
        .title = "BreakerRepair",
        .size = sizeof(struct breaker_repair),
        .fields = repair_fields,
        .doc = "A repair of drift.",
};

#define AT(member) offsetof(struct breaker, member)
static const struct field fields[] = {
        { .key = "state",
          .type = FIELD_ENUM,
          .at = AT(state),
          .names = breaker_state_names,
          .doc = "Whether drift is repaired." },
        { .key = "repairs",
          .type = FIELD_INTEGER,
          .at = AT(repairs),
          .flags = FIELD_OMIT,
          .doc = "Repairs since the last hour without drift." },
        { .key = "recent",
          .type = FIELD_STRUCT_LIST,
          .at = AT(recent),
          .flags = FIELD_OMIT,
          .sub = &breaker_repair_table,
          .doc = "The repairs of the last hour." },
        { .key = "next_at",
          .type = FIELD_INTEGER,
          .at = AT(next_at),
          .flags = FIELD_OMIT,
          .doc = "No repair before this, in milliseconds." },
        { .key = "opened_at",
          .type = FIELD_INTEGER,
          .at = AT(opened_at),
          .flags = FIELD_OMIT,
          .doc = "When it last opened, in milliseconds." },
        { .key = "open_ms",
          .type = FIELD_INTEGER,
          .at = AT(open_ms),
          .flags = FIELD_OMIT,
          .doc = "For how long it opened then, in milliseconds." },
        { .key = "tried_at",
          .type = FIELD_INTEGER,
          .at = AT(tried_at),
          .flags = FIELD_OMIT,
          .doc = "When the repair that is on trial was made, in milliseconds." },
        { .key = "quiet_at",
          .type = FIELD_INTEGER,
          .at = AT(unchanged_at),
          .flags = FIELD_OMIT,
          .doc = "Since when there is no drift, in milliseconds." },
        {},
};
#undef AT

const struct table breaker_table = {
        .title = "Breaker",
        .size = sizeof(struct breaker),
        .fields = fields,
        .doc = "What is remembered of the repairs of an app's drift.",
};
