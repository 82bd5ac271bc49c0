/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runtimes: the only code that talks to Docker, Compose, Nomad or ECS
 *
 * A runtime is a `static const struct runtime_ops` plus a private struct whose first member is `struct runtime`. It
 * does not log, does not retry a decision, does not judge: it renders, observes and carries out. Contract, held to by
 * tests/conformance on every runtime, the fake one included:
 *
 *   - render() and check() are pure.
 *   - observe() has no side effects and costs one list call when nothing of ours needs a closer look.
 *   - Every effect is idempotent: doing it twice equals doing it once; being killed at any instant leaves nothing that
 *     the next observe() cannot see.
 *   - Nothing that does not carry this host's labels is ever stopped, changed or removed. A name that is taken by
 *     somebody else is FAULT_DENIED with code RESOURCE_FOREIGN.
 *   - Progress (NULL: none) is told for people only.
 */

#include "shared/base/cleanup.h"
#include "shared/base/fault.h"
#include "shared/compose/compose.h"
#include "shared/model/instance.h"
#include "shared/model/workload.h"

#define RUNTIME_ABI 1u

struct runtime;

/* What a runtime needs to know of the host. Borrowed for the runtime's life. */
struct runtime_settings {
        const char *host;            /* label tallyman.host */
        const char *environment;     /* label tallyman.environment */
        const char *endpoint;        /* docker: "unix:///run/docker.sock" */
        const char *registry_config; /* docker: path of a config.json with credentials; NULL: none */
        /* absolute path of the folder where mounted files are materialised: <state>/files */
        const char *files;
};

/*
 * Told while something takes long: "pull", "registry.example/shop/web@sha256:…", 1234, 99999 (bytes; total 0: unknown).
 */
struct progress {
        void (*tell)(void *data, const char *what, const char *subject, int64_t done, int64_t total);
        void *data;
};

/* An image of a release that was proven here before the settled one. */
struct runtime_image {
        const char *image; /* repository@sha256:… */
        int64_t at;        /* wall ms: until when its release served */
};

/* What collect() leaves alone. */
struct runtime_keep {
        const struct workload *workloads; /* running, settled, declared: all that they need stays, whatever it takes */
        size_t n_workloads;
        /* newest first: they stay as far as the budget goes, the oldest goes first */
        const struct runtime_image *older;
        size_t n_older;
        int64_t budget; /* bytes that the images which we brought may take together; 0: no limit */
};

struct runtime_ops {
        /* Always RUNTIME_ABI. First, and never moved. */
        unsigned abi;

        /* How app.yaml names it: lower case, stable for ever. */
        const char *name;

        /* Required. Allocate; does not connect yet. */
        int (*open)(const struct runtime_settings *settings, struct runtime **ret, struct fault *reterr);

        /* Required. Accepts a half-opened runtime. Must not fail. */
        void (*close)(struct runtime *rt);

        /*
         * Optional; when absent one thing is done after the other. Another one like @rt, closed like it, for a thread
         * of its own: create(), start(), stop(), remove() and exec() may be called on all of them at a time. What @rt
         * learnt so far it need not ask again.
         */
        int (*clone)(struct runtime *rt, struct runtime **ret, struct fault *reterr);

        /*
         * Required. Pure: make the workload of an app from its compose model with every image pinned. Strings and JSON
         * live as long as @a. @version and @release_id name the release; roles and the router are put in by the caller.
         * A key that this runtime cannot carry out is FAULT_CONFIG at its position.
         */
        int (*render)(struct runtime *rt, const struct compose *compose, const char *version, const char *release_id,
                      struct arena *a, struct workload *ret, struct fault *reterr);

        /*
         * Required. Everything that carries our labels for this host. @wanted (n of them) lets it look closer only
         * where it must. When the runtime cannot be asked: 0 with ret->available false and the reason; other failures
         * are faults.
         */
        int (*observe)(struct runtime *rt, const struct workload *wanted, size_t n_wanted, struct arena *a,
                       struct observation *ret, struct fault *reterr);

        /* Required. Pull and verify every image, write the files, make networks and volumes. Touches no instance. */
        int (*prepare)(struct runtime *rt, const struct workload *w, const struct progress *progress,
                       struct fault *reterr);

        /*
         * Required. Make instance @index of @service exist (created, not started), ready to take over. Idempotent: an
         * instance of the same specification and index is kept. *ret_id lives in @a.
         */
        int (*create)(struct runtime *rt, const struct workload *w, const struct workload_service *service,
                      int64_t index, struct arena *a, const char **ret_id, struct fault *reterr);

        /* Required. Start an instance and let it carry its public name (container_name). Running already: nothing. */
        int (*start)(struct runtime *rt, const struct instance *instance, struct fault *reterr);

        /*
         * Required. Stop an instance, giving up its public name and its restart policy so that no reboot brings it
         * back, but keeping it for start() to take over again. Stopped already: still makes sure of the rest.
         */
        int (*stop)(struct runtime *rt, const struct instance *instance, struct fault *reterr);

        /*
         * Required. Remove an instance, running or not; its anonymous volumes too, named ones never. Gone already: 0.
         */
        int (*remove)(struct runtime *rt, const struct instance *instance, struct fault *reterr);

        /*
         * Optional; when absent no command can be run in an instance. Run @argv in a running instance, wait for its
         * end, at most @timeout_ms. *ret_output: at most 4 KiB of what it printed, in @a. A time-out is
         * FAULT_TRANSIENT, -ETIMEDOUT.
         */
        int (*exec)(struct runtime *rt, const struct instance *instance, const struct string_list *argv, int timeout_ms,
                    struct arena *a, int64_t *ret_exit_code, const char **ret_output, struct fault *reterr);

        /*
         * Optional; when absent nobody can tell. The end of what an instance printed, running or not: whole lines, at
         * most LIMIT_EXEC_OUTPUT_BYTES, valid UTF-8 without control characters but line ends and tabs, in @a. NULL when
         * nothing keeps it.
         */
        int (*output)(struct runtime *rt, const struct instance *instance, struct arena *a, const char **ret_output,
                      struct fault *reterr);

        /*
         * Optional; when absent nothing is collected. Remove what @keep does not need: our networks without instances,
         * our files, images by digest that we brought. Volumes never, nor what an instance uses.
         */
        int (*collect)(struct runtime *rt, const struct runtime_keep *keep, struct fault *reterr);

        /*
         * Optional. One line each for `tally doctor`: engine version, API version, storage; appended to @out as JSON
         * objects.
         */
        int (*doctor)(struct runtime *rt, json_t *out, struct fault *reterr);
};

struct runtime {
        const struct runtime_ops *ops;
        const struct runtime_settings *settings; /* that it was opened with; set by runtime_open() */
};

/* Every runtime compiled in, ended by NULL. */
extern const struct runtime_ops *const runtime_table[];

/* Refuse an incomplete vtable at start-up rather than crash at three at night. */
int runtime_ops_verify(const struct runtime_ops *ops, struct fault *reterr);
/* NULL when no runtime of that name was compiled in. */
const struct runtime_ops *runtime_find(const char *name);

/* Callers go through these, never through ->ops. They prefix faults with what was being done. */
int runtime_open(const struct runtime_ops *ops, const struct runtime_settings *settings, struct runtime **ret,
                 struct fault *reterr);
void runtime_close(struct runtime *rt); /* accepts NULL */
/* -ENOTSUP, without a fault, when the runtime does one thing after the other. */
int runtime_clone(struct runtime *rt, struct runtime **ret, struct fault *reterr);
DEFINE_OWN(struct runtime, runtime_close)
#define own_runtime own(runtime_close_p)
int runtime_render(struct runtime *rt, const struct compose *compose, const char *version, const char *release_id,
                   struct arena *a, struct workload *ret, struct fault *reterr);
int runtime_observe(struct runtime *rt, const struct workload *wanted, size_t n_wanted, struct arena *a,
                    struct observation *ret, struct fault *reterr);
int runtime_prepare(struct runtime *rt, const struct workload *w, const struct progress *progress,
                    struct fault *reterr);
int runtime_create(struct runtime *rt, const struct workload *w, const struct workload_service *service, int64_t index,
                   struct arena *a, const char **ret_id, struct fault *reterr);
int runtime_start(struct runtime *rt, const struct instance *instance, struct fault *reterr);
int runtime_stop(struct runtime *rt, const struct instance *instance, struct fault *reterr);
int runtime_remove(struct runtime *rt, const struct instance *instance, struct fault *reterr);
/* -ENOTSUP when the runtime cannot. */
int runtime_exec(struct runtime *rt, const struct instance *instance, const struct string_list *argv, int timeout_ms,
                 struct arena *a, int64_t *ret_exit_code, const char **ret_output, struct fault *reterr);
int runtime_output(struct runtime *rt, const struct instance *instance, struct arena *a, const char **ret_output,
                   struct fault *reterr);
int runtime_collect(struct runtime *rt, const struct runtime_keep *keep, struct fault *reterr);
int runtime_doctor(struct runtime *rt, json_t *out, struct fault *reterr);
