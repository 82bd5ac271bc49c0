/* SPDX-License-Identifier: Apache-2.0 */

/* Exec: run a command in a container that is ours, and wait for its end (Docker Engine API, Exec) */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/exec_stream.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/data/json.h"

/* For everything but the command itself. */
#define CALL_TIMEOUT_MS 10000
#define END_POLL_MS     10
#define PROC_BYTES      (64 * 1024)

struct exec {
        struct docker *docker;
        const char *container;
        char *id;         /* owned */
        int64_t until_ns; /* for the command */
};

static void exec_done(struct exec *x) {
        free(x->id);
}
#define own_exec __attribute__((cleanup(exec_done)))

static int left_ms(const struct exec *x) {
        int64_t left = (x->until_ns - clock_monotonic_ns()) / 1000000;

        return left > 1 ? (int)left : 1;
}

/*
 * Its beginning
 */

static int exec_create(struct exec *x, const json_t *command, bool attached, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_json json_t *body = json_pack("{sb sb sb sO}", "AttachStdout", attached, "AttachStderr", attached, "Tty",
                                          false, "Cmd", command);
        const char *id;
        int r;

        if (!body)
                return fault_set_oom(reterr);
        r = container_post(x->docker, x->container, "exec", body, CALL_TIMEOUT_MS, &reply, reterr);
        if (r < 0)
                return r;
        if (!engine_reply_is_ok(&reply))
                return engine_refused(&reply, NULL, "the engine refuses the command", reterr);
        id = json_get_string(reply.json, "Id");
        if (!engine_id_is_valid(id))
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "the engine gives the command no id");
        x->id = strdup(id);
        return x->id ? 0 : fault_set_oom(reterr);
}

static int exec_start(struct exec *x, bool attached, struct exec_stream *stream, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        own_json json_t *body = json_pack("{sb sb}", "Detach", !attached, "Tty", false);
        struct engine_request request = { .method = "POST",
                                          .body = body,
                                          .timeout_ms = attached ? left_ms(x) : CALL_TIMEOUT_MS };
        int r;

        if (!body)
                return fault_set_oom(reterr);
        buffer_printf(&path, "/exec/%s/start", x->id);
        request.path = buffer_str(&path);
        request.sink = exec_stream_feed;
        request.userdata = stream;
        r = engine_call(x->docker->engine, &request, &reply, reterr);
        if (r < 0 || engine_reply_is_ok(&reply))
                return r;
        return engine_refused(&reply, NULL, "the engine cannot run the command", reterr);
}

/*
 * Its end
 */

struct outcome {
        bool running;
        int64_t code, pid;
};

static int exec_inspect(struct exec *x, struct outcome *ret, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_buffer struct buffer path = BUFFER_INIT;
        int r;

        buffer_printf(&path, "/exec/%s/json", x->id);
        r = engine_call(x->docker->engine,
                        &(struct engine_request){ .path = buffer_str(&path), .timeout_ms = CALL_TIMEOUT_MS }, &reply,
                        reterr);
        if (r < 0)
                return r;
        if (!engine_reply_is_ok(&reply))
                return engine_refused(&reply, NULL, "the engine does not know how the command ended", reterr);
        *ret = (struct outcome){
                .running = json_get_bool(reply.json, "Running", true) ||
                           !json_is_integer(json_object_get(reply.json, "ExitCode")),
                .code = json_get_integer(reply.json, "ExitCode", 0),
                .pid = json_get_integer(reply.json, "Pid", 0),
        };
        return 0;
}

/* The engine closes the stream a little before it knows the exit code. */
static int exec_await(struct exec *x, struct outcome *ret, struct fault *reterr) {
        for (;;) {
                int r = exec_inspect(x, ret, reterr);

                if (r < 0 || !ret->running)
                        return r;
                if (clock_monotonic_ns() >= x->until_ns)
                        return fault_set(reterr, FAULT_TRANSIENT, ETIMEDOUT, "it has not ended in time");
                clock_sleep_ms(END_POLL_MS);
        }
}

/*
 * What does not end. The engine has no call to end it, so each check that hangs would leave a process more in the
 * container.
 */

static bool read_proc(int64_t pid, const char *name, struct buffer *out) {
        own_fault struct fault ignored = FAULT_INIT;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%lld/%s", (long long)pid, name);
        return file_read(AT_FDCWD, path, PROC_BYTES, out, &ignored) == 0;
}

/*
 * runc makes it the leader of a session, so its children end with it. The descriptor is opened before it is asked whose
 * the process is.
 */
static bool kill_from_host(const struct exec *x, int64_t pid) {
        own_buffer struct buffer cgroup = BUFFER_INIT;
        own_fd int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

        if (fd < 0 || !read_proc(pid, "cgroup", &cgroup) || !strstr(buffer_str(&cgroup), x->container))
                return false;
        if (getpgid((pid_t)pid) == (pid_t)pid && kill(-(pid_t)pid, SIGKILL) == 0)
                return true;
        return syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
}

/* "NSpid:	4711	7": its number in the innermost namespace, which is the container's. */
static int64_t pid_inside(int64_t pid) {
        own_buffer struct buffer status = BUFFER_INIT;
        const char *line = read_proc(pid, "status", &status) ? strstr(buffer_str(&status), "\nNSpid:") : NULL;
        const char *end, *begin;
        long long inside = 0;

        if (!line)
                return 0;
        end = line + 1 + strcspn(line + 1, "\n");
        for (begin = end; begin > line && begin[-1] >= '0' && begin[-1] <= '9';)
                begin--;
        return begin < end && sscanf(begin, "%lld", &inside) == 1 ? inside : 0;
}

/* Who may use the engine's socket may not signal the engine's processes; a shell in the container may. */
static void kill_from_inside(const struct exec *x, int64_t pid) {
        own_fault struct fault ignored = FAULT_INIT;
        own_exec struct exec killer = { .docker = x->docker, .container = x->container };
        struct exec_stream nothing = EXEC_STREAM_INIT;
        own_json json_t *command = NULL;
        int64_t inside = pid_inside(pid);
        char text[100];

        if (inside <= 1)
                return;
        (void)snprintf(text, sizeof(text), "kill -9 -- -%lld 2>/dev/null || kill -9 %lld", (long long)inside,
                       (long long)inside);
        command = json_pack("[sss]", "sh", "-c", text);
        if (command && exec_create(&killer, command, false, &ignored) == 0)
                (void)exec_start(&killer, false, &nothing, &ignored);
}

static void exec_kill(struct exec *x) {
        own_fault struct fault ignored = FAULT_INIT;
        struct outcome now;

        if (exec_inspect(x, &now, &ignored) < 0 || !now.running || now.pid <= 1)
                return;
        if (!kill_from_host(x, now.pid))
                kill_from_inside(x, now.pid);
}

static int exec_run(struct exec *x, struct exec_stream *stream, struct outcome *ret, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        int r = exec_start(x, true, stream, &why);

        if (r == 0)
                r = exec_await(x, ret, &why);
        if (r == -ETIMEDOUT) {
                exec_kill(x);
                return fault_set(reterr, FAULT_TRANSIENT, ETIMEDOUT, "it has not ended in time");
        }
        if (r < 0)
                fault_move(reterr, &why);
        return r;
}

int docker_exec(struct runtime *rt, const struct instance *instance, const struct string_list *argv, int timeout_ms,
                struct arena *a, int64_t *ret_exit_code, const char **ret_output, struct fault *reterr) {
        own_container struct container c = { .json = NULL };
        struct docker *d = docker_of(rt);
        own_exec struct exec x = { .docker = d };
        struct exec_stream stream = EXEC_STREAM_INIT;
        own_json json_t *command = json_array();
        struct outcome outcome;
        int r;

        r = container_open(d, instance->id, &c, reterr);
        if (r < 0)
                return r;
        if (!c.json)
                return fault_set(reterr, FAULT_CONFLICT, ENOENT, "container %.12s is gone", instance->id);
        if (!json_get_bool(c.state, "Running", false) || json_get_bool(c.state, "Paused", false))
                return fault_set(reterr, FAULT_CONFLICT, EAGAIN, "it is not running");
        for (size_t i = 0; i < argv->n; i++)
                json_array_append_new(command, json_string(argv->items[i].text));
        if (json_array_size(command) != argv->n)
                return fault_set_oom(reterr);
        x.container = json_get_string(c.json, "Id"); /* in full, as its cgroup has it */
        if (!engine_id_is_valid(x.container))
                return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "the engine tells no id of container %.12s",
                                 instance->id);
        r = exec_create(&x, command, true, reterr);
        if (r < 0)
                return r;
        x.until_ns = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
        r = exec_run(&x, &stream, &outcome, reterr);
        if (r < 0)
                return r;
        *ret_exit_code = outcome.code;
        *ret_output = exec_stream_text(&stream, a);
        return 0;
}
