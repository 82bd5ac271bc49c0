/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/cli/lock.h"
#include "shared/base/file.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"
#include "tests/lib/temporary.h"

#define A       "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B       "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C       "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define NOW     INT64_C(1795428000123) /* 2026-11-23T10:00:00.123Z */
#define LATER   (NOW + 60000)
#define RELEASE "environments/prod/shop.yaml"
#define HEAD    "apiVersion: tallyman/v1\nkind: Release\napp: shop\n"
#define TAIL    "created: \"2026-11-23T10:00:00Z\"\nby: Jane <jane@example>\n"

/* A working tree and a registry whose tags can be moved. */
struct fixture {
        char folder[TEMPORARY_MAX];
        struct arena *arena;
        const char *digests[4][2]; /* "registry/repository:tag", digest */
        int asked;
        bool down;
};

static int fake_resolve(const struct image_ref *ref, struct digest *ret, void *userdata, struct fault *reterr) {
        struct fixture *f = userdata;
        const char *name = arena_printf(f->arena, "%s/%s:%s", ref->registry, ref->repository,
                                        ref->digest ? ref->digest
                                        : ref->tag  ? ref->tag
                                                    : "latest");

        f->asked++;
        if (f->down)
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_REGISTRY_UNAVAILABLE, "the registry is away");
        for (size_t i = 0; i < 4 && f->digests[i][0]; i++)
                if (str_eq(f->digests[i][0], name)) {
                        snprintf(ret->text, sizeof(ret->text), "%s", f->digests[i][1]);
                        return 0;
                }
        return fault_set_code(reterr, FAULT_CONFIG, REASON_IMAGE_NOT_FOUND, "no %s", name);
}

static void put(const struct fixture *f, const char *path, const char *text) {
        char full[256];
        FILE *file;

        snprintf(full, sizeof(full), "%s/%s", f->folder, path);
        for (char *p = full + strlen(f->folder) + 1; *p; p++)
                if (*p == '/') {
                        *p = '\0';
                        (void)mkdir(full, 0755);
                        *p = '/';
                }
        file = fopen(full, "wbe");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
}

/* NULL when the file is not there. */
static const char *get(const struct fixture *f, const char *path) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;

        if (file_read(AT_FDCWD, arena_printf(f->arena, "%s/%s", f->folder, path), 65536, &bytes, &fault) < 0)
                return NULL;
        return arena_strdup(f->arena, buffer_str(&bytes));
}

static struct lock_request request(struct fixture *f) {
        return (struct lock_request){
                .folder = f->folder,
                .environment = "prod",
                .app = "shop",
                .by = "Jane <jane@example>",
                .now_ms = NOW,
                .resolve = fake_resolve,
                .userdata = f,
        };
}

static void run_ok(struct fixture *f, const struct lock_request *q, struct lock_result *ret) {
        own_fault struct fault fault = FAULT_INIT;
        int r = lock_run(q, f->arena, ret, &fault);

        if (r < 0)
                fault_print(stderr, &fault);
        assert_int_equal(r, 0);
}

/* It fails, says @words, and leaves the release as it was. */
static void run_refused(struct fixture *f, const struct lock_request *q, enum fault_kind kind, const char *words) {
        own_fault struct fault fault = FAULT_INIT;
        const char *before = get(f, RELEASE), *after;
        struct lock_result result;
        own_free char *text = NULL;

        assert_int_not_equal(lock_run(q, f->arena, &result, &fault), 0);
        assert_int_equal(fault.kind, kind);
        text = fault_to_string(&fault);
        if (!strstr(text, words))
                fail_msg("'%s' does not say '%s'", text, words);
        after = get(f, RELEASE);
        assert_true(str_eq(before, after));
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        temporary_make(f->folder);
        f->arena = arena_new();
        f->digests[0][0] = "registry.example/shop/web:1.4.2";
        f->digests[0][1] = A;
        f->digests[1][0] = "docker.io/library/redis:latest";
        f->digests[1][1] = B;
        put(f, "apps/shop/compose.yaml",
            "services:\n  web: {image: registry.example/shop/web:1.4.2}\n  api: {image: registry.example/shop/web:1.4.2}\n");
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        temporary_remove(f->folder);
        arena_free(f->arena);
        free(f);
        return 0;
}

static void test_the_tags_of_the_compose_file_become_a_release(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        struct lock_result result;

        run_ok(f, &q, &result);
        assert_string_equal(get(f, RELEASE),
                            HEAD "version: \"1.4.2\"\nimages:\n  api: registry.example/shop/web:1.4.2@" A
                                 "\n  web: registry.example/shop/web:1.4.2@" A "\n" TAIL);
        assert_true(result.written);
        assert_string_equal(result.path, RELEASE);
        assert_null(result.was_version);
        assert_int_equal(result.changes.n, 2);
        /* One image, one question: two services can't get two answers. */
        assert_int_equal(f->asked, 1);
}

static void test_a_moved_tag_changes_nothing_until_it_is_asked_for(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        const struct lock_change *changes;
        struct lock_result result;
        const char *first;

        run_ok(f, &q, &result);
        first = get(f, RELEASE);
        q.now_ms = LATER;
        run_ok(f, &q, &result);
        assert_false(result.written);
        assert_string_equal(get(f, RELEASE), first);

        f->digests[0][1] = C;
        assert_string_equal(get(f, RELEASE), first);
        q.update = true;
        run_ok(f, &q, &result);
        assert_true(result.written);
        changes = result.changes.items;
        assert_int_equal(result.changes.n, 2);
        assert_string_equal(changes[0].service, "api");
        assert_string_equal(changes[0].was, "registry.example/shop/web:1.4.2@" A);
        assert_string_equal(changes[0].now, "registry.example/shop/web:1.4.2@" C);
        assert_non_null(strstr(get(f, RELEASE), "created: \"2026-11-23T10:01:00Z\"\n"));
}

static void test_an_argument_changes_only_its_service(void **state) {
        static const char *const pins[] = { "web=registry.example/shop/web:1.5", NULL };
        struct fixture *f = *state;
        struct lock_request q = request(f);
        struct lock_result result;

        put(f, RELEASE,
            "# Why: see the change log\n# (two lines)\n" HEAD
            "version: \"1.4.2\"\nimages:\n  api: registry.example/shop/web:1.4.1@" B
            "\n  web: registry.example/shop/web:1.4.1@" B
            "\n\non: {role: web}\n# within\nsource: {repository: https://git.example/shop, commit: abc, build: 12}\n");
        f->digests[2][0] = "registry.example/shop/web:1.5";
        f->digests[2][1] = C;
        q.pins = pins;
        q.version = "1.5";
        run_ok(f, &q, &result);
        assert_string_equal(
                get(f, RELEASE),
                "# Why: see the change log\n# (two lines)\n" HEAD
                "version: \"1.5\"\nimages:\n  api: registry.example/shop/web:1.4.1@" B
                "\n  web: registry.example/shop/web:1.5@" C
                "\non:\n  role: web\nsource:\n  repository: https://git.example/shop\n  commit: abc\n  build: \"12\"\n" TAIL);
        assert_int_equal(f->asked, 1);
        assert_int_equal(result.changes.n, 1);
        assert_string_equal(result.was_version, "1.4.2");
}

static void test_a_digest_in_an_argument_is_checked_and_kept(void **state) {
        static const char *const pins[] = { "web=registry.example/shop/web@" C, NULL };
        struct fixture *f = *state;
        struct lock_request q = request(f);
        struct lock_result result;

        f->digests[2][0] = "registry.example/shop/web:" C;
        f->digests[2][1] = C;
        q.pins = pins;
        q.version = "x";
        run_ok(f, &q, &result);
        assert_non_null(strstr(get(f, RELEASE), "  web: registry.example/shop/web@" C "\n"));
        assert_int_equal(f->asked, 2);
}

static void test_a_name_without_tag_is_latest(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        struct lock_result result;

        put(f, "apps/shop/compose.yaml", "services: {cache: {image: redis}}\n");
        run_ok(f, &q, &result);
        assert_string_equal(get(f, RELEASE), HEAD "version: latest\nimages:\n  cache: redis:latest@" B "\n" TAIL);
}

static void test_a_compose_file_that_is_pinned_needs_no_pins(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        struct lock_result result;

        put(f, "apps/shop/compose.yaml", "services: {cache: {image: redis:7@" A "}}\n");
        run_refused(f, &q, FAULT_CONFIG, "needs a version");
        q.version = "7";
        run_ok(f, &q, &result);
        assert_string_equal(get(f, RELEASE), HEAD "version: \"7\"\n" TAIL);
        assert_int_equal(f->asked, 0);
}

static void test_pins_of_services_that_are_gone_go_too(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        const struct lock_change *last;
        struct lock_result result;

        put(f, RELEASE, HEAD "version: \"1\"\nimages:\n  old: redis:1@" B "\n");
        run_ok(f, &q, &result);
        assert_int_equal(result.changes.n, 3);
        last = (const struct lock_change *)result.changes.items + 2;
        assert_string_equal(last->service, "old");
        assert_null(last->now);
        assert_null(strstr(get(f, RELEASE), "old"));
        assert_string_equal(result.version, "1.4.2");
}

static void test_variables_of_the_environment_are_replaced(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        struct lock_result result;

        put(f, "apps/shop/app.yaml", "apiVersion: tallyman/v1\nkind: App\napp: shop\nfile: stack.yaml\n");
        put(f, "apps/shop/stack.yaml", "services: {web: {image: \"${REGISTRY}/shop/web:${TAG:-1.4.2}\"}}\n");
        put(f, "apps/shop/.env", "REGISTRY=other.example\n");
        put(f, "environments/prod/environment.yaml",
            "apiVersion: tallyman/v1\nkind: Environment\nenvironment: prod\nvariables: {REGISTRY: registry.example}\n");
        run_ok(f, &q, &result);
        assert_string_equal(get(f, RELEASE),
                            HEAD "version: \"1.4.2\"\nimages:\n  web: registry.example/shop/web:1.4.2@" A "\n" TAIL);
}

static void test_a_version_stays_while_the_tags_stay(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        struct lock_result result;

        q.version = "summer";
        run_ok(f, &q, &result);
        q.version = NULL;
        q.update = true;
        f->digests[0][1] = B;
        run_ok(f, &q, &result);
        assert_string_equal(result.version, "summer");
        assert_true(result.written);
}

static void test_images_without_a_common_tag_need_a_version(void **state) {
        static const char *const pins[] = { "web=redis", NULL };
        struct fixture *f = *state;
        struct lock_request q = request(f);

        q.pins = pins;
        run_refused(f, &q, FAULT_CONFIG, "needs a version");
        q.version = "";
        run_refused(f, &q, FAULT_CONFIG, "not empty");
}

static void test_nothing_is_written_when_the_registry_cannot_answer(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        struct lock_result result;

        f->down = true;
        run_refused(f, &q, FAULT_TRANSIENT, "service 'api': the registry is away");
        assert_null(get(f, "environments"));
        f->down = false;
        run_ok(f, &q, &result);

        /* One of two is missing: the other is not written either. */
        f->digests[0][1] = C;
        put(f, "apps/shop/compose.yaml",
            "services: {web: {image: registry.example/shop/web:1.4.2}, zoo: {image: registry.example/shop/web:9}}\n");
        run_refused(f, &q, FAULT_CONFIG, "service 'zoo': no registry.example/shop/web:9");
}

static void test_bad_arguments_are_told(void **state) {
        static const struct {
                const char *pins[3];
                const char *words;
        } cases[] = {
                { { "web", NULL }, "'web' is not SERVICE=REFERENCE" },
                { { "web=", NULL }, "is not SERVICE=REFERENCE" },
                { { "=redis", NULL }, "is not SERVICE=REFERENCE" },
                { { "wep=redis", NULL }, "has no service 'wep'" },
                { { "web=redis", "web=redis", NULL }, "'web' is given twice" },
                { { "web=Redis:1", NULL }, "service 'web'" },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct lock_request q = request(f);

                q.pins = cases[i].pins;
                run_refused(f, &q, FAULT_CONFIG, cases[i].words);
        }
        assert_int_equal(f->asked, 0);
}

static void test_names_stay_inside_the_tree(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);

        q.environment = "../prod";
        run_refused(f, &q, FAULT_CONFIG, "'../prod' is not the name of an environment");
        q = request(f);
        q.app = "shop/..";
        run_refused(f, &q, FAULT_CONFIG, "is not the name of an app");
        q.app = "environment";
        run_refused(f, &q, FAULT_CONFIG, "no app is called");
        q.app = "nothing";
        run_refused(f, &q, FAULT_CONFIG, "there is no folder apps/nothing");
        q = request(f);
        q.folder = "/nonexistent";
        run_refused(f, &q, FAULT_CONFIG, "/nonexistent");
}

static void test_a_link_is_not_followed(void **state) {
        struct fixture *f = *state;
        struct lock_request q = request(f);
        char target[128], link[128];
        struct stat st;

        put(f, "elsewhere/shop.yaml", HEAD "version: \"1\"\n");
        snprintf(target, sizeof(target), "%s/elsewhere", f->folder);
        snprintf(link, sizeof(link), "%s/environments", f->folder);
        assert_int_equal(mkdir(link, 0755), 0);
        snprintf(link, sizeof(link), "%s/environments/prod", f->folder);
        assert_int_equal(symlink(target, link), 0);
        run_refused(f, &q, FAULT_TRANSIENT, "environments/prod");
        assert_int_equal(lstat(link, &st), 0);
        assert_true(S_ISLNK(st.st_mode));
        assert_string_equal(get(f, "elsewhere/shop.yaml"), HEAD "version: \"1\"\n");
}

static void test_documents_that_are_wrong_are_told_with_their_position(void **state) {
        static const struct {
                const char *path, *text, *words;
        } cases[] = {
                { "apps/shop/compose.yaml", "services:\n  web: {image: 5}\n", "apps/shop/compose.yaml:2:16: " },
                { "apps/shop/compose.yaml", "services:\n  web:\n    image: A:b:c\n", "apps/shop/compose.yaml:3:12: " },
                { "apps/shop/compose.yaml", "services:\n  web: {}\n",
                  "apps/shop/compose.yaml:2:3: service 'web' has no image" },
                { "apps/shop/compose.yaml", "services: {}\n",
                  "apps/shop/compose.yaml:1:11: the compose file has no services" },
                { "apps/shop/compose.yaml", "services:\n  web: {image: \"$TAG\"}\n", "apps/shop/compose.yaml:2:" },
                { "apps/shop/compose.yaml", "services:\n  web: x\n", "apps/shop/compose.yaml:2:8: " },
                { RELEASE, HEAD "version: \"1\"\nimage: {}\n", RELEASE ":5:1: " },
                { RELEASE, "apiVersion: tallyman/v1\nkind: Release\napp: other\nversion: \"1\"\n", RELEASE ":3:6: " },
                { "apps/shop/app.yaml", "apiVersion: tallyman/v1\nkind: App\napp: shop\nfile: none.yaml\n",
                  "apps/shop/none.yaml is not there" },
        };
        struct fixture *f = *state;
        const char *compose = get(f, "apps/shop/compose.yaml");

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct lock_request q = request(f);

                put(f, cases[i].path, cases[i].text);
                run_refused(f, &q, FAULT_CONFIG, cases[i].words);
                if (str_eq(cases[i].path, RELEASE))
                        put(f, RELEASE, HEAD "version: \"1\"\n");
                else
                        put(f, "apps/shop/compose.yaml", compose);
        }
        assert_int_equal(f->asked, 0);
}

#define LOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        LOCK_TEST(test_the_tags_of_the_compose_file_become_a_release),
        LOCK_TEST(test_a_moved_tag_changes_nothing_until_it_is_asked_for),
        LOCK_TEST(test_an_argument_changes_only_its_service),
        LOCK_TEST(test_a_digest_in_an_argument_is_checked_and_kept),
        LOCK_TEST(test_a_name_without_tag_is_latest),
        LOCK_TEST(test_a_compose_file_that_is_pinned_needs_no_pins),
        LOCK_TEST(test_pins_of_services_that_are_gone_go_too),
        LOCK_TEST(test_variables_of_the_environment_are_replaced),
        LOCK_TEST(test_a_version_stays_while_the_tags_stay),
        LOCK_TEST(test_images_without_a_common_tag_need_a_version),
        LOCK_TEST(test_nothing_is_written_when_the_registry_cannot_answer),
        LOCK_TEST(test_bad_arguments_are_told),
        LOCK_TEST(test_names_stay_inside_the_tree),
        LOCK_TEST(test_a_link_is_not_followed),
        LOCK_TEST(test_documents_that_are_wrong_are_told_with_their_position),
};

TEST_GROUP(lock, tests);
