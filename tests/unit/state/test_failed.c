/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/state/failed.h"
#include "shared/base/file.h"

/* Behind the others: its fixture has names that they use for parameters. */
#include "tests/lib/group.h"
#include "tests/unit/state/scratch_state.h"

static void add(struct failed *f, const char *id, const char *text) {
        failed_add(f,
                   &(struct failed_output){
                           .id = id, .service = "web", .index = 1, .state = INSTANCE_EXITED, .text = text },
                   a);
}

static const char *ids(const struct failed *f) {
        const struct failed_output *outputs = f->outputs.items;
        const char *all = "";

        for (size_t i = 0; i < f->outputs.n; i++)
                all = arena_printf(a, "%s%s", all, outputs[i].id);
        return all;
}

static void the_newest_stay(void **unused) {
        struct failed f = { .release = "r" };

        for (const char *c = "abcdefghij"; *c; c++)
                add(&f, arena_printf(a, "%c", *c), "x");
        assert_string_equal(ids(&f), "cdefghij");
}

static void an_instance_is_heard_once(void **unused) {
        struct failed f = { .release = "r" };

        for (const char *c = "abcdefgh"; *c; c++)
                add(&f, arena_printf(a, "%c", *c), "x");
        add(&f, "b", "more");
        assert_string_equal(ids(&f), "acdefghb");
        assert_string_equal(((const struct failed_output *)f.outputs.items)[7].text, "more");
}

static void what_is_written_is_read(void **unused) {
        struct failed f = { .release = "r", .version = "2" }, read;
        const struct failed_output *o;

        failed_read(&state, "shop", a, &read);
        assert_null(read.release);
        failed_add(&f,
                   &(struct failed_output){ .id = "1f",
                                            .name = "shop-web-1",
                                            .service = "web",
                                            .index = 3,
                                            .state = INSTANCE_RESTARTING,
                                            .exit_code = -1,
                                            .at = 7,
                                            .text = "two\nlines, \xc3\xbc\t\n" },
                   a);
        assert_int_equal(failed_write(&state, "shop", &f, &(struct fault){ 0 }), 0);
        failed_read(&state, "shop", a, &read);
        assert_string_equal(read.release, "r");
        assert_string_equal(read.version, "2");
        assert_int_equal(read.outputs.n, 1);
        o = read.outputs.items;
        assert_string_equal(o->id, "1f");
        assert_string_equal(o->name, "shop-web-1");
        assert_string_equal(o->service, "web");
        assert_int_equal(o->index, 3);
        assert_int_equal(o->state, INSTANCE_RESTARTING);
        assert_int_equal(o->exit_code, -1);
        assert_int_equal(o->at, 7);
        assert_string_equal(o->text, "two\nlines, \xc3\xbc\t\n");
        failed_read(&state, "other", a, &read);
        assert_null(read.release);
        assert_int_equal(failed_remove(&state, "shop", &(struct fault){ 0 }), 0);
        assert_int_equal(failed_remove(&state, "shop", &(struct fault){ 0 }), 0);
        failed_read(&state, "shop", a, &read);
        assert_null(read.release);
}

static void what_cannot_be_read_was_not_heard(void **unused) {
        static const char *const broken[] = { "", "{", "[]", "{\"release\": 7}",
                                              "{\"release\": \"r\", \"outputs\": [{\"id\": \"1\"}]}" };
        struct failed read;

        for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
                assert_int_equal(file_write(state.dirfd, "failed-shop.json", broken[i], strlen(broken[i]), 0600,
                                            &(struct fault){ 0 }),
                                 0);
                failed_read(&state, "shop", a, &read);
                assert_null(read.release);
                assert_int_equal(read.outputs.n, 0);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_instance_is_heard_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_was_not_heard, set_up, tear_down),
};

TEST_GROUP(failed, tests);
