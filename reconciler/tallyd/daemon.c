/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/tallyd/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "reconciler/journal/message.h"
#include "reconciler/tallyd/footprint.h"
#include "reconciler/tallyd/next.h"
#include "reconciler/tallyd/schedule.h"
#include "reconciler/tallyd/supervisor.h"
#include "reconciler/tallyd/worker.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

DEFINE_OWN(struct sd_event_source, sd_event_source_disable_unref)

struct daemon {
        const struct options *options;
        const char *program;
        sd_event *loop;
        sd_event_source *poll;     /* CLOCK_BOOTTIME: what was due while suspended is due on waking */
        sd_event_source *deadline; /* CLOCK_MONOTONIC: a worker does not run while suspended */
        sd_event_source *child;    /* NULL: no worker */
        sd_event_source *pipe;     /* NULL: nothing more to be heard */
        enum supervisor_state state;
        struct schedule schedule;
        struct worker worker;
        struct next next;
        int64_t limit_ms;
        uint64_t started_us; /* CLOCK_MONOTONIC, of the worker */
        int exit_code;       /* of the worker that ended last */
        bool shrink;         /* a pass has ended since we last gave memory back */
};

static void daemon_done(struct daemon *d) {
        sd_event_source_disable_unref_p(&d->pipe);
        sd_event_source_disable_unref_p(&d->child);
        sd_event_source_disable_unref_p(&d->deadline);
        sd_event_source_disable_unref_p(&d->poll);
        worker_done(&d->worker);
        d->loop = sd_event_unref(d->loop);
}

#define own_daemon __attribute__((cleanup(daemon_done)))

static int cannot(int r, const char *what, struct fault *reterr) {
        return fault_set(reterr, FAULT_INTERNAL, -r, "cannot %s", what);
}

/*
 * Timers
 */

static int arm(sd_event_source *timer, uint64_t at_us, uint64_t accuracy_us) {
        int r;

        r = sd_event_source_set_time(timer, at_us);
        if (r >= 0)
                r = sd_event_source_set_time_accuracy(timer, accuracy_us);
        if (r >= 0)
                r = sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
        return r < 0 ? r : 0;
}

static int arm_in(struct daemon *d, sd_event_source *timer, clockid_t clock, int64_t delay_ms, int64_t accuracy_ms) {
        uint64_t now_us = 0;
        int r;

        r = sd_event_now(d->loop, clock, &now_us);
        return r < 0 ? r : arm(timer, now_us + (uint64_t)delay_ms * 1000, (uint64_t)accuracy_ms * 1000);
}

/* A deadline need not be met to the millisecond, and two timers at nearly the same time are one wake-up. */
static int arm_deadline(struct daemon *d, int64_t delay_ms) {
        return arm_in(d, d->deadline, CLOCK_MONOTONIC, delay_ms, 50);
}

/* From the worker's start, whenever it names its limit. */
static int arm_limit(struct daemon *d) {
        return arm(d->deadline, d->started_us + (uint64_t)d->limit_ms * 1000, 50 * 1000);
}

static uint32_t dice(void) {
        uint32_t v;

        if (getrandom(&v, sizeof(v), GRND_NONBLOCK) == (ssize_t)sizeof(v))
                return v;
        return (uint32_t)clock_monotonic_ns(); /* early at boot; spreading polls asks for no more */
}

/*
 * What the worker says
 */

static void take_what_was_said(struct daemon *d) {
        int64_t cap = d->options->limit_ms;

        if (d->next.poll_ms != NEXT_UNSAID)
                d->schedule.poll_ms = d->next.poll_ms;
        if (d->next.limit_ms != NEXT_UNSAID)
                d->limit_ms = cap > 0 && cap < d->next.limit_ms ? cap : d->next.limit_ms;
}

static void not_understood(struct fault *fault) {
        log_warning("%s; the rest of what it says is ignored", fault->message ? fault->message : "out of memory");
}

/* Take what is there now. False at the pipe's end. */
static bool hear(struct daemon *d) {
        own_fault struct fault fault = FAULT_INIT;
        char chunk[512];
        ssize_t n;

        for (;;) {
                n = read(d->worker.next_fd, chunk, sizeof(chunk));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 && errno == EAGAIN;
                if (next_feed(&d->next, chunk, (size_t)n, &fault) < 0)
                        not_understood(&fault);
        }
}

static int on_pipe(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct daemon *d = userdata;
        int64_t limit_ms = d->limit_ms;
        bool more = hear(d);

        take_what_was_said(d);
        if (d->next.status[0])
                (void)sd_notifyf(0, "STATUS=%s", d->next.status);
        if (!more)
                sd_event_source_disable_unref_p(&d->pipe);
        /* Once it was told to end, the deadline is no longer its limit. */
        if (limit_ms != d->limit_ms && (d->state == SUPERVISOR_RUNNING || d->state == SUPERVISOR_AGAIN))
                return arm_limit(d);
        return 0;
}

/*
 * Effects
 */

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata);

static int start_worker(struct daemon *d, struct fault *reterr) {
        const char *argv[8];
        size_t n = 0;
        int r;

        argv[n++] = d->program;
        if (d->options->config) {
                argv[n++] = "--config";
                argv[n++] = d->options->config;
        }
        argv[n++] = "pass";
        argv[n++] = "--next-fd";
        argv[n++] = WORKER_NEXT_FD_TEXT;
        argv[n] = NULL;

        r = worker_start(argv, &d->worker, reterr);
        if (r < 0)
                return r;
        r = sd_event_add_child(d->loop, &d->child, d->worker.pid, WEXITED, on_child, d);
        if (r >= 0)
                r = sd_event_add_io(d->loop, &d->pipe, d->worker.next_fd, EPOLLIN, on_pipe, d);
        /* What it said last is heard before its end is seen. */
        if (r >= 0)
                r = sd_event_source_set_priority(d->child, SD_EVENT_PRIORITY_NORMAL + 1);
        return r < 0 ? cannot(r, "watch the worker", reterr) : 0;
}

/* What an effect returns, beside 0 and -errno, when there is no worker after it: handle() takes that for its end. */
#define NOT_STARTED 1

static int do_start(struct daemon *d) {
        own_fault struct fault fault = FAULT_INIT;
        int r;

        next_clear(&d->next);
        r = sd_event_source_set_enabled(d->poll, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = start_worker(d, &fault);
        if (r < 0 && d->worker.pid > 0)
                return r;
        if (r < 0) {
                own_free char *text = fault_to_string(&fault);

                d->exit_code = -1;
                log_error("%s", text ? text : "cannot run the worker");
                return NOT_STARTED;
        }
        r = sd_event_now(d->loop, CLOCK_MONOTONIC, &d->started_us);
        if (r < 0)
                return r;
        (void)sd_notify(0, "STATUS=A pass is running");
        return arm_limit(d);
}

/* The worker's own messages said what is wrong; this one says what we make of it. */
static void log_outcome(const struct daemon *d, enum outcome outcome, const char *delay) {
        char code[16], failures[16];

        if (outcome == OUTCOME_GOOD) {
                log_debug("the pass ended with exit code %d, the next one is in %s", d->exit_code, delay);
                return;
        }
        if (d->exit_code < 0)
                (void)snprintf(code, sizeof(code), "not started");
        else
                (void)snprintf(code, sizeof(code), "%d", d->exit_code);
        (void)snprintf(failures, sizeof(failures), "%u", d->schedule.failures);
        log_write(LOG_LEVEL_WARNING,
                  LOG_FIELDS({ "MESSAGE_ID", outcome == OUTCOME_FAILED ? MESSAGE_PASS_FAILED : MESSAGE_PASS_LOST },
                             { "TALLY_EXIT", code }, { "TALLY_FAILURES", failures }, { "TALLY_NEXT", delay }),
                  "the pass %s (exit code %s, %s in a row), the next one is in %s",
                  outcome == OUTCOME_FAILED ? "failed" : "did not come to its end", code, failures, delay);
}

static int do_arm(struct daemon *d) {
        enum outcome outcome = outcome_of_exit(d->exit_code);
        struct wait wait = schedule_after(&d->schedule, outcome, d->next.next_ms, dice());
        char delay[DURATION_TEXT_MAX];

        /* Whole seconds are what people read. */
        (void)format_duration(wait.delay_ms < 1000 ? wait.delay_ms : wait.delay_ms / 1000 * 1000, delay);
        log_outcome(d, outcome, delay);
        if (outcome != OUTCOME_GOOD)
                (void)sd_notifyf(0, "STATUS=%s%sThe pass %s, the next one is in %s", d->next.status,
                                 d->next.status[0] ? ". " : "",
                                 outcome == OUTCOME_FAILED ? "failed" : "did not come to its end", delay);
        else
                (void)sd_notifyf(0, "STATUS=%s", d->next.status[0] ? d->next.status : "Waiting for the next pass");
        d->shrink = true;
        return arm_in(d, d->poll, CLOCK_BOOTTIME, wait.delay_ms, wait.accuracy_ms);
}

static int do_grace(struct daemon *d) {
        log_info("stopping; the worker has %lld s to end", (long long)(DAEMON_GRACE_MS / 1000));
        return arm_deadline(d, DAEMON_GRACE_MS);
}

static int do_terminate(struct daemon *d) {
        if (!supervisor_is_stopping(d->state))
                log_warning("the pass is over its limit of %lld ms and is ended", (long long)d->limit_ms);
        worker_signal(&d->worker, SIGTERM);
        return arm_deadline(d, DAEMON_LAST_WORDS_MS);
}

static int do_kill(struct daemon *d) {
        log_warning("the worker does not end and is killed");
        worker_signal(&d->worker, SIGKILL);
        return 0;
}

static int do_quit(struct daemon *d) {
        return sd_event_exit(d->loop, 0);
}

static int do_nothing(struct daemon *d) {
        return 0;
}

static int (*const effects[SUPERVISOR_EFFECT_MAX_])(struct daemon *d) = {
        [SUPERVISOR_NOTHING] = do_nothing, [SUPERVISOR_START] = do_start,         [SUPERVISOR_ARM] = do_arm,
        [SUPERVISOR_GRACE] = do_grace,     [SUPERVISOR_TERMINATE] = do_terminate, [SUPERVISOR_KILL] = do_kill,
        [SUPERVISOR_QUIT] = do_quit,
};

/* One event, and the end of a worker that could not even start. What fails here ends the loop, and tallyd. */
static int handle(struct daemon *d, enum supervisor_event event) {
        int r;

        do {
                struct supervisor_step step = supervisor_step(d->state, event);
                bool stops = supervisor_is_stopping(step.next) && !supervisor_is_stopping(d->state);

                log_debug("%s: %s, now %s", supervisor_event_to_string(event), supervisor_state_to_string(d->state),
                          supervisor_state_to_string(step.next));
                d->state = step.next;
                if (stops)
                        (void)sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
                r = effects[step.effect](d);
                event = SUPERVISOR_EXIT;
        } while (r == NOT_STARTED);
        return r;
}

/*
 * Events
 */

static int on_poll(sd_event_source *source, uint64_t usec, void *userdata) {
        return handle(userdata, SUPERVISOR_TIMER);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        return handle(userdata, SUPERVISOR_DEADLINE);
}

static int on_trigger(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        return handle(userdata, SUPERVISOR_TRIGGER);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        return handle(userdata, SUPERVISOR_STOP);
}

/* sd-event reaps the child after this, so its group's id is still its own here. */
static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata) {
        struct daemon *d = userdata;
        own_fault struct fault fault = FAULT_INIT;
        int r;

        if (d->pipe) {
                (void)hear(d);
                sd_event_source_disable_unref_p(&d->pipe);
        }
        if (next_end(&d->next, &fault) < 0)
                not_understood(&fault);
        take_what_was_said(d);
        d->exit_code = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
        worker_done(&d->worker);
        sd_event_source_disable_unref_p(&d->child);
        r = sd_event_source_set_enabled(d->deadline, SD_EVENT_OFF);
        return r < 0 ? r : handle(d, SUPERVISOR_EXIT);
}

/*
 * The loop
 */

static const struct watched_signal {
        int number;
        sd_event_signal_handler_t handler;
} watched_signals[] = {
        { SIGHUP, on_trigger },
        { SIGTERM, on_stop },
        { SIGINT, on_stop },
};

/* A reader of our messages that goes away must not take us along. */
int daemon_block_signals(struct fault *reterr) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        for (size_t i = 0; i < sizeof(watched_signals) / sizeof(*watched_signals); i++)
                (void)sigaddset(&set, watched_signals[i].number);
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return cannot(-errno, "block signals", reterr);
        return 0;
}

static int add_sources(struct daemon *d) {
        int r;

        r = sd_event_add_time(d->loop, &d->poll, CLOCK_BOOTTIME, 0, 0, on_poll, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->poll, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(d->loop, &d->deadline, CLOCK_MONOTONIC, 0, 0, on_deadline, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->deadline, SD_EVENT_OFF);
        for (size_t i = 0; r >= 0 && i < sizeof(watched_signals) / sizeof(*watched_signals); i++)
                r = sd_event_add_signal(d->loop, NULL, watched_signals[i].number, watched_signals[i].handler, d);
        if (r >= 0)
                r = sd_event_set_watchdog(d->loop, 1);
        return r;
}

/* sd_event_loop(), which after a pass gives memory back as the last thing before it waits. */
static int loop(struct daemon *d) {
        int r = 0;

        while (r >= 0 && sd_event_get_state(d->loop) != SD_EVENT_FINISHED) {
                r = sd_event_prepare(d->loop);
                if (r == 0) {
                        if (d->shrink)
                                footprint_shrink();
                        d->shrink = false;
                        r = sd_event_wait(d->loop, UINT64_MAX);
                }
                if (r > 0)
                        r = sd_event_dispatch(d->loop);
        }
        return r;
}

int daemon_run(const struct options *options, const char *worker, struct fault *reterr) {
        own_daemon struct daemon d = {
                .options = options,
                .program = worker,
                .schedule = SCHEDULE_INIT,
                .worker = WORKER_INIT,
                .limit_ms = options->limit_ms ? options->limit_ms : DAEMON_LIMIT_MS,
        };
        int r;

        r = sd_event_new(&d.loop);
        if (r >= 0)
                r = add_sources(&d);
        if (r < 0)
                return cannot(r, "set the event loop up", reterr);

        log_write(LOG_LEVEL_NOTICE, LOG_FIELDS({ "MESSAGE_ID", MESSAGE_TALLYD_STARTED }),
                  "tallyd %s has started, its worker is %s", PROJECT_VERSION, worker);
        (void)sd_notify(0, "READY=1");
        r = handle(&d, SUPERVISOR_TIMER);
        if (r >= 0)
                r = loop(&d);
        if (r < 0)
                return cannot(r, "go on", reterr);
        log_write(LOG_LEVEL_NOTICE, LOG_FIELDS({ "MESSAGE_ID", MESSAGE_TALLYD_STOPPED }), "tallyd has stopped");
        return 0;
}
