/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/workers.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

#define WORKERS_MAX 32

struct table {
        const struct worker_job *work;
        enum worker_state *states;
        bool failed;
        pthread_mutex_t lock; /* of states and failed */
        pthread_cond_t moved;
};

struct worker {
        struct table *table;
        void *tool;
        pthread_t thread;
};

static bool is_free(const struct table *t, size_t item) {
        for (size_t i = 0; i < item; i++)
                if (t->states[i] != WORKER_DONE && t->work->follows(t->work->data, item, i))
                        return false;
        return true;
}

/* The first item that may be begun; n: none now. *ret_over: none ever. */
static size_t next_item(const struct table *t, bool *ret_over) {
        bool waiting = false;

        *ret_over = false;
        for (size_t i = 0; i < t->work->n && !t->failed; i++) {
                if (t->states[i] != WORKER_WAITING)
                        continue;
                waiting = true;
                if (is_free(t, i))
                        return i;
        }
        *ret_over = !waiting;
        return t->work->n;
}

static void *work(void *data) {
        struct worker *worker = data;
        struct table *t = worker->table;
        bool over = false;

        pthread_mutex_lock(&t->lock);
        while (!over) {
                size_t item = next_item(t, &over);
                int r;

                if (item == t->work->n) {
                        /*
                         * Somebody works on what is waited for: the first item that is not done follows nothing that is
                         * not.
                         */
                        if (!over)
                                pthread_cond_wait(&t->moved, &t->lock);
                        continue;
                }
                t->states[item] = WORKER_RUNNING;
                pthread_mutex_unlock(&t->lock);
                r = t->work->run(t->work->data, item, worker->tool);
                pthread_mutex_lock(&t->lock);
                t->states[item] = r < 0 ? WORKER_FAILED : WORKER_DONE;
                t->failed = t->failed || r < 0;
                pthread_cond_broadcast(&t->moved);
        }
        pthread_mutex_unlock(&t->lock);
        return NULL;
}

void workers_run(const struct worker_job *w, void *const *tools, size_t n_workers, enum worker_state *states) {
        struct table table = {
                .work = w, .states = states, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER
        };
        struct worker workers[WORKERS_MAX];
        size_t started = 1;
        sigset_t all, before;

        assert(n_workers >= 1 && n_workers <= WORKERS_MAX);
        for (size_t i = 0; i < w->n; i++)
                states[i] = WORKER_WAITING;
        workers[0] = (struct worker){ .table = &table, .tool = tools[0] };
        /* Signals are for the caller's thread. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (; started < n_workers && started < w->n; started++) {
                workers[started] = (struct worker){ .table = &table, .tool = tools[started] };
                if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
                        break;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        work(&workers[0]);
        for (size_t i = 1; i < started; i++)
                pthread_join(workers[i].thread, NULL);
        pthread_cond_destroy(&table.moved);
        pthread_mutex_destroy(&table.lock);
}
