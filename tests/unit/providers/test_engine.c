/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "providers/runtime/docker/engine.h"
#include "shared/base/reason.h"
#include "shared/data/json.h"
#include "tests/lib/group.h"

static void the_lower_of_both_versions_is_spoken(void **state) {
        static const struct {
                const char *theirs;
                int minor;
        } table[] = {
                { "1.41", 41 }, { "1.44", 44 }, { "1.47", 47 }, { "1.52", ENGINE_API_MAX }, { "1.999", ENGINE_API_MAX }
        };
        own_fault struct fault fault = FAULT_INIT;

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                int minor = 0;

                assert_int_equal(engine_choose_api(table[i].theirs, &minor, &fault), 0);
                assert_int_equal(minor, table[i].minor);
        }
}

static void engines_that_are_too_old_or_no_engines_are_refused(void **state) {
        static const char *const bad[] = { "1.40", "1.24",   "1.0", "2.0",   "1.",
                                           "1.x",  "1.41.2", "",    "1.-41", "1.99999999999999999999",
                                           NULL };

        for (size_t i = 0; bad[i]; i++) {
                own_fault struct fault fault = FAULT_INIT;
                int minor = 7;

                assert_true(engine_choose_api(bad[i], &minor, &fault) < 0);
                assert_string_equal(fault.code, REASON_RUNTIME_UNSUPPORTED);
                assert_int_equal(minor, 7);
        }
}

static void only_unix_sockets_are_endpoints(void **state) {
        static const char *const bad[] = { "tcp://127.0.0.1:2375", "ssh://host", "docker.sock", "",
                                           "unix://relative",      NULL };
        own_fault struct fault fine = FAULT_INIT;
        own_engine struct engine *e = NULL;

        for (size_t i = 0; bad[i]; i++) {
                own_fault struct fault fault = FAULT_INIT;
                struct engine *none = NULL;

                assert_true(engine_new(bad[i], &none, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_CONFIG);
                assert_null(none);
        }
        assert_int_equal(engine_new("unix:///run/docker.sock", &e, &fine), 0);
        assert_string_equal(engine_socket(e), "/run/docker.sock");
}

static void the_kind_of_a_fault_follows_the_status(void **state) {
        static const struct {
                int status;
                enum fault_kind kind;
        } table[] = { { 400, FAULT_CONFIG },   { 401, FAULT_DENIED },   { 403, FAULT_DENIED },
                      { 404, FAULT_CONFLICT }, { 409, FAULT_CONFLICT }, { 500, FAULT_TRANSIENT },
                      { 503, FAULT_TRANSIENT } };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                own_engine_reply struct engine_reply reply = { .status = table[i].status,
                                                               .json = json_pack("{ss}", "message", "no such thing") };
                own_fault struct fault fault = FAULT_INIT;

                assert_true(engine_refused(&reply, REASON_ROLLOUT_START_FAILED, "cannot do it", &fault) < 0);
                assert_int_equal(fault.kind, table[i].kind);
                assert_string_equal(fault.message, "cannot do it: no such thing");
        }
}

static void errors_that_are_not_json_are_still_read(void **state) {
        own_engine_reply struct engine_reply reply = { .status = 404 };
        own_fault struct fault fault = FAULT_INIT;

        assert_int_equal(engine_parse(404, "404 page not found\nmore", 23, &reply.json, &fault), 0);
        assert_string_equal(engine_message(&reply), "404 page not found");
}

static void a_good_answer_must_be_json(void **state) {
        static const char *const bad[] = { "{", "[1,]", "not json", "{\"a\":1}{", "{\"a\":1,\"a\":2}", "\xff", NULL };

        for (size_t i = 0; bad[i]; i++) {
                own_fault struct fault fault = FAULT_INIT;
                json_t *json = NULL;

                assert_true(engine_parse(200, bad[i], strlen(bad[i]), &json, &fault) < 0);
                assert_int_equal(fault.kind, FAULT_TRANSIENT);
        }
}

/* No list is not an empty list, and no labels are not the labels of somebody else. */
static void a_question_is_not_answered_by_nothing(void **state) {
        static const struct {
                const char *method;
                int status;
                bool fine;
        } cases[] = {
                { NULL, 200, false },  { "GET", 200, false }, { "GET", 204, false },   { "GET", 404, true },
                { "POST", 200, true }, { "POST", 204, true }, { "DELETE", 204, true },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_fault struct fault fault = FAULT_INIT;
                struct engine_reply reply = { .status = cases[i].status };
                const struct engine_request request = { .method = cases[i].method, .path = "/containers/json" };

                if (cases[i].fine) {
                        assert_int_equal(engine_check(&request, &reply, &fault), 0);
                        continue;
                }
                assert_int_equal(engine_check(&request, &reply, &fault), -EPROTO);
                assert_int_equal(fault.kind, FAULT_TRANSIENT);
                assert_string_equal(fault.code, "RUNTIME_UNAVAILABLE");
        }
}

static void ids_are_safe_in_a_path(void **state) {
        static const char *const good[] = { "a", "0123abc", "shop-web-1-00aa11bb", "the_db.next-1", NULL };
        static const char *const bad[] = { "", "/a", "..", ".a", "a/b", "a b", "a?b", "a%2f", "-a", NULL };

        for (size_t i = 0; good[i]; i++)
                assert_true(engine_id_is_valid(good[i]));
        for (size_t i = 0; bad[i]; i++)
                assert_false(engine_id_is_valid(bad[i]));
        assert_false(engine_id_is_valid(NULL));
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lower_of_both_versions_is_spoken),
        cmocka_unit_test(engines_that_are_too_old_or_no_engines_are_refused),
        cmocka_unit_test(only_unix_sockets_are_endpoints),
        cmocka_unit_test(the_kind_of_a_fault_follows_the_status),
        cmocka_unit_test(errors_that_are_not_json_are_still_read),
        cmocka_unit_test(a_good_answer_must_be_json),
        cmocka_unit_test(a_question_is_not_answered_by_nothing),
        cmocka_unit_test(ids_are_safe_in_a_path),
};

TEST_GROUP(engine, tests);
