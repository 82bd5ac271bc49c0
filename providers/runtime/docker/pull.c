/* SPDX-License-Identifier: Apache-2.0 */

#include "providers/runtime/docker/pull.h"

#include <string.h>

#include "providers/runtime/docker/verify.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

/* Registries may take long over a layer, and the engine says nothing while it unpacks a big one. */
#define PULL_STALL_MS (5 * 60 * 1000)

void pull_stream_init(struct pull_stream *s, const char *subject, const struct progress *progress) {
        *s = (struct pull_stream){ .subject = subject, .progress = progress, .line = { .max = LIMIT_PULL_LINE } };
}

void pull_stream_done(struct pull_stream *s) {
        buffer_done(&s->line);
        free(s->layers);
        s->layers = NULL;
}

static void copy_text(char *to, size_t room, const char *from) {
        size_t n = strnlen(from, room - 1);

        memcpy(to, from, n);
        to[n] = '\0';
}

static struct pull_layer *pull_layer(struct pull_stream *s, const char *id) {
        struct pull_layer *more;

        for (size_t i = 0; i < s->n_layers; i++)
                if (str_eq(s->layers[i].id, id))
                        return &s->layers[i];
        if (s->n_layers >= LIMIT_IMAGE_LAYERS || strlen(id) >= sizeof(s->layers->id))
                return NULL;
        more = realloc(s->layers, (s->n_layers + 1) * sizeof(*more));
        if (!more)
                return NULL;
        s->layers = more;
        more += s->n_layers++;
        *more = (struct pull_layer){ .done = 0 };
        copy_text(more->id, sizeof(more->id), id);
        return more;
}

void pull_stream_sum(const struct pull_stream *s, int64_t *ret_done, int64_t *ret_total) {
        int64_t done = 0, total = 0;

        for (size_t i = 0; i < s->n_layers; i++)
                if (__builtin_add_overflow(done, s->layers[i].done, &done) ||
                    __builtin_add_overflow(total, s->layers[i].total, &total))
                        break;
        *ret_done = done;
        *ret_total = total;
}

/* A layer is counted while it is downloaded, not a second time while it is unpacked. */
static void pull_progress(struct pull_stream *s, const json_t *line) {
        const char *id = json_get_string(line, "id"), *status = json_get_string(line, "status");
        const json_t *detail = json_object_get(line, "progressDetail");
        struct pull_layer *layer;
        int64_t done, total;

        if (!id || !status)
                return;
        layer = pull_layer(s, id);
        if (!layer)
                return;
        if (str_eq(status, "Downloading")) {
                done = json_get_integer(detail, "current", 0);
                total = json_get_integer(detail, "total", 0);
                if (done < 0 || total < 0)
                        return;
                layer->done = done;
                layer->total = total;
        } else if (str_eq(status, "Download complete") || str_eq(status, "Pull complete"))
                layer->done = layer->total;
        else
                return;
        if (s->progress && s->progress->tell) {
                pull_stream_sum(s, &done, &total);
                s->progress->tell(s->progress->data, "pull", s->subject, done, total);
        }
}

static int pull_line(struct pull_stream *s, const char *text, size_t size) {
        own_fault struct fault why = FAULT_INIT;
        own_json json_t *line = NULL;
        const char *error;

        while (size > 0 && (text[size - 1] == '\r' || text[size - 1] == ' '))
                size--;
        if (size == 0)
                return 0;
        if (json_parse("the engine's answer", text, size, &line, &why) < 0 || !json_is_object(line)) {
                copy_text(s->error, sizeof(s->error), "the engine's progress is not JSON");
                return -EINVAL;
        }
        error = json_get_string(json_object_get(line, "errorDetail"), "message");
        error = error ? error : json_get_string(line, "error");
        if (error && !s->error[0])
                copy_text(s->error, sizeof(s->error), *error ? error : "no reason given");
        else
                pull_progress(s, line);
        return 0;
}

int pull_stream_feed(const void *bytes, size_t size, void *stream) {
        struct pull_stream *s = stream;
        const char *p = bytes, *end;
        int r;

        while (size > 0) {
                end = memchr(p, '\n', size);
                buffer_append(&s->line, p, end ? (size_t)(end - p) : size);
                if (s->line.failed) {
                        copy_text(s->error, sizeof(s->error), "a line of the engine's progress is too long");
                        return -EFBIG;
                }
                if (!end)
                        return 0;
                r = pull_line(s, buffer_str(&s->line), s->line.size);
                buffer_clear(&s->line);
                if (r < 0)
                        return r;
                size -= (size_t)(end + 1 - p);
                p = end + 1;
        }
        return 0;
}

/*
 * Engines report a registry's refusal as text only, in the words of several versions of two clients (the classic one
 * and containerd's). What matches first counts: "pull access denied … repository does not exist or may require 'docker
 * login'" may be either.
 */
const char *pull_error_code(const char *message) {
        static const struct {
                const char *words;
                const char *code;
        } table[] = {
                { "unauthorized", REASON_IMAGE_AUTH },
                { "authentication required", REASON_IMAGE_AUTH },
                { "no basic auth credentials", REASON_IMAGE_AUTH },
                { "authorization failed", REASON_IMAGE_AUTH },
                { "access denied", REASON_IMAGE_AUTH },
                { "access to the resource is denied", REASON_IMAGE_AUTH },
                { "insufficient_scope", REASON_IMAGE_AUTH },
                { "403 Forbidden", REASON_IMAGE_AUTH },
                { "401 Unauthorized", REASON_IMAGE_AUTH },
                { "manifest unknown", REASON_IMAGE_NOT_FOUND },
                { "name unknown", REASON_IMAGE_NOT_FOUND },
                { "not found", REASON_IMAGE_NOT_FOUND },
                { "does not exist", REASON_IMAGE_NOT_FOUND },
                { "no matching manifest", REASON_IMAGE_NOT_FOUND },
                { "verification failed", REASON_IMAGE_DIGEST_MISMATCH },
                { "does not match", REASON_IMAGE_DIGEST_MISMATCH },
                { "unexpected commit digest", REASON_IMAGE_DIGEST_MISMATCH },
                { "filesystem layer verification", REASON_IMAGE_DIGEST_MISMATCH },
        };

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
                if (strcasestr(message, table[i].words))
                        return table[i].code;
        return REASON_IMAGE_PULL_FAILED;
}

static int pull_fault(const char *pinned, const char *message, bool with_auth, struct fault *reterr) {
        const char *code = pull_error_code(message);
        /* Other bytes than were pinned are no accident to wait out. */
        bool auth = code == REASON_IMAGE_AUTH, denied = auth || code == REASON_IMAGE_DIGEST_MISMATCH;

        fault_set_code(reterr, denied ? FAULT_DENIED : FAULT_TRANSIENT, code, "cannot pull %s: %s", pinned, message);
        if (auth)
                fault_hint(reterr,
                           with_auth ? "the credentials for this registry are wrong or may not read this repository"
                                     : "there are no credentials for this registry: `docker login`, as the "
                                       "user that runs tally");
        else if (code == REASON_IMAGE_NOT_FOUND)
                fault_hint(reterr,
                           "pin the digest of a manifest or an index that is in this repository and has this platform");
        return denied ? -EACCES : -EIO;
}

static int pull_path(const char *pinned, const char *platform, struct buffer *path, struct fault *reterr) {
        own_free char *name = NULL;
        const char *digest = verify_digest_of(pinned);

        if (!digest)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is not pinned", pinned);
        name = strndup(pinned, (size_t)(digest - 1 - pinned));
        if (!name)
                return fault_set_oom(reterr);
        buffer_puts(path, "/images/create?fromImage=");
        http_escape(path, name, false);
        buffer_printf(path, "&tag=%s", digest);
        if (platform) {
                buffer_puts(path, "&platform=");
                http_escape(path, platform, false);
        }
        return buffer_check(path, "a request to the engine", reterr);
}

int pull_image(struct engine *e, const char *pinned, const char *platform, const char *auth,
               const struct progress *progress, struct fault *reterr) {
        own_engine_reply struct engine_reply reply = ENGINE_REPLY_INIT;
        own_pull_stream struct pull_stream stream;
        own_buffer struct buffer path = BUFFER_INIT;
        own_fault struct fault why = FAULT_INIT;
        int r;

        pull_stream_init(&stream, pinned, progress);
        r = pull_path(pinned, platform, &path, reterr);
        if (r < 0)
                return r;
        r = engine_call(e,
                        &(struct engine_request){
                                .method = "POST",
                                .path = buffer_str(&path),
                                .registry_auth = auth,
                                .timeout_ms = -1,
                                .stall_timeout_ms = PULL_STALL_MS,
                                .sink = pull_stream_feed,
                                .userdata = &stream,
                        },
                        &reply, &why);
        if (stream.error[0])
                return pull_fault(pinned, stream.error, auth, reterr);
        if (r < 0) {
                fault_move(reterr, &why);
                return fault_context(reterr, r, "cannot pull %s", pinned);
        }
        if (!engine_reply_is_ok(&reply))
                return pull_fault(pinned, engine_message(&reply), auth, reterr);
        return 0;
}
