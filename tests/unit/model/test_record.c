/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/model/record.h"
#include "tests/lib/group.h"

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define AT    1795687200000 /* 2026-11-26T10:00:00Z */

static struct record_place place_of(int64_t seq) {
        static const int64_t open[] = { 3, 5 };

        return (struct record_place){
                .seq = seq,
                .epoch = 0,
                .prev = seq > 0 ? SHA_A : NULL,
                .genesis = seq > 0 ? SHA_B : NULL,
                .open_intents = open,
                .n_open_intents = seq > 5 ? 2 : 0,
                .host = "web1",
                .boot_id = "",
                .program = "tally",
                .version = "0.1.0",
                .key = "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8",
                .wall_ms = AT,
                .monotonic_ns = 12,
                .synchronized = true,
        };
}

static void assert_canonical(json_t *json, const char *expected) {
        own_buffer struct buffer text = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(json_canonical(json, &text, &f), 0);
        assert_string_equal(buffer_str(&text), expected);
}

static void test_every_kind_has_a_word_and_is_found_by_it(void **state) {
        for (enum record_kind k = 0; k < RECORD_KIND_MAX_; k++) {
                assert_non_null(record_kind_names[k]);
                assert_int_equal(record_kind_from_string(record_kind_names[k]), k);
        }
        assert_null(record_kind_names[RECORD_KIND_MAX_]);
        assert_int_equal(record_kind_from_string("Genesis"), RECORD_KIND_MAX_);
        assert_int_equal(record_kind_from_string(NULL), RECORD_KIND_MAX_);
}

static void test_the_first_record_has_nothing_before_it(void **state) {
        const struct record r = { .kind = RECORD_GENESIS };
        const struct record_place place = place_of(0);
        own_json json_t *predicate = record_predicate(&r, &place);

        assert_canonical(
                predicate,
                "{\"epoch\":0,\"genesis\":null,\"host\":{\"daemon\":{\"name\":\"tally\",\"version\":\"0.1.0\"},\"hostId\":\"web1\","
                "\"key\":\"SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8\"},\"openIntents\":[],\"prev\":null,"
                "\"recordType\":\"genesis\",\"schema\":\"tallyman/record/v1\",\"seq\":0,"
                "\"time\":{\"clock\":{\"synchronized\":true},\"monotonicNs\":12,\"wall\":\"2026-11-26T10:00:00Z\"}}");
}

static void test_all_that_is_known_of_the_host_and_its_state_is_said(void **state) {
        const struct record_desired desired = {
                .repository = "ssh://git@git.example/fleet.git",
                .ref = "main",
                .environment = "prod",
                .commit = "1111111111111111111111111111111111111111",
                .principal = "anna@example.org",
                .fingerprint = "SHA256:x",
                .algorithm = "ssh-ed25519",
                .signed_at = AT,
                .first_seen = AT + 500,
        };
        const struct record r = { .kind = RECORD_HEARTBEAT };
        struct record_place place = place_of(6);
        own_json json_t *predicate = NULL;
        const json_t *host, *time, *said;

        place.machine_id_hash = SHA_A;
        place.boot_id = "0c6ae2c0-8f3c-4c8e-9c3a-1d2e3f405162";
        place.desired = &desired;
        place.has_step = true;
        place.step_ms = -40;
        predicate = record_predicate(&r, &place);
        host = json_object_get(predicate, "host");
        time = json_object_get(predicate, "time");
        said = json_object_get(predicate, "desired");
        assert_string_equal(json_get_string(host, "machineIdHash"), SHA_A);
        assert_string_equal(json_get_string(host, "bootId"), place.boot_id);
        assert_int_equal(json_get_integer(json_object_get(time, "clock"), "stepSincePrev", 0), -40);
        assert_string_equal(json_get_string(said, "repository"), desired.repository);
        assert_string_equal(json_get_string(json_object_get(said, "signer"), "principal"), "anna@example.org");
        assert_string_equal(json_get_string(said, "signedAt"), "2026-11-26T10:00:00Z");
        assert_string_equal(json_get_string(said, "firstSeen"), "2026-11-26T10:00:00.500Z");
        assert_null(json_object_get(said, "tree"));
        assert_int_equal(json_get_integer(json_object_get(predicate, "prev"), "seq", 0), 5);
}

static void test_the_body_stands_beside_what_the_ledger_says(void **state) {
        own_json json_t *body =
                json_pack("{s:o, s:o, s:{s:s}}", "change", record_change(NULL, NULL, "sha256:b", "2"), "error",
                          record_error("IMAGE_NOT_FOUND", "gone"), "execution", "started", "now");
        const struct record r = { .kind = RECORD_RESULT, .app = "shop", .body = body, .closes = 5 };
        const struct record_place place = place_of(9);
        own_json json_t *predicate = record_predicate(&r, &place);
        const json_t *execution = json_object_get(predicate, "execution");

        assert_string_equal(json_get_string(predicate, "app"), "shop");
        assert_true(json_is_null(json_object_get(json_object_get(predicate, "change"), "from")));
        assert_string_equal(json_get_string(json_object_get(json_object_get(predicate, "change"), "to"), "version"),
                            "2");
        assert_string_equal(json_get_string(json_object_get(predicate, "error"), "code"), "IMAGE_NOT_FOUND");
        assert_string_equal(json_get_string(execution, "started"), "now");
        assert_int_equal(json_get_integer(execution, "intentSeq", 0), 5);
        /* The caller's own body is not changed by that. */
        assert_null(json_object_get(json_object_get(body, "execution"), "intentSeq"));
}

static void test_a_record_without_a_file_has_its_body_as_one(void **state) {
        own_json json_t *body = json_pack("{s:s}", "outcome", "held"), *plan = json_pack("{s:i}", "steps", 2);
        const struct record without = { .kind = RECORD_DRIFT, .app = "shop", .body = body };
        const struct record with = { .kind = RECORD_INTENT, .file_name = "plan.json", .file = plan };
        own_buffer struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        char name_buffer[RECORD_FILE_NAME_MAX];
        const char *name;

        assert_int_equal(record_file(&without, &a, name_buffer, &name, &f), 0);
        assert_string_equal(name, "drift.json");
        assert_string_equal(buffer_str(&a), "{\"app\":\"shop\",\"outcome\":\"held\",\"recordType\":\"drift\"}");
        assert_int_equal(record_file(&with, &b, name_buffer, &name, &f), 0);
        assert_string_equal(name, "plan.json");
        assert_string_equal(buffer_str(&b), "{\"steps\":2}");
}

static void test_floating_point_is_never_sealed(void **state) {
        own_json json_t *body = json_pack("{s:f}", "ratio", 0.5);
        const struct record r = { .kind = RECORD_DRIFT, .body = body };
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        char name_buffer[RECORD_FILE_NAME_MAX];
        const char *name;

        assert_true(record_file(&r, &out, name_buffer, &name, &f) < 0);
        assert_int_equal(f.kind, FAULT_INTERNAL);
}

static void test_what_is_written_reads_back(void **state) {
        const struct record r = { .kind = RECORD_RESULT, .app = "shop", .closes = 5 };
        const struct record_place place = place_of(9);
        own_json json_t *predicate = record_predicate(&r, &place);
        own_fault struct fault f = FAULT_INIT;
        struct record_head h;

        assert_int_equal(record_head_read("9", predicate, &h, &f), 0);
        assert_int_equal(h.kind, RECORD_RESULT);
        assert_string_equal(h.app, "shop");
        assert_int_equal(h.seq, 9);
        assert_string_equal(h.prev, SHA_A);
        assert_string_equal(h.genesis, SHA_B);
        assert_string_equal(h.host, "web1");
        assert_int_equal(h.wall_ms, AT);
        assert_int_equal(h.closes, 5);
        assert_int_equal(json_array_size(h.open_intents), 2);
        assert_string_equal(h.boot_id, "");
}

/* Each edit makes a good predicate one that must be refused. */
static void test_a_predicate_that_lacks_what_every_record_has_is_refused(void **state) {
        static const struct {
                const char *key;
                const char *json;
                const char *message;
        } edits[] = {
                { "schema", "\"tallyman/record/v2\"", "schema" },
                { "recordType", "\"party\"", "recordType" },
                { "recordType", "\"genesis\"", "genesis is record 0" },
                { "seq", "-1", "seq" },
                { "seq", "\"9\"", "seq" },
                { "seq", "0", "record 0" },
                { "epoch", "null", "epoch" },
                { "prev", "null", "null in record 0" },
                { "prev", "{\"sha256\":\"" SHA_A "\",\"seq\":7}", "record before" },
                { "prev", "{\"sha256\":\"AA\",\"seq\":8}", "envelopes" },
                { "genesis", "{}", "envelopes" },
                { "app", "\"../x\"", "app" },
                { "host", "{\"hostId\":\"a/b\",\"key\":\"k\"}", "who" },
                { "host", "{\"hostId\":\"web1\"}", "who" },
                { "time", "{\"wall\":\"yesterday\",\"monotonicNs\":1}", "when" },
                { "time", "{\"wall\":\"2026-11-26T10:00:00Z\"}", "when" },
                { "openIntents", "null", "openIntents" },
                { "openIntents", "[10]", "openIntents" },
                { "openIntents", "[0]", "openIntents" },
                { "execution", "{\"intentSeq\":9}", "intentSeq" },
        };
        const struct record r = { .kind = RECORD_RESULT, .app = "shop" };
        const struct record_place place = place_of(9);

        for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
                own_json json_t *predicate = record_predicate(&r, &place), *value = NULL;
                own_fault struct fault f = FAULT_INIT;
                struct record_head h;

                assert_int_equal(json_parse("edit", edits[i].json, strlen(edits[i].json), &value, &f), 0);
                json_object_set(predicate, edits[i].key, value);
                assert_true(record_head_read("x", predicate, &h, &f) < 0);
                assert_int_equal(f.kind, FAULT_CONFIG);
                if (!strstr(f.message, edits[i].message))
                        fail_msg("'%s' does not say '%s'", f.message, edits[i].message);
        }
}

static void test_unknown_members_are_ignored(void **state) {
        const struct record r = { .kind = RECORD_START };
        const struct record_place place = place_of(4);
        own_json json_t *predicate = record_predicate(&r, &place);
        own_fault struct fault f = FAULT_INIT;
        struct record_head h;

        json_set_string(predicate, "later", "addition");
        assert_int_equal(record_head_read("x", predicate, &h, &f), 0);
}

static void test_paths_are_by_number_kind_and_app(void **state) {
        char buf[RECORD_PATH_MAX];

        assert_string_equal(record_path(0, RECORD_GENESIS, NULL, buf), "evidence/0/00000000-genesis.dsse.json");
        assert_string_equal(record_path(999, RECORD_INTENT, "shop", buf), "evidence/0/00000999-intent-shop.dsse.json");
        assert_string_equal(record_path(12345, RECORD_EXTERNAL_CHANGE, "a-b", buf),
                            "evidence/12/00012345-external-change-a-b.dsse.json");
        assert_string_equal(record_path(123456789, RECORD_STOP, NULL, buf), "evidence/123456/123456789-stop.dsse.json");
}

static void test_names_read_back_for_every_kind(void **state) {
        static const char *const apps[] = { NULL, "shop", "a-b", "0", "drift" };

        for (enum record_kind k = 0; k < RECORD_KIND_MAX_; k++)
                for (size_t i = 0; i < sizeof(apps) / sizeof(apps[0]); i++) {
                        char buf[RECORD_PATH_MAX];
                        enum record_kind kind;
                        const char *app;
                        size_t size;
                        int64_t seq;

                        record_path(1042, k, apps[i], buf);
                        assert_int_equal(record_name_parse(strrchr(buf, '/') + 1, &seq, &kind, &app, &size), 0);
                        assert_int_equal(seq, 1042);
                        assert_int_equal(kind, k);
                        if (apps[i])
                                assert_memory_equal(app, apps[i], size);
                        assert_int_equal(size, apps[i] ? strlen(apps[i]) : 0);
                        assert_int_equal(!app, !apps[i]);
                }
}

static void test_other_names_are_refused(void **state) {
        static const char *const names[] = {
                "",
                "0-genesis.dsse.json",
                "00000000-genesis",
                "00000000genesis.dsse.json",
                "000000001-start.dsse.json",
                "00000001-party.dsse.json",
                "00000001-start-.dsse.json",
                "00000001-start-A.dsse.json",
                "00000001-.dsse.json",
                "00000001-starts.dsse.json",
                "99999999999999999999-start.dsse.json",
                "-0000001-start.dsse.json",
        };
        enum record_kind kind;
        const char *app;
        size_t size;
        int64_t seq;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_int_equal(record_name_parse(names[i], &seq, &kind, &app, &size), -EINVAL);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_has_a_word_and_is_found_by_it),
        cmocka_unit_test(test_the_first_record_has_nothing_before_it),
        cmocka_unit_test(test_all_that_is_known_of_the_host_and_its_state_is_said),
        cmocka_unit_test(test_the_body_stands_beside_what_the_ledger_says),
        cmocka_unit_test(test_a_record_without_a_file_has_its_body_as_one),
        cmocka_unit_test(test_floating_point_is_never_sealed),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_a_predicate_that_lacks_what_every_record_has_is_refused),
        cmocka_unit_test(test_unknown_members_are_ignored),
        cmocka_unit_test(test_paths_are_by_number_kind_and_app),
        cmocka_unit_test(test_names_read_back_for_every_kind),
        cmocka_unit_test(test_other_names_are_refused),
};

TEST_GROUP(record, tests);
