/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/launcher/unchanged.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "providers/runtime/docker/fingerprint.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define UNCHANGED_FILE "quiet.json"

/* What the operator's files say now: a changed configuration or root of trust ends the quiet. */
static bool configuration_digest(const struct config *c, struct digest *ret) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        own_fault struct fault ignored = FAULT_INIT;

        if (!c->path || file_read(AT_FDCWD, c->path, LIMIT_CONFIG_BYTES, &bytes, &ignored) < 0)
                return false;
        buffer_putc(&bytes, '\0');
        if (file_read(AT_FDCWD, c->trust, LIMIT_SIGNERS_BYTES, &bytes, &ignored) < 0)
                return false;
        *ret = digest_of(buffer_str(&bytes), bytes.size);
        return true;
}

/* The documents of the state that a hand may have touched. */
static bool state_digest(const struct state *s, struct digest *ret) {
        static const char *const names[] = { "accepted.json", "head.json", "status.json", "sticker.json",
                                             "suspended.json" };
        own_buffer struct buffer bytes = BUFFER_INIT;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                own_fault struct fault ignored = FAULT_INIT;

                buffer_puts(&bytes, names[i]);
                if (file_read(s->dirfd, names[i], LIMIT_STATE_BYTES, &bytes, &ignored) < 0)
                        buffer_putc(&bytes, '-');
                buffer_putc(&bytes, '\0');
        }
        *ret = digest_of(buffer_str(&bytes), bytes.size);
        return bytes.failed == 0;
}

void unchanged_remember(const struct config *config, struct state *s, const struct unchanged_state *quiet) {
        own_fault struct fault ignored = FAULT_INIT;
        own_json json_t *document = json_object();
        struct digest configuration, state;
        int64_t now = clock_wall_ms(), until = now + config->heartbeat_ms;

        if (!quiet->tip || !configuration_digest(config, &configuration) || !state_digest(s, &state))
                return;
        json_set_string(document, "configuration", configuration.text);
        json_set_string(document, "state", state.text);
        json_set_string(document, "tip", quiet->tip);
        json_set_string(document, "engine", quiet->engine ? quiet->engine->text : NULL);
        json_object_set_new(document, "since", json_integer(now));
        json_object_set_new(document, "until",
                            json_integer(quiet->until && quiet->until < until ? quiet->until : until));
        json_object_set_new(document, "exit", json_integer(quiet->exit_code));
        json_object_set_new(document, "again", json_integer(quiet->again_ms));
        (void)state_json_write(s, UNCHANGED_FILE, document, &ignored);
}

static bool engine_is(const struct config *c, const char *expected) {
        own_fault struct fault ignored = FAULT_INIT;
        struct digest now;

        return !expected ||
               (docker_fingerprint(c->docker.host, c->host.text, &now, &ignored) == 0 && str_eq(now.text, expected));
}

static bool tip_is(const struct config *c, unchanged_tip_fn ask, const char *expected) {
        struct object_id tip;
        char hex[OBJECT_ID_TEXT_MAX];

        return ask(c, &tip) && str_eq(object_id_format(&tip, hex), expected);
}

/* When the repository was last asked with success is the time of the file: quiet passes write nothing else. */
static void note_asked(const struct state *s) {
        (void)utimensat(s->dirfd, UNCHANGED_FILE, NULL, 0);
}

int64_t unchanged_asked_at(const struct state *s) {
        struct stat st;

        return fstatat(s->dirfd, UNCHANGED_FILE, &st, 0) == 0
                       ? (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000
                       : 0;
}

bool unchanged_check(const struct config *config, unchanged_tip_fn ask, struct unchanged_answer *ret) {
        own_state struct state state = STATE_INIT;
        own_fault struct fault ignored = FAULT_INIT;
        own_json json_t *quiet = NULL, *status = NULL;
        struct digest configuration, now;
        int64_t time = clock_wall_ms(), left;

        if (state_open(config->state, STATE_READ, &state, &ignored) < 0 ||
            state_json_read(&state, UNCHANGED_FILE, &quiet, &ignored) < 0 || !quiet)
                return false;
        if (time < json_get_integer(quiet, "since", INT64_MAX) || time >= json_get_integer(quiet, "until", 0))
                return false;
        if (!configuration_digest(config, &configuration) ||
            !str_eq(configuration.text, json_get_string(quiet, "configuration")) || !state_digest(&state, &now) ||
            !str_eq(now.text, json_get_string(quiet, "state")))
                return false;
        if (!tip_is(config, ask, json_get_string(quiet, "tip")) || !engine_is(config, json_get_string(quiet, "engine")))
                return false;
        if (state_json_read(&state, "status.json", &status, &ignored) < 0 || !status)
                return false;
        note_asked(&state);
        left = json_get_integer(quiet, "until", 0) - time;
        *ret = (struct unchanged_answer){
                .exit_code = (int)json_get_integer(quiet, "exit", 0),
                .next_ms = json_get_integer(quiet, "again", config->poll_ms),
        };
        if (ret->next_ms > left)
                ret->next_ms = left;
        ret->status = json_incref(status);
        return true;
}
