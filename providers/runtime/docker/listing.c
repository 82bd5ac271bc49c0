/* SPDX-License-Identifier: Apache-2.0 */

/* The engine's list of containers: how it is asked for, and its status texts. Needs no connection (see quiet.c). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "providers/runtime/docker/docker_private.h"
#include "providers/runtime/docker/labels.h"
#include "providers/runtime/docker/observe.h"
#include "shared/base/text.h"
#include "shared/data/json.h"
#include "shared/net/http.h"

void docker_list_path(struct buffer *path, const char *host, const char *const *more) {
        own_json json_t *labels = json_array(), *filters = json_object();
        own_free char *text = NULL;

        json_array_append_new(labels, json_sprintf("%s=%s", LABEL_HOST, host));
        for (size_t i = 0; more && more[i]; i++)
                json_array_append_new(labels, json_string(more[i]));
        json_object_set(filters, "label", labels);
        text = json_dumps(filters, JSON_COMPACT | JSON_SORT_KEYS);
        buffer_puts(path, "/containers/json?all=1&filters=");
        http_escape(path, text ? text : "", false);
}

/*
 * Status text: container/state.go, State.String(), and units.HumanDuration()
 */

/* "(137)" right at the start of @text. */
static int64_t exit_code_of(const char *text) {
        char *end;
        long code;

        if (!text || *text != '(')
                return 0;
        code = strtol(text + 1, &end, 10);
        return *end == ')' && code >= INT32_MIN && code <= INT32_MAX ? code : 0;
}

struct status_text status_parse(const char *text) {
        static const struct {
                const char *words;
                enum health health;
        } health[] = {
                { "(healthy)", HEALTH_HEALTHY },
                { "(unhealthy)", HEALTH_UNHEALTHY },
                { "(health: starting)", HEALTH_STARTING },
        };
        struct status_text s = { .health = HEALTH_NONE };
        const char *up = text ? str_after(text, "Up ") : NULL, *exited;

        if (!text)
                return s;
        for (size_t i = 0; up && i < sizeof(health) / sizeof(health[0]); i++)
                if (strstr(up, health[i].words))
                        s.health = health[i].health;
        s.young = up && (strstr(up, "second") || str_after(up, "About a minute"));
        exited = str_after(text, "Exited ");
        s.exit_code = exit_code_of(exited ? exited : str_after(text, "Restarting "));
        return s;
}
