/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/data/yaml_scalar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "shared/base/text.h"

static const struct {
        const char *tag;
        enum node_type type;
} tags[] = {
        { "!", NODE_STRING },         { YAML_STR_TAG, NODE_STRING },  { YAML_NULL_TAG, NODE_NULL },
        { YAML_BOOL_TAG, NODE_BOOL }, { YAML_INT_TAG, NODE_INTEGER }, { YAML_FLOAT_TAG, NODE_REAL },
};

/* The words of section 10.3.2; everything else is found by its form. */
static const struct {
        const char *text;
        enum node_type type;
        bool boolean;
} words[] = {
        { "", NODE_NULL },      { "~", NODE_NULL },          { "null", NODE_NULL },       { "Null", NODE_NULL },
        { "NULL", NODE_NULL },  { "true", NODE_BOOL, true }, { "True", NODE_BOOL, true }, { "TRUE", NODE_BOOL, true },
        { "false", NODE_BOOL }, { "False", NODE_BOOL },      { "FALSE", NODE_BOOL },      { ".nan", NODE_REAL },
        { ".NaN", NODE_REAL },  { ".NAN", NODE_REAL },
};

static const char *const infinities[] = { ".inf", ".Inf", ".INF" };

static size_t tag_index(const char *tag) {
        size_t i = 0;

        while (i < sizeof(tags) / sizeof(tags[0]) && strcmp(tags[i].tag, tag) != 0)
                i++;
        return i;
}

bool yaml_scalar_tag_is_known(const char *tag) {
        return tag_index(tag) < sizeof(tags) / sizeof(tags[0]);
}

static bool all_of(const char *s, const char *characters) {
        return *s && s[strspn(s, characters)] == '\0';
}

/* [-+]?[0-9]+, 0o[0-7]+, 0x[0-9a-fA-F]+. What int64 cannot hold is a number all the same: a real. */
static bool resolve_integer(struct node *n) {
        const char *digits = n->text + (n->text[0] == '-' || n->text[0] == '+');
        long long v;

        errno = 0;
        if (all_of(digits, "0123456789"))
                v = strtoll(n->text, NULL, 10);
        else if (str_after(n->text, "0o") && all_of(n->text + 2, "01234567"))
                v = strtoll(n->text + 2, NULL, 8);
        else if (str_after(n->text, "0x") && all_of(n->text + 2, "0123456789abcdefABCDEF"))
                v = strtoll(n->text + 2, NULL, 16);
        else
                return false;
        n->type = errno == ERANGE ? NODE_REAL : NODE_INTEGER;
        n->integer = errno == ERANGE ? 0 : v;
        return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? and the infinities. */
static bool is_real(const char *s) {
        static const char digits[] = "0123456789";
        size_t whole, fraction = 0;

        s += *s == '-' || *s == '+';
        for (size_t i = 0; i < sizeof(infinities) / sizeof(infinities[0]); i++)
                if (strcmp(s, infinities[i]) == 0)
                        return true;
        whole = strspn(s, digits);
        s += whole;
        if (*s == '.') {
                s++;
                fraction = strspn(s, digits);
                s += fraction;
        }
        if (whole + fraction == 0)
                return false;
        if (*s != 'e' && *s != 'E')
                return *s == '\0';
        s++;
        s += *s == '-' || *s == '+';
        return all_of(s, digits);
}

static void resolve_plain(struct node *n) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(n->text, words[i].text) == 0) {
                        n->type = words[i].type;
                        n->boolean = words[i].boolean;
                        return;
                }
        if (resolve_integer(n))
                return;
        n->type = is_real(n->text) ? NODE_REAL : NODE_STRING;
}

int yaml_scalar_resolve(struct node *n, const char *tag, bool plain) {
        enum node_type wanted = tag ? tags[tag_index(tag)].type : NODE_STRING;

        if (wanted == NODE_STRING && (tag || !plain)) {
                n->type = NODE_STRING;
                n->quoted = true;
                return 0;
        }
        resolve_plain(n);
        if (!tag || n->type == wanted)
                return 0;
        if (wanted == NODE_REAL && n->type == NODE_INTEGER) {
                n->type = NODE_REAL;
                n->integer = 0;
                return 0;
        }
        return -EINVAL;
}
