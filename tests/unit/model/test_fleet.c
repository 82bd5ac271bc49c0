/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

#define HEAD "apiVersion: tallyman/v1\nkind: "

/* Two environments, three hosts, two apps; entries in no order. */
static const struct {
        const char *path, *text;
} tree[] = {
        { "environments/prod/shop.yaml", HEAD
          "Release\napp: shop\nversion: '2'\nimages: {web: 'web:2@" DIGEST_B "'}\non: {role: web}\n"
          "source: {repository: 'https://git.example/shop', commit: abc, build: 12}\ncreated: 2026-11-23T10:00:00Z\nby: dev\n" },
        { "hosts/web2.yaml",
          HEAD "Host\nhost: web2\nenvironment: prod\nlabels: {role: web, zone: b}\nstate: retired\n" },
        { "apps/shop/compose.yaml",
          "services:\n  web: {image: 'web:1', environment: {MODE: '$MODE', COLOR: '$COLOR'}}\n" },
        { "apps/shop/.env", "MODE=dev\nCOLOR=blue\n" },
        { "hosts/web1.yaml",
          HEAD "Host\nhost: web1\nenvironment: prod\nlabels: {role: web}\nkey: ssh-ed25519 AAAA web1\n" },
        { "environments/prod/environment.yaml", HEAD
          "Environment\nenvironment: prod\norder: 2\npromotion: {from: dev}\nvariables: {MODE: production, N: 1}\n" },
        { "apps/shop-db/stack.yaml", "services:\n  db: {image: 'db@" DIGEST_A "'}\n" },
        { "apps/shop-db/app.yaml", HEAD
          "App\napp: shop-db\nfile: stack.yaml\nruntime: fake\nrollout: {min_healthy_time: 30s, on_failure: pause}\ndrift: report\nprune: true\nkeep: 3\n" },
        { "environments/prod/shop-db.yaml", HEAD "Release\napp: shop-db\nversion: '1'\n" },
        { "environments/dev/shop.yaml",
          HEAD "Release\napp: shop\nversion: '3'\nimages: {web: 'web:3@" DIGEST_A "'}\n" },
        { "hosts/dev1.yaml", HEAD "Host\nhost: dev1\nenvironment: dev\n" },
        { "fleet.yaml", HEAD "Fleet\nname: acme\ndescription: All of it.\n" },
        { "README.md", "Hello.\n" },
        { "hosts/README.md", "Hello.\n" },
        { "trust/allowed_signers", "x\n" },
};
#define TREE (sizeof(tree) / sizeof(tree[0]))

static void read_fleet(struct arena *a, struct fleet *ret) {
        struct desired_entry entries[TREE];
        own_fault struct fault fault = FAULT_INIT;

        for (size_t i = 0; i < TREE; i++)
                entries[i] = entry_of(tree[i].path, tree[i].text);
        if (fleet_read(entries, TREE, a, ret, &fault) < 0)
                fail_msg("%s:%u: %s", fault.path, fault.line, fault.message);
}

static void documents_are_read_and_sorted(void **state) {
        own_arena struct arena *a = arena_new();
        struct fleet f;

        (void)state;
        read_fleet(a, &f);
        assert_string_equal(f.name, "acme");
        assert_int_equal(f.n_hosts, 3);
        assert_string_equal(f.hosts[0].host.text, "dev1");
        assert_string_equal(fleet_host(&f, "web1")->key.text, "ssh-ed25519 AAAA web1");
        assert_int_equal(fleet_host(&f, "web2")->state, HOST_RETIRED);
        assert_null(fleet_host(&f, "web3"));
        assert_int_equal(f.n_environments, 2);
        assert_int_equal(fleet_environment(&f, "prod")->order, 2);
        assert_string_equal(fleet_environment(&f, "prod")->promotion->from.text, "dev");
        assert_null(fleet_environment(&f, "dev")->promotion);
        assert_int_equal(f.n_releases, 3);
        assert_string_equal(fleet_release(&f, "prod", "shop")->source->build, "12");
        assert_string_equal(fleet_release(&f, "prod", "shop")->by, "dev");
        assert_null(fleet_release(&f, "dev", "shop-db"));
}

static void apps_have_defaults_without_a_document(void **state) {
        own_arena struct arena *a = arena_new();
        const struct app *shop, *db;
        struct fleet f;

        (void)state;
        read_fleet(a, &f);
        assert_int_equal(f.n_apps, 2);
        shop = fleet_app(&f, "shop");
        db = fleet_app(&f, "shop-db");
        assert_string_equal(shop->file.text, "compose.yaml");
        assert_int_equal(shop->runtime, APP_DOCKER);
        assert_int_equal(shop->rollout.min_healthy_ms, 2000);
        assert_int_equal(shop->rollout.healthy_deadline_ms, 300000);
        assert_int_equal(shop->rollout.progress_deadline_ms, 600000);
        assert_int_equal(shop->rollout.on_failure, ON_FAILURE_ROLLBACK);
        assert_int_equal(shop->drift, DRIFT_REPAIR);
        assert_false(shop->prune);
        assert_int_equal(shop->keep, 1);
        assert_int_equal(shop->n_entries, 2);
        assert_int_equal(db->runtime, APP_FAKE);
        assert_int_equal(db->rollout.min_healthy_ms, 30000);
        assert_int_equal(db->rollout.healthy_deadline_ms, 300000);
        assert_int_equal(db->rollout.on_failure, ON_FAILURE_PAUSE);
        assert_int_equal(db->drift, DRIFT_REPORT);
        assert_true(db->prune);
        assert_int_equal(db->keep, 3);
        assert_int_equal(db->n_entries, 2);
}

static void an_empty_document_says_the_same_as_none(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        const struct desired_entry entries[] = {
                entry_of("apps/a/app.yaml", HEAD "App\napp: a\n"),
                entry_of("apps/a/compose.yaml", "x"),
                entry_of("apps/b/compose.yaml", "x"),
        };
        const struct app *with, *without;
        struct fleet f;

        (void)state;
        assert_int_equal(fleet_read(entries, 3, a, &f, &fault), 0);
        with = fleet_app(&f, "a");
        without = fleet_app(&f, "b");
        assert_memory_equal(&with->rollout, &without->rollout, sizeof(with->rollout));
        assert_int_equal(with->keep, without->keep);
        assert_int_equal(with->drift, without->drift);
        assert_string_equal(with->file.text, without->file.text);
}

static void releases_select_hosts_by_environment_label_and_state(void **state) {
        own_arena struct arena *a = arena_new();
        const struct release *const *selected;
        struct fleet f;
        size_t n;

        (void)state;
        read_fleet(a, &f);
        selected = fleet_select(&f, fleet_host(&f, "web1"), a, &n);
        assert_int_equal(n, 2);
        assert_string_equal(selected[0]->app.text, "shop");
        assert_string_equal(selected[1]->app.text, "shop-db");
        (void)fleet_select(&f, fleet_host(&f, "web2"), a, &n);
        assert_int_equal(n, 0);
        selected = fleet_select(&f, fleet_host(&f, "dev1"), a, &n);
        assert_int_equal(n, 1);
        assert_string_equal(selected[0]->environment, "dev");
        assert_false(release_selects(fleet_release(&f, "prod", "shop"), fleet_host(&f, "dev1")));
}

static const char *env(const struct deployment *d, const char *key) {
        const struct compose_service *s = compose_find(&d->compose, "web");

        for (size_t i = 0; i < s->environment.n; i++)
                if (strcmp(s->environment.items[i].key.text, key) == 0)
                        return s->environment.items[i].value.text;
        return NULL;
}

static void a_release_is_resolved_with_its_environments_variables(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct deployment prod, dev;
        struct fleet f;

        (void)state;
        read_fleet(a, &f);
        assert_int_equal(fleet_resolve(&f, fleet_release(&f, "prod", "shop"), a, &prod, &fault), 0);
        assert_int_equal(fleet_resolve(&f, fleet_release(&f, "dev", "shop"), a, &dev, &fault), 0);
        assert_string_equal(env(&prod, "MODE"), "production");
        assert_string_equal(env(&dev, "MODE"), "dev");
        assert_string_equal(env(&prod, "COLOR"), "blue");
        assert_string_equal(compose_find(&prod.compose, "web")->pinned, "docker.io/library/web@" DIGEST_B);
        assert_true(digest_is_valid(prod.id));
        assert_string_not_equal(prod.id, dev.id);
        assert_int_equal(fleet_check(&f, a, NULL, &fault), 0);
}

static void documents_that_were_not_read_are_our_own_mistake(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct desired_entry entry = { .path = "hosts/web1.yaml", .size = 9 };
        struct fleet f;

        (void)state;
        assert_true(fleet_read(&entry, 1, a, &f, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_INTERNAL);
}

static void a_link_is_no_document(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct desired_entry entry = entry_of("hosts/web1.yaml", "elsewhere");
        struct fleet f;

        (void)state;
        entry.type = DESIRED_SYMLINK;
        assert_true(fleet_read(&entry, 1, a, &f, &fault) < 0);
        assert_fault(&fault, "LOAD_INVALID", "not a file");
}

static void an_empty_state_is_a_fleet(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct fleet f;

        (void)state;
        assert_int_equal(fleet_read(NULL, 0, a, &f, &fault), 0);
        assert_string_equal(f.name, "fleet");
        assert_null(fleet_host(&f, "web1"));
        assert_null(fleet_release(&f, "prod", "shop"));
}

static void paths_say_what_they_hold(void **state) {
        char buf[64];

        (void)state;
        assert_true(fleet_path_is_document("fleet.yaml"));
        assert_true(fleet_path_is_document("hosts/a.yaml"));
        assert_true(fleet_path_is_document("environments/e/environment.yaml"));
        assert_true(fleet_path_is_document("environments/e/a.yaml"));
        assert_true(fleet_path_is_document("apps/a/app.yaml"));
        assert_false(fleet_path_is_document("apps/a/sub/app.yaml"));
        assert_false(fleet_path_is_document("apps/a/compose.yaml"));
        assert_false(fleet_path_is_document("hosts/sub/a.yaml"));
        assert_false(fleet_path_is_document("environments/e/sub/a.yaml"));
        assert_false(fleet_path_is_document("README.md"));
        assert_string_equal(fleet_path_app("apps/a/sub/x", buf), "a");
        assert_null(fleet_path_app("apps/README", buf));
        assert_null(fleet_path_app("hosts/a.yaml", buf));
}

static void the_runtime_of_the_tests_is_offered_to_nobody(void **state) {
        json_t *schema = table_schema(&app_table), *words;

        (void)state;
        words = json_object_get(json_object_get(json_object_get(schema, "properties"), "runtime"), "enum");
        assert_int_equal(json_array_size(words), 2);
        assert_string_equal(json_string_value(json_array_get(words, 0)), "docker");
        assert_string_equal(json_string_value(json_array_get(words, 1)), "compose");
        json_decref(schema);
}

static void every_kind_has_a_schema(void **state) {
        size_t n = 0;

        (void)state;
        for (; fleet_tables[n]; n++) {
                json_t *schema = table_schema(fleet_tables[n]);

                assert_true(json_is_object(schema));
                assert_non_null(fleet_tables[n]->kind);
                json_decref(schema);
        }
        assert_int_equal(n, 5);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_read_and_sorted),
        cmocka_unit_test(apps_have_defaults_without_a_document),
        cmocka_unit_test(an_empty_document_says_the_same_as_none),
        cmocka_unit_test(releases_select_hosts_by_environment_label_and_state),
        cmocka_unit_test(a_release_is_resolved_with_its_environments_variables),
        cmocka_unit_test(documents_that_were_not_read_are_our_own_mistake),
        cmocka_unit_test(a_link_is_no_document),
        cmocka_unit_test(an_empty_state_is_a_fleet),
        cmocka_unit_test(paths_say_what_they_hold),
        cmocka_unit_test(the_runtime_of_the_tests_is_offered_to_nobody),
        cmocka_unit_test(every_kind_has_a_schema),
};

TEST_GROUP(fleet, tests);
