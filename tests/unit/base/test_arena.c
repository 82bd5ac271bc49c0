/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/arena.h"
#include "tests/lib/group.h"

static void blocks_are_zeroed_aligned_and_apart(void **state) {
        own_arena struct arena *a = arena_new();
        unsigned char *before = NULL;

        for (size_t size = 0; size < 3000; size += 7) {
                unsigned char *p = arena_alloc(a, size);

                assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
                for (size_t i = 0; i < size; i++)
                        assert_int_equal(p[i], 0);
                memset(p, 0xaa, size);
                assert_ptr_not_equal(p, before);
                before = p;
        }
}

static void a_big_block_does_not_waste_the_chunk_in_use(void **state) {
        own_arena struct arena *a = arena_new();
        char *small = arena_strdup(a, "small");
        unsigned char *big = arena_alloc(a, 8 * 1024 * 1024);
        char *next = arena_strdup(a, "next");

        big[0] = big[8 * 1024 * 1024 - 1] = 1;
        assert_string_equal(small, "small");
        assert_string_equal(next, "next");
        assert_true(next > small && next < small + 256); /* right after it, not in a chunk of its own */
}

static void used_counts_what_was_handed_out(void **state) {
        own_arena struct arena *a = arena_new();

        assert_int_equal(arena_used(a), 0);
        (void)arena_alloc(a, 100);
        assert_true(arena_used(a) >= 100 && arena_used(a) < 200);
}

static void strings_are_copied(void **state) {
        own_arena struct arena *a = arena_new();
        char text[] = "text";
        char *copy = arena_strdup(a, text), *part = arena_strndup(a, "ab\0cd", 5);

        text[0] = 'n';
        assert_string_equal(copy, "text");
        assert_memory_equal(part, "ab\0cd\0", 6);
        assert_null(arena_strdup(a, NULL));
        assert_string_equal(arena_strndup(a, NULL, 0), "");
        assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
        assert_string_equal(arena_printf(a, "%s", ""), "");
}

static void a_list_grows_and_keeps_its_elements(void **state) {
        own_arena struct arena *a = arena_new();
        uint64_t *items = NULL;
        size_t n = 0;

        for (uint64_t i = 0; i < 10000; i++) {
                uint64_t *item = arena_push(a, &items, &n, sizeof(*items));

                assert_int_equal(*item, 0);
                *item = i;
        }
        assert_int_equal(n, 10000);
        for (uint64_t i = 0; i < n; i++)
                assert_int_equal(items[i], i);
        assert_true(arena_used(a) < 4 * 10000 * sizeof(*items)); /* amortised: not a copy for each push */
}

static void an_array_may_be_pushed_to(void **state) {
        own_arena struct arena *a = arena_new();

        for (size_t size = 1; size < 20; size++) {
                int *items = arena_array(a, size, sizeof(*items));
                char *guard = arena_strdup(a, "guard");
                size_t n = size;

                for (int i = 0; i < 40; i++)
                        *(int *)arena_push(a, &items, &n, sizeof(*items)) = -1;
                assert_string_equal(guard, "guard");
                for (size_t i = 0; i < size; i++)
                        assert_int_equal(items[i], 0);
        }
}

static void an_element_pushed_again_is_zeroed(void **state) {
        own_arena struct arena *a = arena_new();
        int *items = NULL;
        size_t n = 0;

        *(int *)arena_push(a, &items, &n, sizeof(*items)) = 1;
        *(int *)arena_push(a, &items, &n, sizeof(*items)) = 2;
        n = 1;
        assert_int_equal(*(int *)arena_push(a, &items, &n, sizeof(*items)), 0);
        assert_int_equal(items[0], 1);
}

static void an_overflowing_array_aborts(void **state) {
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                struct arena *a;

                (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
                (void)signal(SIGABRT, SIG_DFL);
                a = arena_new();
                _exit(arena_array(a, SIZE_MAX / 8, 16) ? 1 : 2);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void free_accepts_null(void **state) {
        own_arena struct arena *nothing = NULL;

        arena_free(nothing);
        assert_null(nothing);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_zeroed_aligned_and_apart),
        cmocka_unit_test(a_big_block_does_not_waste_the_chunk_in_use),
        cmocka_unit_test(used_counts_what_was_handed_out),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(a_list_grows_and_keeps_its_elements),
        cmocka_unit_test(an_array_may_be_pushed_to),
        cmocka_unit_test(an_element_pushed_again_is_zeroed),
        cmocka_unit_test(an_overflowing_array_aborts),
        cmocka_unit_test(free_accepts_null),
};

TEST_GROUP(arena, tests);
