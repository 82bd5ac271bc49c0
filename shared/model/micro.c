/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/micro.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/reason.h"

#define EXPONENT_MAX 40

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* [+-] digits [. digits] [e [+-] digits], as sign, digits and the power of ten of the last one. */
struct decimal {
        bool negative;
        unsigned __int128 digits;
        int exponent;
};

static int read_exponent(const char *p, int *exponent) {
        bool negative = *p == '-';
        int value = 0;

        if (*p == '-' || *p == '+')
                p++;
        if (!is_digit(*p))
                return -EINVAL;
        for (; is_digit(*p); p++)
                value = value < 1000 ? value * 10 + (*p - '0') : value;
        *exponent += negative ? -value : value;
        return *p ? -EINVAL : 0;
}

static int read_decimal(const char *p, struct decimal *d) {
        bool point = false, any = false;

        d->negative = *p == '-';
        if (*p == '-' || *p == '+')
                p++;
        for (; is_digit(*p) || (*p == '.' && !point); p++) {
                if (*p == '.') {
                        point = true;
                        continue;
                }
                any = true;
                /* Thirty digits are more than any result needs; what follows only moves the point. */
                if (d->digits < (unsigned __int128)1e30) {
                        d->digits = d->digits * 10 + (unsigned)(*p - '0');
                        d->exponent -= point;
                } else {
                        d->exponent += !point;
                }
        }
        if (!any)
                return -EINVAL;
        if (*p == 'e' || *p == 'E')
                return read_exponent(p + 1, &d->exponent);
        return *p ? -EINVAL : 0;
}

int micro_parse(const char *text, int64_t *ret) {
        struct decimal d = { .negative = false };
        int r = text ? read_decimal(text, &d) : -EINVAL, remainder = 0;

        if (r < 0)
                return r;
        d.exponent += 6;
        if (d.exponent > EXPONENT_MAX && d.digits)
                return -ERANGE;
        for (; d.exponent > 0 && d.digits; d.exponent--) {
                if (d.digits > (unsigned __int128)INT64_MAX)
                        return -ERANGE;
                d.digits *= 10;
        }
        for (; d.exponent < 0 && d.digits; d.exponent++) {
                remainder = (int)(d.digits % 10);
                d.digits /= 10;
        }
        if (d.exponent < 0)
                remainder = 0;
        d.digits += remainder >= 5;
        if (d.digits > (unsigned __int128)INT64_MAX)
                return -ERANGE;
        *ret = d.negative ? -(int64_t)d.digits : (int64_t)d.digits;
        return 0;
}

const char *micro_format(int64_t value, char *buf) {
        uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        size_t n;

        (void)snprintf(buf, MICRO_TEXT_MAX, "%s%" PRIu64 ".%06" PRIu64, value < 0 ? "-" : "", size / (uint64_t)MICRO,
                       size % (uint64_t)MICRO);
        n = strlen(buf);
        while (buf[n - 1] == '0')
                buf[--n] = '\0';
        if (buf[n - 1] == '.')
                buf[n - 1] = '\0';
        return buf;
}

uint64_t micro_root(unsigned __int128 value) {
        uint64_t root = 0;

        for (int bit = 63; bit >= 0; bit--) {
                uint64_t with = root | (UINT64_C(1) << bit);

                if ((unsigned __int128)with * with <= value)
                        root = with;
        }
        return root;
}

int micro_read(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        bool may = node_is_scalar(node) && node->type != NODE_NULL && node->type != NODE_BOOL;
        int64_t value;
        int r = may ? micro_parse(node->text, &value) : -EINVAL;

        if (r == 0) {
                *(int64_t *)slot = value;
                return 0;
        }
        if (r == -ERANGE)
                return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID,
                                         "this number is too large: 9223372036854 is the most");
        if (may && node->text[0])
                return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "this must be a number, not '%s'",
                                         node->text);
        return fault_set_code_at(reterr, &node->at, REASON_LOAD_INVALID, "this must be a number, not %s",
                                 node_type_to_string(node->type));
}

json_t *micro_write(const void *slot) {
        char text[MICRO_TEXT_MAX];

        return json_string(micro_format(*(const int64_t *)slot, text));
}

int micro_read_optional(const struct node *node, void *slot, struct arena *a, struct fault *reterr) {
        int64_t *value = arena_new_of(a, int64_t);
        int r = micro_read(node, value, a, reterr);

        if (r == 0)
                *(const int64_t **)slot = value;
        return r;
}

json_t *micro_write_optional(const void *slot) {
        const int64_t *value = *(const int64_t *const *)slot;

        return value ? micro_write(value) : NULL;
}
