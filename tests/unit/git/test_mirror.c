/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <git2.h>

#include "shared/base/file.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/mirror.h"
#include "tests/lib/group.h"
#include "tests/lib/temporary.h"

#define REF "refs/tally/remote/main"

struct place {
        char dir[TEMPORARY_MAX];
        struct mirror *mirror;
};

static void open_mirror(struct place *p, char broken[MIRROR_NAME_MAX]) {
        own_fault struct fault f = FAULT_INIT;

        if (mirror_open(p->dir, "desired.git", &p->mirror, broken, &f) < 0)
                fail_msg("%s", f.message);
}

static int setup(void **state) {
        struct place *p = calloc(1, sizeof(*p));

        temporary_make(p->dir);
        open_mirror(p, NULL);
        *state = p;
        return 0;
}

static int teardown(void **state) {
        struct place *p = *state;

        mirror_free(p->mirror);
        temporary_remove(p->dir);
        free(p);
        return 0;
}

static void put(const struct place *p, const char *name, const char *text) {
        own_fault struct fault f = FAULT_INIT;
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/desired.git/%s", p->dir, name);
        assert_int_equal(file_write(AT_FDCWD, path, text, strlen(text), 0644, &f), 0);
}

/* Any bytes as an object, also such that libgit2 would not make. */
static void write_raw(const struct place *p, git_object_t type, const void *bytes, size_t size, struct object_id *ret) {
        git_odb *odb = NULL;
        git_oid id;

        assert_int_equal(git_repository_odb(&odb, mirror_repository(p->mirror)), 0);
        assert_int_equal(git_odb_write(&id, odb, bytes, size, type), 0);
        git_odb_free(odb);
        memcpy(ret->raw, id.id, sizeof(ret->raw));
}

static void put_entry(struct buffer *tree, const char *mode_and_name, const struct object_id *id) {
        buffer_append(tree, mode_and_name, strlen(mode_and_name) + 1);
        buffer_append(tree, id->raw, sizeof(id->raw));
}

static void write_tree(const struct place *p, const struct buffer *tree, struct object_id *ret) {
        write_raw(p, GIT_OBJECT_TREE, buffer_str(tree), tree->size, ret);
}

static void write_commit(const struct place *p, const struct object_id *tree, struct object_id *ret) {
        own_buffer struct buffer raw = BUFFER_INIT;
        char hex[OBJECT_ID_TEXT_MAX];

        buffer_printf(&raw,
                      "tree %s\nauthor t <t@example> 1700000000 +0000\ncommitter t <t@example> 1700000000 +0000\n\nm\n",
                      object_id_format(tree, hex));
        write_raw(p, GIT_OBJECT_COMMIT, raw.data, raw.size, ret);
}

/* fleet.yaml, apps/shop/app.yaml (executable), apps/shop.d, link, sub */
static void write_example(const struct place *p, struct object_id *ret_commit) {
        own_buffer struct buffer shop = BUFFER_INIT, apps = BUFFER_INIT, root = BUFFER_INIT;
        struct object_id blob, id;

        write_raw(p, GIT_OBJECT_BLOB, "hello\n", 6, &blob);
        put_entry(&shop, "100755 app.yaml", &blob);
        write_tree(p, &shop, &id);
        put_entry(&apps, "40000 shop", &id);
        put_entry(&apps, "100644 shop0", &blob);
        write_tree(p, &apps, &id);
        put_entry(&root, "40000 apps", &id);
        put_entry(&root, "100644 fleet.yaml", &blob);
        put_entry(&root, "120000 link", &blob);
        put_entry(&root, "160000 sub", &blob);
        write_tree(p, &root, &id);
        write_commit(p, &id, ret_commit);
}

static void files_are_read_by_path(void **state) {
        struct place *p = *state;
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;
        struct object_id commit;

        write_example(p, &commit);
        assert_int_equal(mirror_read_path(p->mirror, &commit, "apps/shop/app.yaml", 6, &out, &f), 0);
        assert_string_equal(buffer_str(&out), "hello\n");
}

static void assert_no_file(struct place *p, const struct object_id *commit, const char *path, size_t limit, int r,
                           const char *code) {
        own_buffer struct buffer out = BUFFER_INIT;
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(mirror_read_path(p->mirror, commit, path, limit, &out, &f), r);
        assert_int_equal(f.kind, FAULT_CONFIG);
        assert_ptr_equal(f.code, code);
        assert_int_equal(out.size, 0);
}

static void what_is_no_file_is_refused(void **state) {
        struct place *p = *state;
        struct object_id commit;

        write_example(p, &commit);
        assert_no_file(p, &commit, "apps/shop/app.yaml", 5, -EFBIG, REASON_LOAD_LIMIT);
        assert_no_file(p, &commit, "nothing", 99, -ENOENT, NULL);
        assert_no_file(p, &commit, "fleet.yaml/x", 99, -ENOENT, NULL);
        assert_no_file(p, &commit, "link/x", 99, -ENOENT, NULL);
        assert_no_file(p, &commit, "../fleet.yaml", 99, -ENOENT, NULL);
        assert_no_file(p, &commit, "/fleet.yaml", 99, -ENOENT, NULL);
        assert_no_file(p, &commit, "apps", 99, -EINVAL, REASON_LOAD_INVALID);
        assert_no_file(p, &commit, "link", 99, -EINVAL, REASON_LOAD_INVALID);
        assert_no_file(p, &commit, "sub", 99, -EINVAL, REASON_LOAD_INVALID);
}

static void a_listing_is_sorted_and_shows_links_and_submodules(void **state) {
        static const struct {
                const char *path;
                enum object_mode mode;
        } expected[] = {
                { "apps/shop/app.yaml", OBJECT_MODE_EXECUTABLE },
                { "apps/shop0", OBJECT_MODE_FILE },
                { "fleet.yaml", OBJECT_MODE_FILE },
                { "link", OBJECT_MODE_LINK },
                { "sub", OBJECT_MODE_SUBMODULE },
        };
        struct place *p = *state;
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT, h = FAULT_INIT;
        struct mirror_listing listing;
        struct object_id commit;

        write_example(p, &commit);
        assert_int_equal(mirror_list(p->mirror, &commit, "", 5, a, &listing, &f), 0);
        assert_int_equal(listing.n, 5);
        for (size_t i = 0; i < 5; i++) {
                assert_string_equal(listing.items[i].path, expected[i].path);
                assert_int_equal(listing.items[i].mode, expected[i].mode);
        }
        assert_int_equal(mirror_list(p->mirror, &commit, "apps/shop", 5, a, &listing, &f), 0);
        assert_int_equal(listing.n, 1);
        assert_string_equal(listing.items[0].path, "apps/shop/app.yaml");
        assert_int_equal(mirror_list(p->mirror, &commit, "nothing", 5, a, &listing, &f), 0);
        assert_int_equal(listing.n, 0);

        assert_int_equal(mirror_list(p->mirror, &commit, "", 4, a, &listing, &g), -EFBIG);
        assert_ptr_equal(g.code, REASON_LOAD_LIMIT);
        assert_int_equal(mirror_list(p->mirror, &commit, "fleet.yaml", 4, a, &listing, &h), -EINVAL);
}

static void a_tree_that_is_too_deep_or_has_bad_names_is_refused(void **state) {
        struct place *p = *state;
        own_arena struct arena *a = arena_new();
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        own_buffer struct buffer bad = BUFFER_INIT;
        struct mirror_listing listing;
        struct object_id id, commit;

        write_raw(p, GIT_OBJECT_BLOB, "x", 1, &id);
        put_entry(&bad, "100644 back\\slash", &id);
        write_tree(p, &bad, &id);
        write_commit(p, &id, &commit);
        assert_int_equal(mirror_list(p->mirror, &commit, "", 9, a, &listing, &f), -EINVAL);
        assert_ptr_equal(f.code, REASON_LOAD_INVALID);

        for (unsigned i = 0; i < LIMIT_TREE_DEPTH + 1; i++) {
                own_buffer struct buffer tree = BUFFER_INIT;

                put_entry(&tree, i == 0 ? "100644 f" : "40000 d", &id);
                write_tree(p, &tree, &id);
        }
        write_commit(p, &id, &commit);
        assert_int_equal(mirror_list(p->mirror, &commit, "", 9, a, &listing, &g), -EFBIG);
        assert_ptr_equal(g.code, REASON_LOAD_LIMIT);
}

static void objects_are_read_with_type_and_limit(void **state) {
        struct place *p = *state;
        own_fault struct fault type = FAULT_INIT, limit = FAULT_INIT, missing = FAULT_INIT, none = FAULT_INIT;
        own_buffer struct buffer out = BUFFER_INIT;
        struct object_reader reader = mirror_reader(p->mirror);
        struct object_id blob, zero = { .raw = { 0 } };
        const void *bytes;
        size_t size;

        write_raw(p, GIT_OBJECT_BLOB, "hello", 5, &blob);
        assert_int_equal(mirror_read(p->mirror, &blob, OBJECT_BLOB, 5, &out, &none), 0);
        assert_string_equal(buffer_str(&out), "hello");
        assert_int_equal(reader.read(reader.data, &blob, OBJECT_BLOB, 5, &bytes, &size, &none), 0);
        assert_int_equal(size, 5);
        assert_memory_equal(bytes, "hello", 5);

        assert_int_equal(mirror_read(p->mirror, &blob, OBJECT_COMMIT, 5, &out, &type), -EINVAL);
        assert_ptr_equal(type.code, REASON_TRUST_BAD_OBJECT);
        assert_int_equal(mirror_read(p->mirror, &blob, OBJECT_BLOB, 4, &out, &limit), -EFBIG);
        assert_ptr_equal(limit.code, REASON_LOAD_LIMIT);
        assert_int_equal(mirror_read(p->mirror, &zero, OBJECT_BLOB, 4, &out, &missing), -ENOENT);
        assert_ptr_equal(missing.code, REASON_TRUST_MISSING_OBJECT);
}

/* The loose object's file holds another object's bytes: its name does not say the truth. */
static void bytes_with_another_hash_are_refused_and_the_mirror_is_made_anew(void **state) {
        struct place *p = *state;
        own_fault struct fault f = FAULT_INIT;
        own_buffer struct buffer out = BUFFER_INIT;
        struct object_id good, evil;
        char broken[MIRROR_NAME_MAX], hex[OBJECT_ID_TEXT_MAX], from[256], to[256];

        write_raw(p, GIT_OBJECT_BLOB, "good", 4, &good);
        write_raw(p, GIT_OBJECT_BLOB, "evil", 4, &evil);
        mirror_free(take(p->mirror));
        (void)object_id_format(&evil, hex);
        (void)snprintf(from, sizeof(from), "%s/desired.git/objects/%.2s/%s", p->dir, hex, hex + 2);
        (void)object_id_format(&good, hex);
        (void)snprintf(to, sizeof(to), "%s/desired.git/objects/%.2s/%s", p->dir, hex, hex + 2);
        assert_int_equal(rename(from, to), 0);

        open_mirror(p, NULL);
        assert_int_equal(mirror_read(p->mirror, &good, OBJECT_BLOB, 99, &out, &f), -EIO);
        assert_ptr_equal(f.code, REASON_TRUST_BAD_OBJECT);
        mirror_free(take(p->mirror));
        open_mirror(p, broken);
        assert_non_null(str_after(broken, "desired.git.broken-"));
        assert_false(mirror_has(p->mirror, &good));
        mirror_free(take(p->mirror));
        open_mirror(p, broken);
        assert_string_equal(broken, "");
}

static void assert_healed(struct place *p, const char *file, const char *text) {
        char broken[MIRROR_NAME_MAX];

        put(p, file, text);
        mirror_free(take(p->mirror));
        open_mirror(p, broken);
        if (!broken[0])
                fail_msg("%s was not noticed", file);
}

static unsigned count_broken(const struct place *p) {
        DIR *dir = opendir(p->dir);
        unsigned n = 0;

        assert_non_null(dir);
        for (const struct dirent *e; (e = readdir(dir));)
                n += strstr(e->d_name, ".broken-") != NULL;
        (void)closedir(dir);
        return n;
}

static void every_kind_of_damage_heals_and_only_the_newest_is_kept(void **state) {
        struct place *p = *state;

        assert_healed(p, "HEAD", "garbage");
        assert_healed(p, "HEAD", "");
        assert_healed(p, "config", "[core\n");
        assert_healed(p, "shallow", "1111111111111111111111111111111111111111\n");
        assert_healed(p, "objects/info/alternates", "/elsewhere\n");
        assert_healed(
                p, "packed-refs",
                "1111111111111111111111111111111111111111 refs/replace/2222222222222222222222222222222222222222\n");
        assert_healed(p, "packed-refs", "1111111111111111111111111111111111111111 " REF "\n");
        assert_int_equal(count_broken(p), 1);
}

static void a_torn_ref_is_noticed_when_it_is_read(void **state) {
        struct place *p = *state;
        own_fault struct fault f = FAULT_INIT;
        char broken[MIRROR_NAME_MAX];
        struct object_id id;

        put(p, "refs/heads/torn", "111");
        assert_int_equal(mirror_ref(p->mirror, "refs/heads/torn", &id, &f), -EUCLEAN);
        assert_ptr_equal(f.code, REASON_STATE_CORRUPT);
        mirror_free(take(p->mirror));
        open_mirror(p, broken);
        assert_true(broken[0]);
}

static void a_file_or_half_a_folder_in_its_place_heals_too(void **state) {
        struct place *p = *state;
        char path[256], broken[MIRROR_NAME_MAX];
        own_fault struct fault f = FAULT_INIT;

        mirror_free(take(p->mirror));
        (void)snprintf(path, sizeof(path), "%s/desired.git/objects", p->dir);
        temporary_remove(path);
        open_mirror(p, broken);
        assert_true(broken[0]);

        mirror_free(take(p->mirror));
        (void)snprintf(path, sizeof(path), "%s/desired.git", p->dir);
        temporary_remove(path);
        assert_int_equal(file_write(AT_FDCWD, path, "x", 1, 0600, &f), 0);
        open_mirror(p, broken);
        assert_true(broken[0]);
}

static void what_is_kept_is_never_set_aside_by_itself(void **state) {
        struct place *p = *state;
        own_fault struct fault corrupt = FAULT_INIT, shallow = FAULT_INIT, none = FAULT_INIT;
        char broken[MIRROR_NAME_MAX];

        mirror_free(take(p->mirror));
        put(p, "shallow", "1111111111111111111111111111111111111111\n");
        assert_true(mirror_open_kept(p->dir, "desired.git", &p->mirror, &shallow) < 0);
        assert_ptr_equal(shallow.code, REASON_TRUST_SHALLOW);
        put(p, "shallow", "");
        assert_int_equal(mirror_open_kept(p->dir, "desired.git", &p->mirror, &none), 0);
        mirror_free(take(p->mirror));
        put(p, "HEAD", "garbage");
        assert_int_equal(mirror_open_kept(p->dir, "desired.git", &p->mirror, &corrupt), -EUCLEAN);
        assert_ptr_equal(corrupt.code, REASON_STATE_CORRUPT);
        assert_int_equal(count_broken(p), 0);
        assert_int_equal(mirror_set_aside(p->dir, "desired.git", broken, &none), 0);
        assert_int_equal(mirror_open_kept(p->dir, "desired.git", &p->mirror, &none), 0);
        assert_int_equal(count_broken(p), 1);
}

static void borrowed_and_replaced_objects_are_found(void **state) {
        struct place *p = *state;
        own_fault struct fault none = FAULT_INIT, replaced = FAULT_INIT, grafts = FAULT_INIT;
        struct object_id commit;

        write_example(p, &commit);
        assert_int_equal(mirror_check(p->mirror, &none), 0);
        assert_int_equal(mirror_set_ref(p->mirror, "refs/replace/1111111111111111111111111111111111111111", &commit,
                                        &none),
                         0);
        assert_true(mirror_check(p->mirror, &replaced) < 0);
        assert_int_equal(replaced.kind, FAULT_DENIED);
        assert_ptr_equal(replaced.code, REASON_TRUST_SHALLOW);
        put(p, "info/grafts", "1111111111111111111111111111111111111111\n");
        assert_true(mirror_check(p->mirror, &grafts) < 0);
        assert_ptr_equal(grafts.code, REASON_TRUST_SHALLOW);
}

static void refs_move_by_compare_and_swap_past_a_stale_lock(void **state) {
        struct place *p = *state;
        own_fault struct fault none = FAULT_INIT, there = FAULT_INIT, moved = FAULT_INIT, absent = FAULT_INIT;
        struct object_id commit, other, got;
        own_buffer struct buffer tree = BUFFER_INIT;

        write_example(p, &commit);
        write_tree(p, &tree, &got);
        write_commit(p, &got, &other);
        assert_int_equal(mirror_ref(p->mirror, REF, &got, &absent), -ENOENT);
        assert_int_equal(mirror_swap_ref(p->mirror, REF, NULL, &commit, &none), 0);
        assert_int_equal(mirror_swap_ref(p->mirror, REF, NULL, &other, &there), -EAGAIN);
        assert_int_equal(there.kind, FAULT_CONFLICT);
        assert_int_equal(mirror_swap_ref(p->mirror, REF, &other, &commit, &moved), -EAGAIN);
        put(p, REF ".lock", "");
        assert_int_equal(mirror_swap_ref(p->mirror, REF, &commit, &other, &none), 0);
        put(p, REF ".lock", "");
        assert_int_equal(mirror_set_ref(p->mirror, REF, &commit, &none), 0);
        assert_int_equal(mirror_ref(p->mirror, REF, &got, &none), 0);
        assert_memory_equal(&got, &commit, sizeof(got));
}

static void a_state_folder_that_cannot_be_made_is_a_fault(void **state) {
        struct mirror *m = NULL;
        own_fault struct fault f = FAULT_INIT;

        (void)state;
        assert_true(mirror_open("/proc/nowhere", "desired.git", &m, NULL, &f) < 0);
        assert_null(m);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_ptr_equal(f.code, REASON_STATE_UNWRITABLE);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_read_by_path, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_listing_is_sorted_and_shows_links_and_submodules, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tree_that_is_too_deep_or_has_bad_names_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_are_read_with_type_and_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_with_another_hash_are_refused_and_the_mirror_is_made_anew, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_kind_of_damage_heals_and_only_the_newest_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_ref_is_noticed_when_it_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_or_half_a_folder_in_its_place_heals_too, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_kept_is_never_set_aside_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(borrowed_and_replaced_objects_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(refs_move_by_compare_and_swap_past_a_stale_lock, setup, teardown),
        cmocka_unit_test(a_state_folder_that_cannot_be_made_is_a_fault),
};

TEST_GROUP(mirror, tests);
