/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/model/support.h"

static void files_are_those_of_the_folder_sorted(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct desired_entry entries[] = {
                entry_of("apps/shop/z", "1"),      entry_of("apps/shop2/a", "2"),     entry_of("hosts/x.yaml", "3"),
                entry_of("apps/shop/conf/a", "4"), entry_of("apps/shop/conf-x", "5"),
        };
        struct app_files files;

        (void)state;
        entries[3].type = DESIRED_EXECUTABLE;
        assert_int_equal(app_files_make("apps/shop", entries, 5, a, &files, &fault), 0);
        assert_int_equal(files.n, 3);
        assert_string_equal(files.items[0].path, "conf-x");
        assert_string_equal(files.items[1].path, "conf/a");
        assert_string_equal(files.items[2].path, "z");
        assert_true(files.items[1].executable);
        assert_null(app_files_find(&files, "conf"));
        assert_ptr_equal(app_files_find(&files, "z"), &files.items[2]);
        /* echo -n 1 | sha256sum */
        assert_string_equal(digest_hex(&files.items[2].digest),
                            "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
}

static void a_folder_is_found_beside_names_that_begin_like_it(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct desired_entry entries[] = {
                entry_of("apps/shop/a-b", "1"),   entry_of("apps/shop/a.c", "2"), entry_of("apps/shop/a/x", "3"),
                entry_of("apps/shop/a/y/z", "4"), entry_of("apps/shop/a0", "5"),  entry_of("apps/shop/b", "6"),
        };
        const struct app_file *first = NULL;
        struct app_files files;

        (void)state;
        assert_int_equal(app_files_make("apps/shop", entries, 6, a, &files, &fault), 0);
        assert_int_equal(app_files_under(&files, "a", &first), 2);
        assert_string_equal(first->path, "a/x");
        assert_int_equal(app_files_under(&files, "a/y", &first), 1);
        assert_int_equal(app_files_under(&files, "b", &first), 0);
        assert_int_equal(app_files_under(&files, "c", &first), 0);
        assert_int_equal(app_files_under(&files, "", &first), 6);
}

static void the_digest_names_content_not_place(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct desired_entry entries[] = {
                entry_of("apps/shop/a/x", "1"), entry_of("apps/shop/b/x", "1"), entry_of("apps/shop/c/x", "2"),
                entry_of("apps/shop/d/y", "1"), entry_of("apps/shop/e/x", "1"),
        };
        struct digest x, y;
        struct app_files files;

        (void)state;
        entries[4].type = DESIRED_EXECUTABLE;
        assert_int_equal(app_files_make("apps/shop", entries, 5, a, &files, &fault), 0);
        assert_true(app_files_digest(&files, "a", &x));
        assert_true(app_files_digest(&files, "b", &y));
        assert_true(digest_equal(&x, &y));
        for (const char *const *other = (const char *const[]){ "c", "d", "e", "a/x", "", NULL }; *other; other++) {
                assert_true(app_files_digest(&files, *other, &y));
                assert_false(digest_equal(&x, &y));
        }
        assert_false(app_files_digest(&files, "f", &y));
}

static void links_and_strange_names_are_refused(void **state) {
        static const struct {
                const char *path;
                enum desired_type type;
                const char *part;
        } cases[] = {
                { "apps/shop/x", DESIRED_SYMLINK, "a symbolic link" },
                { "apps/shop/x", DESIRED_SUBMODULE, "a submodule" },
                { "apps/shop/../x", DESIRED_FILE, "unusable name" },
                { "apps/shop/a\nb", DESIRED_FILE, "unusable name" },
                { "apps/shop/a\\b", DESIRED_FILE, "unusable name" },
                { "apps/shop/Gr\xf6\xdf"
                  "e.conf",
                  DESIRED_FILE, "apps/shop/Gr\\xf6\\xdfe.conf: a file's name must be UTF-8" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                own_arena struct arena *a = arena_new();
                own_fault struct fault fault = FAULT_INIT;
                struct desired_entry entry = { .path = cases[i].path, .type = cases[i].type, .bytes = "x", .size = 1 };
                struct app_files files;

                assert_int_equal(app_files_make("apps/shop", &entry, 1, a, &files, &fault), -EINVAL);
                assert_fault(&fault, "LOAD_INVALID", cases[i].part);
        }
}

static void too_many_bytes_are_refused_by_name(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct desired_entry entry = { .path = "apps/shop/x", .bytes = "x", .size = SIZE_MAX };
        struct app_files files;

        (void)state;
        assert_true(app_files_make("apps/shop", &entry, 1, a, &files, &fault) < 0);
        assert_fault(&fault, "LOAD_LIMIT", "LIMIT_APP_BYTES");
}

static void what_was_not_read_is_our_own_mistake(void **state) {
        own_arena struct arena *a = arena_new();
        own_fault struct fault fault = FAULT_INIT;
        struct desired_entry entry = { .path = "apps/shop/x", .bytes = NULL, .size = 7 };
        struct app_files files;

        (void)state;
        assert_true(app_files_make("apps/shop", &entry, 1, a, &files, &fault) < 0);
        assert_int_equal(fault.kind, FAULT_INTERNAL);
}

static void paths_are_cleaned_and_kept_inside(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "a", "a" },     { "./a", "a" },     { "./a//b/./c/", "a/b/c" }, { ".", "" },    { "./", "" },
                { "..", NULL },   { "../a", NULL },   { "a/../b", NULL },         { "/a", NULL }, { "", NULL },
                { "a\\b", NULL }, { ".env", ".env" }, { "a/.b", "a/.b" },
        };
        own_arena struct arena *a = arena_new();

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const char *out = app_path_normalize(cases[i].in, a);

                assert_true((out == NULL) == (cases[i].out == NULL));
                if (out)
                        assert_string_equal(out, cases[i].out);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_those_of_the_folder_sorted),
        cmocka_unit_test(a_folder_is_found_beside_names_that_begin_like_it),
        cmocka_unit_test(the_digest_names_content_not_place),
        cmocka_unit_test(links_and_strange_names_are_refused),
        cmocka_unit_test(too_many_bytes_are_refused_by_name),
        cmocka_unit_test(what_was_not_read_is_our_own_mistake),
        cmocka_unit_test(paths_are_cleaned_and_kept_inside),
};

TEST_GROUP(files, tests);
