/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/group.h"
#include "tests/unit/providers/routes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "providers/routers/activate.h"

struct place {
        char dir[64];
        struct activation at;
};

static int setup(void **state) {
        struct place *p = calloc(1, sizeof(*p));

        assert_non_null(p);
        (void)snprintf(p->dir, sizeof(p->dir), "/tmp/tally.XXXXXX");
        assert_non_null(mkdtemp(p->dir));
        p->at = (struct activation){ .folder = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                     .name = "tally_shop.conf" };
        *state = p;
        return 0;
}

static int teardown(void **state) {
        struct place *p = *state;

        (void)unlinkat(p->at.folder, "tally_shop.conf", 0);
        (void)unlinkat(p->at.folder, "tally_shop.conf.old", 0);
        (void)close(p->at.folder);
        assert_int_equal(rmdir(p->dir), 0); /* nothing else was left */
        free(p);
        return 0;
}

static void put(struct place *p, const char *text) {
        own_fault struct fault fault = FAULT_INIT;

        routes_fine(activate_put(&p->at, text, text ? strlen(text) : 0, &fault), &fault);
}

static void revert(struct place *p) {
        own_fault struct fault fault = FAULT_INIT;

        routes_fine(activate_revert(&p->at, &fault), &fault);
}

static void keep(struct place *p) {
        own_fault struct fault fault = FAULT_INIT;

        routes_fine(activate_keep(&p->at, &fault), &fault);
}

/* NULL: there is no file. */
static void expect(struct place *p, const char *text) {
        own_buffer struct buffer there = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        bool is;

        routes_fine(activate_read(&p->at, &there, &is, &fault), &fault);
        assert_int_equal(is, text != NULL);
        if (text)
                assert_string_equal(buffer_str(&there), text);
}

static void what_was_before_comes_back(void **state) {
        struct place *p = *state;

        put(p, "one");
        expect(p, "one");
        assert_true(activate_is_cut_short(&p->at));
        revert(p);
        expect(p, NULL);
        assert_false(activate_is_cut_short(&p->at));
        put(p, "one");
        keep(p);
        put(p, "two");
        expect(p, "two");
        revert(p);
        expect(p, "one");
        put(p, NULL);
        expect(p, NULL);
        revert(p);
        expect(p, "one");
        revert(p);
        expect(p, "one");
}

static void what_was_never_kept_is_reverted_first(void **state) {
        struct place *p = *state;

        put(p, "one");
        keep(p);
        put(p, "two");
        put(p, "three"); /* two was never kept: before is one */
        expect(p, "three");
        revert(p);
        expect(p, "one");
}

/* Ended between the link and the write: both names are one file. */
static void cut_short_before_the_write_is_harmless(void **state) {
        struct place *p = *state;

        put(p, "one");
        keep(p);
        assert_int_equal(linkat(p->at.folder, "tally_shop.conf", p->at.folder, "tally_shop.conf.old", 0), 0);
        revert(p);
        expect(p, "one");
        assert_false(activate_is_cut_short(&p->at));
}

static struct string_list words(struct text_at *items, size_t n) {
        return (struct string_list){ .items = items, .n = n };
}

static void commands_say_what_they_print(void **state) {
        struct text_at says[] = {
                { .text = "sh" },
                { .text = "-c" },
                { .text = "echo one >&2; echo '[NOTICE] x' >&2; printf 'two\\nthr\\033ee\\n'; exit 3" }
        };
        static const char *const usual[] = { "sh", "-c", "exit 7", NULL };
        own_buffer struct buffer said = BUFFER_INIT, nothing = BUFFER_INIT;
        own_fault struct fault fault = FAULT_INIT;
        const struct string_list argv = words(says, 3), none = { .n = 0 };
        int code;

        routes_fine(activate_command(&argv, usual, &code, &said, &fault), &fault);
        assert_int_equal(code, 3);
        assert_string_equal(buffer_str(&said), "one; two; thr?ee");
        routes_fine(activate_command(&none, usual, &code, &nothing, &fault), &fault);
        assert_int_equal(code, 7);
        says[0].text = "/nowhere/at/all";
        assert_true(activate_command(&argv, usual, &code, &said, &fault) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static const struct CMUnitTest tests[] = {
        TEST(what_was_before_comes_back),
        TEST(what_was_never_kept_is_reverted_first),
        TEST(cut_short_before_the_write_is_harmless),
        TEST(commands_say_what_they_print),
};

TEST_GROUP(activate, tests);
