/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/context.h"
#include "shared/base/text.h"

/* Behind the others: its fixture has names that they use for parameters. */
#include "tests/lib/group.h"
#include "tests/unit/state/scratch_state.h"

static const char *id_of(const char *name) {
        struct digest d = digest_of(name, strlen(name));

        return arena_strdup(a, d.text);
}

/* A release with one service, whose image is named after it. */
static struct workload release(const char *name) {
        struct workload w = { .app = "shop", .release = id_of(name), .version = name, .runtime = "fake" };
        struct workload_service *s = arena_push(a, &w.services.items, &w.services.n, sizeof(*s));

        s->name = "web";
        s->image = arena_printf(a, "registry.example/web@%s", name);
        s->spec_digest = id_of("x");
        s->replicas = 1;
        s->spec = json_object();
        return w;
}

static const struct current_origin by = { .commit = "3f2c", .strategy = "canary", .started_at = 7 };

static void settle(const char *name, int64_t now) {
        struct workload w = release(name);
        struct workload_service *s = w.services.items;

        assert_fine(current_write(&state, &w, &by, now, &fault));
        json_decref((json_t *)s->spec);
}

/* The earlier releases, in one line. */
static void earlier_are(const char *wanted) {
        struct struct_list list;
        const struct earlier_release *items;
        const char *got = "";

        current_earlier(&state, "shop", a, &list);
        items = list.items;
        for (size_t i = 0; i < list.n; i++) {
                got = arena_printf(a, "%s%s%s@%lld", got, i ? " " : "", items[i].version, (long long)items[i].until);
                assert_int_equal(items[i].images.n, 1);
                assert_string_equal(items[i].images.items[0].text,
                                    arena_printf(a, "registry.example/web@%s", items[i].version));
        }
        assert_string_equal(got, wanted);
}

static void what_was_settled_is_remembered_newest_first(void **unused) {
        struct current_origin read;

        earlier_are("");
        settle("v1", 1000);
        earlier_are("");
        settle("v2", 2000);
        settle("v3", 3000);
        earlier_are("v2@3000 v1@2000");
        assert_string_equal(current_read(&state, "shop", &read, a)->version, "v3");
        assert_string_equal(read.commit, "3f2c");
        assert_string_equal(read.strategy, "canary");
        assert_int_equal(read.started_at, 7);
}

static void settling_again_changes_nothing(void **unused) {
        settle("v1", 1000);
        settle("v2", 2000);
        settle("v2", 3000);
        earlier_are("v1@2000");
}

static void the_way_back_turns_the_order(void **unused) {
        settle("v1", 1000);
        settle("v2", 2000);
        settle("v3", 3000);
        settle("v2", 4000);
        earlier_are("v3@4000 v1@2000");
        settle("v1", 5000);
        earlier_are("v2@5000 v3@4000");
}

static void there_is_a_limit(void **unused) {
        struct struct_list list;

        for (int i = 0; i < EARLIER_RELEASES_MAX + 5; i++)
                settle(arena_printf(a, "v%d", i), i + 1);
        current_earlier(&state, "shop", a, &list);
        assert_int_equal(list.n, EARLIER_RELEASES_MAX);
        assert_string_equal(((struct earlier_release *)list.items)->version, "v103");
}

static void what_cannot_be_read_is_none(void **unused) {
        own_fault struct fault fault = FAULT_INIT;

        settle("v1", 1000);
        settle("v2", 2000);
        scratch_write(
                &scratch, "settled-shop.json",
                "{\"earlier\":[{},1,{\"release\":\"x\",\"version\":\"v0\",\"images\":[\"registry.example/web@v0\"],\"until\":9}]}",
                96);
        earlier_are("v0@9");
        assert_null(current_read(&state, "shop", NULL, a));
        settle("v3", 3000);
        earlier_are("v0@9");
        scratch_write(&scratch, "settled-shop.json", "{", 1);
        earlier_are("");
        assert_int_equal(current_remove(&state, "shop", &fault), 0);
        earlier_are("");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_settled_is_remembered_newest_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settling_again_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_way_back_turns_the_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_is_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_none, set_up, tear_down),
};

TEST_GROUP(settled, tests);
