/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/state/ledger_head.h"

#include <string.h>

#include "reconciler/state/state_private.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define NAME   "head.json"
#define SCHEMA "tallyman/ledger-head/v1"

/*
 * Writing
 */

static void put(json_t *object, const char *key, json_t *value) {
        if (json_object_set_new(object, key, value) < 0)
                abort();
}

static void put_commit(json_t *object, const char *key, const struct object_id *id) {
        char hex[OBJECT_ID_TEXT_MAX];

        if (!object_id_is_zero(id))
                put(object, key, json_string(object_id_format(id, hex)));
}

int ledger_head_write(struct state *s, const struct ledger_head *h, struct fault *reterr) {
        own_json json_t *json = json_object();
        json_t *open = json_array();

        put(json, "schema", json_string(SCHEMA));
        put(json, "sequence", json_integer(h->seq));
        put(json, "epoch", json_integer(h->epoch));
        put(json, "head", json_string(digest_hex(&h->record)));
        put(json, "genesis", json_string(digest_hex(&h->genesis)));
        put_commit(json, "commit", &h->commit);
        put(json, "wall", json_integer(h->wall_ms));
        put(json, "monotonic", json_integer(h->monotonic_ns));
        put(json, "boot", json_text(h->boot_id));
        put(json, "key", json_text(h->key));
        for (size_t i = 0; i < h->n_open_intents; i++)
                if (json_array_append_new(open, json_integer(h->open_intents[i])) < 0)
                        abort();
        put(json, "openIntents", open);
        put_commit(json, "pushed", &h->pushed);
        put(json, "pushedAt", json_integer(h->pushed_at));
        put_commit(json, "diverged", &h->diverged);
        return state_json_write(s, NAME, json, reterr);
}

/*
 * Reading
 */

static bool get_digest(const json_t *object, const char *key, struct digest *ret) {
        const char *hex = json_get_string(object, key);

        if (!hex || !hex_is_valid(hex, 64))
                return false;
        memcpy(ret->text, "sha256:", 7);
        memcpy(ret->text + 7, hex, 65);
        return true;
}

static bool get_commit(const json_t *object, const char *key, struct object_id *ret) {
        const char *hex = json_get_string(object, key);

        return !json_object_get(object, key) || (hex && object_id_parse(hex, ret) == 0);
}

bool ledger_head_take_intents(struct ledger_head *h, const json_t *list) {
        size_t i;
        json_t *item;

        if (!json_is_array(list) || json_array_size(list) > LEDGER_OPEN_INTENTS)
                return false;
        json_array_foreach(list, i, item) {
                if (!json_is_integer(item))
                        return false;
                h->open_intents[i] = json_integer_value(item);
        }
        h->n_open_intents = json_array_size(list);
        return true;
}

/* A string that fits, with its NUL. */
static bool get_text(const json_t *object, const char *key, char *ret, size_t room) {
        const char *text = json_get_string(object, key);

        if (!text || strlen(text) >= room)
                return false;
        memcpy(ret, text, strlen(text) + 1);
        return true;
}

static bool parse(const json_t *json, struct ledger_head *h) {
        h->any = true;
        h->seq = json_get_integer(json, "sequence", -1);
        h->epoch = json_get_integer(json, "epoch", -1);
        h->wall_ms = json_get_integer(json, "wall", 0);
        h->monotonic_ns = json_get_integer(json, "monotonic", 0);
        h->pushed_at = json_get_integer(json, "pushedAt", 0);
        return str_eq(json_get_string(json, "schema"), SCHEMA) && h->seq >= 0 && h->epoch >= 0 &&
               get_text(json, "boot", h->boot_id, sizeof(h->boot_id)) &&
               get_text(json, "key", h->key, sizeof(h->key)) && get_digest(json, "head", &h->record) &&
               get_digest(json, "genesis", &h->genesis) && get_commit(json, "commit", &h->commit) &&
               !object_id_is_zero(&h->commit) && get_commit(json, "pushed", &h->pushed) &&
               get_commit(json, "diverged", &h->diverged) &&
               ledger_head_take_intents(h, json_object_get(json, "openIntents"));
}

int ledger_head_read(const struct state *s, struct ledger_head *ret, struct fault *reterr) {
        own_fault struct fault why = FAULT_INIT;
        own_json json_t *json = NULL;
        struct ledger_head h = { 0 };
        int r;

        r = state_json_read(s, NAME, &json, reterr);
        if (r < 0)
                return r;
        if (json && !parse(json, &h)) {
                (void)fault_set(&why, FAULT_CONFIG, 0, "it does not say where the ledger ends");
                return state_corrupt(s, NAME, &why, reterr);
        }
        *ret = h;
        return 0;
}

bool ledger_head_is_behind(const struct ledger_head *h) {
        return h->any && !object_id_equal(&h->commit, &h->pushed);
}

bool ledger_head_clock_went_back(const struct ledger_head *h, int64_t now_ms) {
        return h->any && now_ms < h->wall_ms - LEDGER_CLOCK_TOLERANCE_MS;
}
