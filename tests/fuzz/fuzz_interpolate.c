/* SPDX-License-Identifier: Apache-2.0 */

/* Bounded, and a text without '$' stays itself. The same bytes as an env file, too. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "shared/base/limits.h"
#include "shared/compose/dotenv.h"
#include "shared/compose/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct variable items[] = { { "A", "value" }, { "B", "" }, { "C", "${A}$$" } };
static const struct variables variables = { .items = items, .n = 3 };

static void interpolate(const char *text, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        struct source source = { .name = "text", .text = text, .size = strlen(text) };
        struct source_pos at = { .source = &source, .line = 1, .column = 1 };
        const char *out;

        if (interpolate_text(text, &at, variables_lookup, &variables, a, &out, &fault) < 0) {
                assert(fault.kind == FAULT_CONFIG && fault.code);
                return;
        }
        assert(strchr(text, '$') ? strlen(out) <= LIMIT_INTERPOLATION_BYTES : out == text);
}

static void split(const char *text, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        struct source_pos nowhere = { .source = NULL };
        struct string_list words;

        if (words_split(text, &nowhere, a, &words, &fault) == 0)
                assert(words.n <= strlen(text));
}

static void parse(const uint8_t *data, size_t size, bool raw, struct arena *a) {
        own_fault struct fault fault = FAULT_INIT;
        struct dotenv_input in = { .name = "env", .bytes = data, .size = size, .raw = raw, .variables = &variables };
        struct string_map pairs;

        if (dotenv_parse(&in, a, &pairs, &fault) < 0)
                return;
        for (size_t i = 0; i < pairs.n; i++)
                assert(variable_name_is_valid(pairs.items[i].key.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_arena struct arena *a = arena_new();
        const char *text = arena_strndup(a, (const char *)data, size);

        interpolate(text, a);
        split(text, a);
        parse(data, size, false, a);
        parse(data, size, true, a);
        return 0;
}
