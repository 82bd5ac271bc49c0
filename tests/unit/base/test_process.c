/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/process.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

#define SECOND 1000000000

static const char *const *shell(const char *script) {
        static const char *argv[4];

        argv[0] = "sh";
        argv[1] = "-c";
        argv[2] = script;
        argv[3] = NULL;
        return argv;
}

/* Run a script that must succeed in running, and show what it printed. */
static void assert_prints(const char *script, const char *out) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(process_run(&(struct process_request){ .argv = shell(script) }, &result, &f), 0);
        assert_string_equal(buffer_str(&result.out), out);
        assert_string_equal(buffer_str(&result.err), "");
        assert_int_equal(result.exit_code, 0);
}

static int open_descriptors(void) {
        DIR *dir = opendir("/proc/self/fd");
        int n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        (void)closedir(dir);
        return n;
}

static void output_error_and_exit_code_are_kept_apart(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        struct process_request req = { .argv = shell("echo out; echo err >&2; exit 7") };

        assert_int_equal(process_run(&req, &result, &f), 0);
        assert_int_equal(result.exit_code, 7);
        assert_string_equal(buffer_str(&result.out), "out\n");
        assert_string_equal(buffer_str(&result.err), "err\n");
}

static void a_signal_is_128_and_its_number(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;

        assert_int_equal(process_run(&(struct process_request){ .argv = shell("kill -TERM $$") }, &result, &f), 0);
        assert_int_equal(result.exit_code, 128 + SIGTERM);
}

static void input_reaches_the_child_whole(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        static char input[900000];
        struct process_request req = { .argv = (const char *const[]){ "cat", NULL },
                                       .input = input,
                                       .input_size = sizeof(input) };

        for (size_t i = 0; i < sizeof(input); i++)
                input[i] = (char)(i * 7 % 251);
        assert_int_equal(process_run(&req, &result, &f), 0); /* more than both pipes hold: no dead-lock */
        assert_int_equal(result.out.size, sizeof(input));
        assert_memory_equal(result.out.data, input, sizeof(input));
}

static void a_child_that_ignores_its_input_does_not_kill_us(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        static char input[900000];
        struct process_request req = { .argv = shell("exec <&-; echo done"),
                                       .input = input,
                                       .input_size = sizeof(input) };

        (void)signal(SIGPIPE, SIG_DFL);
        assert_int_equal(process_run(&req, &result, &f), 0);
        assert_string_equal(buffer_str(&result.out), "done\n");
}

static void without_input_stdin_is_at_its_end(void **state) {
        assert_prints("cat; readlink /proc/self/fd/0", "/dev/null\n");
}

static void an_empty_input_is_not_dev_null(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        struct process_request req = { .argv = shell("cat; readlink /proc/self/fd/0"), .input = "" };

        assert_int_equal(process_run(&req, &result, &f), 0);
        assert_non_null(strstr(buffer_str(&result.out), "memfd"));
}

static void the_environment_is_only_what_was_given(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        struct process_request req = {
                .argv = (const char *const[]){ "env", NULL },
                .envp = (const char *const[]){ "A=1", "B=x y", NULL },
        };

        assert_int_equal(setenv("TALLY_TEST_SECRET", "1", 1), 0);
        assert_int_equal(process_run(&req, &result, &f), 0);
        assert_string_equal(buffer_str(&result.out), "A=1\nB=x y\n");
        process_result_done(&result);

        req.envp = NULL;
        assert_int_equal(process_run(&req, &result, &f), 0);
        assert_non_null(str_after(buffer_str(&result.out), "PATH="));
        assert_true(str_ends_with(buffer_str(&result.out), "\nLANG=C\n"));
        assert_null(strstr(buffer_str(&result.out), "SECRET"));
}

static void a_missing_program_is_a_fault_with_a_hint(void **state) {
        struct process_result result = { .exit_code = 77 };
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        int before = open_descriptors();
        struct process_request req = { .argv = (const char *const[]){ "tally-no-such-program", NULL } };

        assert_int_equal(process_run(&req, &result, &f), -ENOENT);
        assert_int_equal(f.kind, FAULT_TRANSIENT);
        assert_non_null(strstr(f.message, "'tally-no-such-program'"));
        assert_non_null(f.hint);
        req.argv = (const char *const[]){ "/dev/null", NULL };
        assert_int_equal(process_run(&req, &result, &g), -EACCES);
        assert_int_equal(result.exit_code, 77); /* untouched */
        assert_int_equal(open_descriptors(), before);
}

static void arguments_are_not_a_shell_s(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        struct process_request req = {
                .argv = (const char *const[]){ "printf", "%s|", "$HOME; echo x", "a b", NULL },
        };

        assert_int_equal(process_run(&req, &result, &f), 0);
        assert_string_equal(buffer_str(&result.out), "$HOME; echo x|a b|");
}

/* True once nothing runs under that pid. */
static bool is_gone(pid_t pid) {
        for (int i = 0; i < 200; i++) {
                if (kill(pid, 0) < 0 && errno == ESRCH)
                        return true;
                clock_sleep_ms(10);
        }
        return false;
}

/* The pid that a script wrote into @path. */
static pid_t pid_in(const char *path) {
        own_file FILE *file = fopen(path, "re");
        int pid = 0;

        assert_non_null(file);
        assert_int_equal(fscanf(file, "%d", &pid), 1);
        return pid;
}

static void at_the_time_out_the_whole_group_is_killed(void **state) {
        char path[] = "/tmp/tally-test-process-XXXXXX", script[160];
        struct process_result result = { .exit_code = 77 };
        own_fault struct fault f = FAULT_INIT;
        int64_t start = clock_monotonic_ns();
        int fd = mkstemp(path), before, r;
        pid_t grandchild;

        assert_true(fd >= 0);
        (void)close(fd);
        before = open_descriptors();
        (void)snprintf(script, sizeof(script), "trap '' TERM; sleep 60 & echo $! > %s; wait", path);
        r = process_run(&(struct process_request){ .argv = shell(script), .timeout_ms = 300 }, &result, &f);
        assert_int_equal(r, -ETIMEDOUT);
        assert_non_null(strstr(f.message, "300 ms"));
        assert_true(clock_monotonic_ns() - start < (int64_t)20 * SECOND);
        grandchild = pid_in(path);
        assert_int_equal(unlink(path), 0);
        assert_true(is_gone(grandchild));
        assert_int_equal(result.exit_code, 77);
        assert_int_equal(open_descriptors(), before);
}

static void a_child_that_closed_its_pipes_is_timed_out_too(void **state) {
        struct process_result result;
        own_fault struct fault f = FAULT_INIT;
        struct process_request req = { .argv = shell("exec >&- 2>&-; sleep 60"), .timeout_ms = 200 };

        assert_int_equal(process_run(&req, &result, &f), -ETIMEDOUT);
}

static void what_a_child_leaves_in_the_background_does_not_hold_us_up(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        int64_t start = clock_monotonic_ns();
        uint64_t pid = 0;
        struct process_request req = { .argv = shell("sleep 60 & echo $!") };

        assert_int_equal(process_run(&req, &result, &f), 0);
        assert_true(clock_monotonic_ns() - start < (int64_t)20 * SECOND);
        result.out.data[result.out.size - 1] = '\0';
        assert_int_equal(parse_u64(result.out.data, &pid), 0);
        assert_true(is_gone((pid_t)pid));
}

static void a_child_that_says_too_much_is_stopped(void **state) {
        struct process_result result;
        own_fault struct fault f = FAULT_INIT, g = FAULT_INIT;
        int before = open_descriptors();
        struct process_request req = { .argv = (const char *const[]){ "yes", NULL }, .output_limit = 1000 };

        assert_int_equal(process_run(&req, &result, &f), -EFBIG);
        assert_non_null(strstr(f.message, "standard output: more than 1000 bytes"));
        req = (struct process_request){ .argv = shell("exec yes >&2") };
        assert_int_equal(process_run(&req, &result, &g), -EFBIG);
        assert_non_null(strstr(g.message, "standard error: more than 1048576 bytes"));
        assert_int_equal(open_descriptors(), before);
}

static void exactly_the_limit_is_not_too_much(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        struct process_request req = { .argv = shell("printf 12345; printf 12345 >&2"), .output_limit = 5 };

        assert_int_equal(process_run(&req, &result, &f), 0);
        assert_string_equal(buffer_str(&result.out), "12345");
        assert_string_equal(buffer_str(&result.err), "12345");
}

static void the_child_inherits_no_descriptor_and_no_signal_state(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        own_fd int leaky = open("/dev/null", O_RDONLY); /* as one that whoever started us forgot */
        unsigned long long blocked = 1, ignored = 1;
        sigset_t all, before;
        int n = 0, r;
        /* ls itself holds the folder that it lists; a shell that waits has signals blocked of its own. */
        struct process_request req = {
                .argv = shell("set -- $(ls /proc/self/fd); echo $#; exec cat /proc/self/status"),
        };

        assert_true(leaky >= 0);
        (void)sigfillset(&all);
        assert_int_equal(sigprocmask(SIG_BLOCK, &all, &before), 0);
        (void)signal(SIGPIPE, SIG_IGN);
        r = process_run(&req, &result, &f);
        (void)signal(SIGPIPE, SIG_DFL);
        assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);

        assert_int_equal(r, 0);
        assert_int_equal(sscanf(buffer_str(&result.out), "%d", &n), 1);
        assert_int_equal(n, 4);
        assert_int_equal(sscanf(strstr(buffer_str(&result.out), "\nSigBlk:"), "\nSigBlk: %llx", &blocked), 1);
        assert_int_equal(sscanf(strstr(buffer_str(&result.out), "\nSigIgn:"), "\nSigIgn: %llx", &ignored), 1);
        assert_int_equal(blocked, 0);
        assert_int_equal(ignored & 0x7fffffff, 0); /* 32 and 33 are the C library's own */
}

static void it_has_a_process_group_of_its_own(void **state) {
        assert_prints("read -r pid name st ppid pgrp rest < /proc/self/stat; [ $pgrp = $$ ] && echo own", "own\n");
}

static void it_works_when_our_own_stdio_is_closed(void **state) {
        own_process_result struct process_result result = { 0 };
        own_fault struct fault f = FAULT_INIT;
        int saved[3], r;
        struct process_request req = { .argv = shell("cat; echo err >&2"), .input = "in", .input_size = 2 };

        for (int i = 0; i < 3; i++) {
                saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
                (void)close(i);
        }
        r = process_run(&req, &result, &f);
        for (int i = 0; i < 3; i++) {
                if (saved[i] >= 0)
                        (void)dup2(saved[i], i);
                (void)close(saved[i]);
        }
        assert_int_equal(r, 0);
        assert_string_equal(buffer_str(&result.out), "in");
        assert_string_equal(buffer_str(&result.err), "err\n");
}

static void many_runs_leave_no_descriptor_behind(void **state) {
        int before = open_descriptors();

        for (int i = 0; i < 20; i++)
                assert_prints("echo x", "x\n");
        assert_int_equal(open_descriptors(), before);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_error_and_exit_code_are_kept_apart),
        cmocka_unit_test(a_signal_is_128_and_its_number),
        cmocka_unit_test(input_reaches_the_child_whole),
        cmocka_unit_test(a_child_that_ignores_its_input_does_not_kill_us),
        cmocka_unit_test(without_input_stdin_is_at_its_end),
        cmocka_unit_test(an_empty_input_is_not_dev_null),
        cmocka_unit_test(the_environment_is_only_what_was_given),
        cmocka_unit_test(a_missing_program_is_a_fault_with_a_hint),
        cmocka_unit_test(arguments_are_not_a_shell_s),
        cmocka_unit_test(at_the_time_out_the_whole_group_is_killed),
        cmocka_unit_test(a_child_that_closed_its_pipes_is_timed_out_too),
        cmocka_unit_test(what_a_child_leaves_in_the_background_does_not_hold_us_up),
        cmocka_unit_test(a_child_that_says_too_much_is_stopped),
        cmocka_unit_test(exactly_the_limit_is_not_too_much),
        cmocka_unit_test(the_child_inherits_no_descriptor_and_no_signal_state),
        cmocka_unit_test(it_has_a_process_group_of_its_own),
        cmocka_unit_test(it_works_when_our_own_stdio_is_closed),
        cmocka_unit_test(many_runs_leave_no_descriptor_behind),
};

TEST_GROUP(process, tests);
