/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/tallyd/footprint.h"
#include "reconciler/tallyd/worker.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"
#include "tests/lib/group.h"

/* Everything that a shell script says on descriptor 3, and how it ended. */
static int run(const char *script, char *said, size_t room) {
        const char *argv[] = { "sh", "-c", script, NULL };
        struct worker w = WORKER_INIT;
        size_t used = 0;
        int status = 0;
        ssize_t n;

        assert_int_equal(worker_start(argv, &w, NULL), 0);
        assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
        while (used + 1 < room && (n = read(w.next_fd, said + used, room - 1 - used)) > 0)
                used += (size_t)n;
        said[used] = '\0';
        w.pid = 0; /* reaped */
        worker_done(&w);
        assert_int_equal(w.next_fd, -1);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void it_speaks_on_descriptor_3_and_its_end_is_seen(void **state) {
        char said[64];

        assert_int_equal(run("echo next_ms=5 >&3; exit 4", said, sizeof(said)), 4);
        assert_string_equal(said, "next_ms=5\n");
}

static void it_has_no_other_descriptor_and_no_input(void **state) {
        int open_too = dup(STDERR_FILENO); /* on purpose not close-on-exec */
        char said[256];

        assert_int_equal(run("cd /proc/self/fd; for fd in *; do [ -e $fd ] && printf '%s ' $fd; done >&3; cat >&3",
                             said, sizeof(said)),
                         0);
        /* the shell itself opens the folder or its script as a descriptor from 10 on */
        assert_non_null(str_after(said, "0 1 "));
        assert_non_null(strstr(said, "2 3 "));
        for (int fd = 4; fd < 10; fd++) {
                char text[8];

                (void)snprintf(text, sizeof(text), " %d ", fd);
                assert_null(strstr(said, text));
        }
        (void)close(open_too);
}

static void it_does_not_get_what_is_between_the_service_manager_and_us(void **state) {
        char said[512];

        (void)setenv("NOTIFY_SOCKET", "/nowhere", 1);
        (void)setenv("WATCHDOG_USEC", "1", 1);
        (void)setenv("TALLY_TEST", "kept", 1);
        assert_int_equal(run("echo \"$NOTIFY_SOCKET|$WATCHDOG_USEC|$TALLY_TEST\" >&3", said, sizeof(said)), 0);
        assert_string_equal(said, "||kept\n");
        (void)unsetenv("NOTIFY_SOCKET");
        (void)unsetenv("WATCHDOG_USEC");
}

static void signals_are_as_in_a_fresh_process(void **state) {
        char said[512];
        sigset_t set, before;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &set, &before);
        (void)signal(SIGPIPE, SIG_IGN);
        assert_int_equal(run("kill -TERM $$; exit 0", said, sizeof(said)), 128 + SIGTERM);
        assert_int_equal(run("kill -PIPE $$; exit 0", said, sizeof(said)), 128 + SIGPIPE);
        (void)signal(SIGPIPE, SIG_DFL);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

static void what_cannot_run_is_a_fault_and_leaves_nothing(void **state) {
        static const char *const programs[] = { "/nonexistent/tally", "no-such-program-anywhere", "/etc/passwd" };

        for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
                const char *argv[] = { programs[i], NULL };
                own_fault struct fault fault = FAULT_INIT;
                struct worker w = WORKER_INIT;

                assert_int_equal(worker_start(argv, &w, &fault), i == 2 ? -EACCES : -ENOENT);
                assert_int_equal(fault.kind, FAULT_TRANSIENT);
                assert_non_null(strstr(fault.message, programs[i]));
                assert_int_equal(w.pid, 0);
                assert_int_equal(w.next_fd, -1);
                assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child of any kind */
                assert_int_equal(errno, ECHILD);
        }
}

static void a_signal_reaches_the_whole_group(void **state) {
        const char *argv[] = { "sh", "-c", "sleep 600 & echo $! >&3; wait", NULL };
        struct worker w = WORKER_INIT;
        char said[32] = "";
        int status = 0;

        assert_int_equal(worker_start(argv, &w, NULL), 0);
        assert_int_equal(getpgid(w.pid), w.pid);
        for (int i = 0; i < 500 && read(w.next_fd, said, sizeof(said) - 1) <= 0; i++)
                (void)usleep(10000);
        assert_true(said[0] >= '1' && said[0] <= '9');
        worker_signal(&w, SIGKILL);
        assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
        assert_int_equal(WTERMSIG(status), SIGKILL);
        /* The pipe ends only when the sleeper is gone, too. */
        for (int i = 0; i < 500; i++) {
                if (read(w.next_fd, said, sizeof(said)) == 0)
                        break;
                assert_int_equal(errno, EAGAIN);
                assert_true(i < 499);
                (void)usleep(10000);
        }
        w.pid = 0;
        worker_done(&w);
}

static void memory_given_back_is_there_again_when_it_is_needed(void **state) {
        char said[64];
        const char *text = said;

        footprint_shrink();
        assert_int_equal(run("echo status=ok >&3", said, sizeof(said)), 0);
        footprint_shrink();
        assert_string_equal(text, "status=ok\n");
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_speaks_on_descriptor_3_and_its_end_is_seen),
        cmocka_unit_test(it_has_no_other_descriptor_and_no_input),
        cmocka_unit_test(it_does_not_get_what_is_between_the_service_manager_and_us),
        cmocka_unit_test(signals_are_as_in_a_fresh_process),
        cmocka_unit_test(what_cannot_run_is_a_fault_and_leaves_nothing),
        cmocka_unit_test(a_signal_reaches_the_whole_group),
        cmocka_unit_test(memory_given_back_is_there_again_when_it_is_needed),
};

TEST_GROUP(worker, tests);
