/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/pass/beside.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

#define HANDS_MAX 32

struct table {
        const struct beside_work *work;
        enum beside_state *states;
        bool failed;
        pthread_mutex_t lock;   /* of states and failed */
        pthread_cond_t moved;
};

struct seat {
        struct table *table;
        void *hand;
        pthread_t thread;
};

static bool is_free(const struct table *t, size_t item) {
        for (size_t i = 0; i < item; i++)
                if (t->states[i] != BESIDE_DONE && t->work->follows(t->work->data, item, i))
                        return false;
        return true;
}

/* The first item that may be begun; n: none now. *ret_over: none ever. */
static size_t next_item(const struct table *t, bool *ret_over) {
        bool waiting = false;

        *ret_over = false;
        for (size_t i = 0; i < t->work->n && !t->failed; i++) {
                if (t->states[i] != BESIDE_WAITING)
                        continue;
                waiting = true;
                if (is_free(t, i))
                        return i;
        }
        *ret_over = !waiting;
        return t->work->n;
}

static void *work(void *data) {
        struct seat *seat = data;
        struct table *t = seat->table;
        bool over = false;

        pthread_mutex_lock(&t->lock);
        while (!over) {
                size_t item = next_item(t, &over);
                int r;

                if (item == t->work->n) {
                        /* Somebody works on what is waited for: the first item that is not done follows nothing that is not. */
                        if (!over)
                                pthread_cond_wait(&t->moved, &t->lock);
                        continue;
                }
                t->states[item] = BESIDE_RUNNING;
                pthread_mutex_unlock(&t->lock);
                r = t->work->run(t->work->data, item, seat->hand);
                pthread_mutex_lock(&t->lock);
                t->states[item] = r < 0 ? BESIDE_FAILED : BESIDE_DONE;
                t->failed = t->failed || r < 0;
                pthread_cond_broadcast(&t->moved);
        }
        pthread_mutex_unlock(&t->lock);
        return NULL;
}

void beside_run(const struct beside_work *w, void *const *hands, size_t n_hands, enum beside_state *states) {
        struct table table = { .work = w, .states = states, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
        struct seat seats[HANDS_MAX];
        size_t started = 1;
        sigset_t all, before;

        assert(n_hands >= 1 && n_hands <= HANDS_MAX);
        for (size_t i = 0; i < w->n; i++)
                states[i] = BESIDE_WAITING;
        seats[0] = (struct seat){ .table = &table, .hand = hands[0] };
        /* Signals are for the caller's thread. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (; started < n_hands && started < w->n; started++) {
                seats[started] = (struct seat){ .table = &table, .hand = hands[started] };
                if (pthread_create(&seats[started].thread, NULL, work, &seats[started]) != 0)
                        break;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        work(&seats[0]);
        for (size_t i = 1; i < started; i++)
                pthread_join(seats[i].thread, NULL);
        pthread_cond_destroy(&table.moved);
        pthread_mutex_destroy(&table.lock);
}
