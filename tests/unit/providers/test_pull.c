/* SPDX-License-Identifier: Apache-2.0 */

#include "recorded.h"

#include "providers/runtime/docker/pull.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "tests/lib/group.h"

struct told {
        int n;
        int64_t done, total;
};

static void tell(void *data, const char *what, const char *subject, int64_t done, int64_t total) {
        struct told *t = data;

        assert_string_equal(what, "pull");
        assert_string_equal(subject, "subject");
        assert_true(done <= total);
        t->n++;
        t->done = done;
        t->total = total;
}

static void recorded_pulls_are_read_in_pieces_of_any_size(void **state) {
        own_buffer struct buffer text = BUFFER_INIT;

        recorded_bytes("classic", "pull", &text);
        for (size_t piece = 1; piece < 100; piece += 7) {
                struct told told = { .n = 0 };
                const struct progress progress = { .tell = tell, .data = &told };
                own_pull_stream struct pull_stream s;

                pull_stream_init(&s, "subject", &progress);
                for (size_t at = 0; at < text.size; at += piece)
                        assert_int_equal(pull_stream_feed(text.data + at,
                                                          text.size - at < piece ? text.size - at : piece, &s),
                                         0);
                assert_string_equal(s.error, "");
                assert_true(told.n > 0);
                assert_int_equal(told.done, told.total);
                assert_true(told.total > 1000000);
        }
}

static int feed(struct pull_stream *s, const char *text) {
        pull_stream_init(s, "subject", NULL);
        return pull_stream_feed(text, strlen(text), s);
}

static void errors_in_the_stream_are_kept(void **state) {
        own_pull_stream struct pull_stream s;

        assert_int_equal(
                feed(&s,
                     "{\"status\":\"x\"}\r\n\n{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"short\"}\n{\"error\":\"later\"}\n"),
                0);
        assert_string_equal(s.error, "manifest unknown");
}

static void garbage_stops_the_transfer(void **state) {
        static const char *const bad[] = { "<html>\n", "[]\n", "{\"a\":\n", "\"text\"\n", NULL };

        for (size_t i = 0; bad[i]; i++) {
                own_pull_stream struct pull_stream s;

                assert_true(feed(&s, bad[i]) < 0);
                assert_string_not_equal(s.error, "");
        }
}

static void a_line_without_end_is_too_long(void **state) {
        own_pull_stream struct pull_stream s;
        char piece[4096];
        int r = 0;

        memset(piece, ' ', sizeof(piece));
        pull_stream_init(&s, "subject", NULL);
        for (size_t i = 0; r == 0 && i < 2 * LIMIT_PULL_LINE / sizeof(piece); i++)
                r = pull_stream_feed(piece, sizeof(piece), &s);
        assert_int_equal(r, -EFBIG);
}

static void layers_add_up_and_odd_numbers_do_no_harm(void **state) {
        own_pull_stream struct pull_stream s;
        int64_t done, total;

        assert_int_equal(
                feed(&s, "{\"id\":\"a\",\"status\":\"Downloading\",\"progressDetail\":{\"current\":10,\"total\":100}}\n"
                         "{\"id\":\"b\",\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":50}}\n"
                         "{\"id\":\"a\",\"status\":\"Downloading\",\"progressDetail\":{\"current\":20,\"total\":100}}\n"
                         "{\"id\":\"b\",\"status\":\"Downloading\",\"progressDetail\":{\"current\":-5,\"total\":50}}\n"
                         "{\"id\":\"a\",\"status\":\"Extracting\",\"progressDetail\":{\"current\":1,\"total\":9}}\n"
                         "{\"id\":7,\"status\":\"Downloading\"}\n{\"id\":\"b\",\"status\":\"Pull complete\"}\n"),
                0);
        pull_stream_sum(&s, &done, &total);
        assert_int_equal(done, 70);
        assert_int_equal(total, 150);
}

static void a_registrys_refusal_has_its_code(void **state) {
        const struct {
                const char *message, *code;
        } table[] = {
                { "Head \"https://r.example/v2/a/manifests/sha256:00\": no basic auth credentials", REASON_IMAGE_AUTH },
                { "unauthorized: authentication required", REASON_IMAGE_AUTH },
                { "pull access denied for a, repository does not exist or may require 'docker login': denied",
                  REASON_IMAGE_AUTH },
                { "failed to resolve reference \"r.example/a@sha256:00\": pull access denied, insufficient_scope: authorization failed",
                  REASON_IMAGE_AUTH },
                { "manifest for a@sha256:00 not found: manifest unknown: manifest unknown", REASON_IMAGE_NOT_FOUND },
                { "failed to resolve reference \"r.example/a@sha256:00\": r.example/a@sha256:00: not found",
                  REASON_IMAGE_NOT_FOUND },
                { "no matching manifest for linux/amd64 in the manifest list entries", REASON_IMAGE_NOT_FOUND },
                { "image verification failed for digest sha256:00", REASON_IMAGE_DIGEST_MISMATCH },
                { "filesystem layer verification failed for digest sha256:00", REASON_IMAGE_DIGEST_MISMATCH },
                { "dial tcp 10.0.0.1:443: connect: connection refused", REASON_IMAGE_PULL_FAILED },
                { "toomanyrequests: You have reached your pull rate limit", REASON_IMAGE_PULL_FAILED },
                { "", REASON_IMAGE_PULL_FAILED },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                assert_string_equal(pull_error_code(table[i].message), table[i].code);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_pulls_are_read_in_pieces_of_any_size),
        cmocka_unit_test(errors_in_the_stream_are_kept),
        cmocka_unit_test(garbage_stops_the_transfer),
        cmocka_unit_test(a_line_without_end_is_too_long),
        cmocka_unit_test(layers_add_up_and_odd_numbers_do_no_harm),
        cmocka_unit_test(a_registrys_refusal_has_its_code),
};

TEST_GROUP(pull, tests);
