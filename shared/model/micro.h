/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Micro: decimal numbers as millionths, in an int64_t
 *
 * What checks measure and what it is held against. Fixed point, because decisions are replayed to the byte: no
 * rounding that depends on a machine, and nothing of the mathematics library in the pure core.
 */

#include "shared/data/table.h"

#define MICRO          INT64_C(1000000)
#define MICRO_TEXT_MAX 32

/*
 * "12", "-0.5", "1.5e-3", as YAML, JSON and Prometheus write them. Digits below a millionth are rounded to the nearest.
 * -EINVAL for anything else, NaN and Inf included; -ERANGE beyond ± 9,223,372,036,854.
 */
int micro_parse(const char *text, int64_t *ret);
/* The shortest form that reads back as equal: "0.25", "-3". @buf has MICRO_TEXT_MAX bytes; returned. */
const char *micro_format(int64_t value, char *buf);

/* The square root of a non-negative number, rounded down. */
uint64_t micro_root(unsigned __int128 value);

/* For FIELD_CUSTOM: a number or a text that holds one; the schema is MICRO_SCHEMA. The slot is an int64_t. */
int micro_read(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
json_t *micro_write(const void *slot);
/* The slot is a const int64_t *: NULL when absent. */
int micro_read_optional(const struct node *node, void *slot, struct arena *a, struct fault *reterr);
json_t *micro_write_optional(const void *slot);
#define MICRO_SCHEMA "{\"type\":[\"number\",\"string\"]}"
