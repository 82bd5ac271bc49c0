/* SPDX-License-Identifier: Apache-2.0 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reconciler/pass/context.h"
#include "shared/base/clock.h"
#include "tests/lib/group.h"

#define CHECKS 4

/*
 * A server that answers nobody until all have asked, and the exec of a runtime that ends when all have begun
 */

static struct {
        int listener, port;
        int come;   /* atomic */
        bool hands; /* whether the runtime has more of them */
        int open;
} rig;

static void *serve(void *data) {
        static const char answer[] = "HTTP/1.0 204 Fine\r\n\r\n";
        int clients[CHECKS];
        char asked[1024];

        for (int i = 0; i < CHECKS; i++)
                clients[i] = accept(rig.listener, NULL, NULL);
        for (int i = 0; i < CHECKS; i++) {
                (void)!read(clients[i], asked, sizeof(asked));
                (void)!write(clients[i], answer, sizeof(answer) - 1);
                close(clients[i]);
        }
        return NULL;
}

static int meeting_exec(struct runtime *rt, const struct instance *instance, const struct string_list *argv,
                        int timeout_ms, struct arena *a, int64_t *ret_exit_code, const char **ret_output,
                        struct fault *reterr) {
        int64_t until = clock_monotonic_ns() / 1000000 + (rig.hands ? 10000 : 20);

        __atomic_add_fetch(&rig.come, 1, __ATOMIC_SEQ_CST);
        while (clock_monotonic_ns() / 1000000 < until && __atomic_load_n(&rig.come, __ATOMIC_SEQ_CST) < CHECKS)
                clock_sleep_ms(5);
        *ret_exit_code = __atomic_load_n(&rig.come, __ATOMIC_SEQ_CST) < CHECKS;
        *ret_output = arena_strdup(a, argv->items[0].text);
        return 0;
}

static void give_back(struct runtime *rt) {
        rig.open--;
        free(rt);
}
static int another(struct runtime *rt, struct runtime **ret, struct fault *reterr) {
        *ret = calloc(1, sizeof(**ret));
        (*ret)->ops = rt->ops;
        rig.open++;
        return 0;
}

static const struct runtime_ops serial_ops = { .name = "serial", .close = give_back, .exec = meeting_exec };
static const struct runtime_ops side_ops = {
        .name = "side", .close = give_back, .exec = meeting_exec, .clone = another
};

static int setup(void **state) {
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(at);

        rig.come = rig.open = 0;
        rig.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(rig.listener, (struct sockaddr *)&at, size), 0);
        assert_int_equal(listen(rig.listener, CHECKS), 0);
        assert_int_equal(getsockname(rig.listener, (struct sockaddr *)&at, &size), 0);
        rig.port = ntohs(at.sin_port);
        return 0;
}
static int teardown(void **state) {
        close(rig.listener);
        return 0;
}

/* The facts of as many checks like @check as there are, named "a" to "d", of one instance. */
static struct check_fact *make_all(const struct runtime_ops *ops, struct check check, struct arena *a) {
        static const char *const names[CHECKS] = { "a", "b", "c", "d" };
        struct runtime runtime = { .ops = ops };
        struct instance *instance = arena_new_of(a, struct instance);
        const struct probe_target about = { .runtime = &runtime, .app = "shop", .release = "new" };
        struct struct_list facts = { .items = NULL };
        struct check_due due[CHECKS];
        struct check *checks = arena_array(a, CHECKS, sizeof(*checks));

        *instance =
                (struct instance){ .id = "i1", .service = "web", .state = INSTANCE_RUNNING, .address = "127.0.0.1" };
        for (int i = 0; i < CHECKS; i++) {
                checks[i] = check;
                checks[i].name.text = names[i];
                checks[i].timeout_ms = 15000;
                due[i] = (struct check_due){ .check = &checks[i], .instance = instance };
        }
        pass_make_checks(due, CHECKS, &about, a, &facts);
        assert_int_equal(facts.n, CHECKS);
        for (int i = 0; i < CHECKS; i++)
                assert_string_equal(((struct check_fact *)facts.items)[i].check, names[i]);
        return facts.items;
}

static void those_of_a_round_wait_for_none_of_each_other(void **state) {
        own_arena struct arena *a = arena_new();
        const struct check_http http = { .port = rig.port, .path = "/", .status = 204 };
        const struct check_fact *facts;
        pthread_t server;

        assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
        facts = make_all(&serial_ops, (struct check){ .http = &http }, a);
        for (int i = 0; i < CHECKS; i++)
                assert_int_equal(facts[i].verdict, CHECK_PASS);
        assert_int_equal(pthread_join(server, NULL), 0);
}

static const struct check_exec *command(struct arena *a) {
        struct check_exec *exec = arena_new_of(a, struct check_exec);
        struct text_at *word = arena_push(a, &exec->command.items, &exec->command.n, sizeof(*word));

        word->text = "said";
        exec->output = true;
        return exec;
}

static void commands_have_a_hand_each(void **state) {
        own_arena struct arena *a = arena_new();
        const struct check_fact *facts;

        rig.hands = true;
        facts = make_all(&side_ops, (struct check){ .exec = command(a) }, a);
        for (int i = 0; i < CHECKS; i++) {
                assert_int_equal(facts[i].verdict, CHECK_PASS);
                assert_string_equal(facts[i].detail, "exit code 0: said");
        }
        assert_int_equal(rig.open, 0);
}

static void a_runtime_with_one_hand_runs_one_command_at_a_time(void **state) {
        own_arena struct arena *a = arena_new();
        const struct check_fact *facts;

        rig.hands = false;
        facts = make_all(&serial_ops, (struct check){ .exec = command(a) }, a);
        /* Only the last one sees that all have come. */
        for (int i = 0; i < CHECKS; i++)
                assert_int_equal(facts[i].verdict, i == CHECKS - 1 ? CHECK_PASS : CHECK_FAIL);
}

static void a_round_without_checks_has_no_facts(void **state) {
        own_arena struct arena *a = arena_new();
        const struct probe_target about = { .app = "shop" };
        struct struct_list facts = { .items = NULL };

        pass_make_checks(NULL, 0, &about, a, &facts);
        assert_int_equal(facts.n, 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_of_a_round_wait_for_none_of_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(commands_have_a_hand_each, setup, teardown),
        cmocka_unit_test_setup_teardown(a_runtime_with_one_hand_runs_one_command_at_a_time, setup, teardown),
        cmocka_unit_test(a_round_without_checks_has_no_facts),
};

TEST_GROUP(check, tests);
