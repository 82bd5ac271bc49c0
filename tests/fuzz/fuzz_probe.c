/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What others say to a probe: the answer of a Prometheus server to a query, the values that are filled into it, and the
 * stream of a command in a container. The first byte chooses the HTTP status, the rest is the answer, the value and the
 * stream.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "providers/runtime/docker/exec_stream.h"
#include "providers/probe/probe_private.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_answer(uint8_t choice, const uint8_t *data, size_t size, struct arena *a) {
        static const int statuses[] = { 200, 400, 422, 503 };
        struct finding f = query_answer("query", statuses[choice & 3], data, size, a);

        if ((f.verdict == CHECK_PASS) != (f.value != NULL) || f.verdict == CHECK_FAIL)
                abort();
        if (f.verdict == CHECK_PASS && (choice & 3) != 0)
                abort();
        if (f.verdict != CHECK_PASS && (!f.detail || !utf8_is_valid(f.detail, strlen(f.detail))))
                abort();
}

/* Whatever a value is, the string that it stands in is not ended by it. */
static void as_value(const uint8_t *data, size_t size, struct arena *a) {
        const char *value = arena_strndup(a, (const char *)data, size), *filled;
        const struct query_values values = { .of = { value, value, value, value, value } };

        filled = query_fill("up{release=\"${release}\",app='${app}'}", &values, a);
        if (!filled)
                return;
        for (const char *p = filled; *p; p++)
                if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
                        abort();
        if (strcmp(strchr(filled, '"') + 1 + strcspn(strchr(filled, '"') + 1, "\"'`"), strstr(filled, "\",app='")) != 0)
                abort();
        (void)query_fill(value, &values, a);
}

static void as_stream(const uint8_t *data, size_t size, struct arena *a) {
        struct exec_stream whole = EXEC_STREAM_INIT, halves = EXEC_STREAM_INIT;
        const char *text;

        (void)exec_stream_feed(data, size, &whole);
        (void)exec_stream_feed(data, size / 2, &halves);
        (void)exec_stream_feed(data + size / 2, size - size / 2, &halves);
        text = exec_stream_text(&whole, a);
        if (strcmp(text, exec_stream_text(&halves, a)) != 0 || strlen(text) > LIMIT_EXEC_OUTPUT_BYTES ||
            !utf8_is_valid(text, strlen(text)))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        own_arena struct arena *a = arena_new();

        if (size < 1)
                return 0;
        as_answer(data[0], data + 1, size - 1, a);
        as_value(data + 1, size - 1, a);
        as_stream(data + 1, size - 1, a);
        return 0;
}
