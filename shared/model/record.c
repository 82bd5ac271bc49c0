/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/model/record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/data/json.h"

#define RECORDS_A_FOLDER 1000
#define NAME_DIGITS      8
#define NAME_SUFFIX      ".dsse.json"
#define HEX_DIGITS       64

const char *const record_kind_names[] = {
        [RECORD_GENESIS] = "genesis",
        [RECORD_START] = "start",
        [RECORD_STOP] = "stop",
        [RECORD_SUSPEND] = "suspend",
        [RECORD_RESUME] = "resume",
        [RECORD_HEARTBEAT] = "heartbeat",
        [RECORD_DECISION] = "decision",
        [RECORD_INTENT] = "intent",
        [RECORD_RESULT] = "result",
        [RECORD_ROLLBACK] = "rollback",
        [RECORD_DRIFT] = "drift",
        [RECORD_EXTERNAL_CHANGE] = "external-change",
        [RECORD_REFUSAL] = "refusal",
        [RECORD_OVERRIDE] = "override",
        [RECORD_TRUST_CHANGE] = "trust-change",
        [RECORD_POLICY_CHANGE] = "policy-change",
        [RECORD_KEY_ROTATION] = "key-rotation",
        [RECORD_CLOCK_EVENT] = "clock-event",
        [RECORD_REMOTE_ANOMALY] = "remote-anomaly",
        [RECORD_GAP_DECLARED] = "gap-declared",
        [RECORD_PEER_ANOMALY] = "peer-anomaly",
        [RECORD_DECOMMISSION] = "decommission",
        NULL,
};

enum record_kind record_kind_from_string(const char *name) {
        for (enum record_kind k = 0; k < RECORD_KIND_MAX_; k++)
                if (str_eq(record_kind_names[k], name))
                        return k;
        return RECORD_KIND_MAX_;
}

/*
 * Building
 */

static json_t *made(json_t *json) {
        if (!json)
                abort();
        return json;
}

static void put(json_t *object, const char *key, json_t *value) {
        if (json_object_set_new(object, key, made(value)) < 0)
                abort();
}

static void put_time(json_t *object, const char *key, int64_t wall_ms) {
        char text[RFC3339_TEXT_MAX];

        if (wall_ms != 0)
                put(object, key, json_string(rfc3339_format(wall_ms, text)));
}

static json_t *host_json(const struct record_place *p) {
        json_t *host = made(json_object()), *daemon = made(json_object());

        put(host, "hostId", json_text(p->host));
        json_set_string(host, "machineIdHash", p->machine_id_hash);
        if (p->boot_id && *p->boot_id)
                json_set_string(host, "bootId", p->boot_id);
        json_set_string(daemon, "name", p->program);
        json_set_string(daemon, "version", p->version);
        put(host, "daemon", daemon);
        put(host, "key", json_text(p->key));
        return host;
}

static json_t *time_json(const struct record_place *p) {
        json_t *time = made(json_object()), *clock = made(json_object());
        char text[RFC3339_TEXT_MAX];

        put(time, "wall", json_string(rfc3339_format(p->wall_ms, text)));
        put(time, "monotonicNs", json_integer(p->monotonic_ns));
        put(clock, "synchronized", json_boolean(p->synchronized));
        if (p->has_step)
                put(clock, "stepSincePrev", json_integer(p->step_ms));
        put(time, "clock", clock);
        return time;
}

static json_t *desired_json(const struct record_desired *d) {
        json_t *desired = made(json_object());

        json_set_string(desired, "repository", d->repository);
        json_set_string(desired, "ref", d->ref);
        json_set_string(desired, "environment", d->environment);
        json_set_string(desired, "commit", d->commit);
        json_set_string(desired, "tree", d->tree);
        if (d->fingerprint) {
                json_t *signer = made(json_object());

                json_set_string(signer, "principal", d->principal);
                json_set_string(signer, "fingerprint", d->fingerprint);
                json_set_string(signer, "algorithm", d->algorithm);
                put(desired, "signer", signer);
        }
        put_time(desired, "signedAt", d->signed_at);
        put_time(desired, "firstSeen", d->first_seen);
        return desired;
}

static json_t *chain_json(const struct record_place *p) {
        json_t *prev;

        if (!p->prev)
                return json_null();
        prev = made(json_object());
        put(prev, "sha256", json_text(p->prev));
        put(prev, "seq", json_integer(p->seq - 1));
        return prev;
}

static json_t *genesis_json(const struct record_place *p) {
        json_t *genesis;

        if (!p->genesis)
                return json_null();
        genesis = made(json_object());
        put(genesis, "sha256", json_text(p->genesis));
        return genesis;
}

/* The members of the body beside ours. A result says which intent it closes inside its execution. */
static void put_body(json_t *predicate, const struct record *r) {
        const char *key;
        json_t *value;

        if (r->body) {
                json_object_foreach((json_t *)r->body, key, value) {
                        assert(!json_object_get(predicate, key));
                        if (json_object_set(predicate, key, value) < 0)
                                abort();
                }
        }
        if (r->closes > 0) {
                const json_t *given = json_object_get(predicate, "execution");
                json_t *execution = made(given ? json_copy((json_t *)given) : json_object());

                put(execution, "intentSeq", json_integer(r->closes));
                put(predicate, "execution", execution);
        }
}

json_t *record_predicate(const struct record *r, const struct record_place *p) {
        json_t *predicate = made(json_object()), *open = made(json_array());

        put(predicate, "schema", json_string(RECORD_SCHEMA));
        put(predicate, "recordType", json_string(record_kind_names[r->kind]));
        json_set_string(predicate, "app", r->app);
        put(predicate, "seq", json_integer(p->seq));
        put(predicate, "epoch", json_integer(p->epoch));
        put(predicate, "prev", chain_json(p));
        put(predicate, "genesis", genesis_json(p));
        for (size_t i = 0; i < p->n_open_intents; i++)
                if (json_array_append_new(open, made(json_integer(p->open_intents[i]))) < 0)
                        abort();
        put(predicate, "openIntents", open);
        put(predicate, "host", host_json(p));
        put(predicate, "time", time_json(p));
        if (p->desired)
                put(predicate, "desired", desired_json(p->desired));
        put_body(predicate, r);
        return predicate;
}

int record_file(const struct record *r, struct buffer *out, char buf[RECORD_FILE_NAME_MAX], const char **ret_name,
                struct fault *reterr) {
        own_json json_t *own_file_json = NULL;
        const json_t *file = r->file;
        int n, rc;

        if (!file) {
                own_file_json = made(r->body ? json_copy((json_t *)r->body) : json_object());
                put(own_file_json, "recordType", json_string(record_kind_names[r->kind]));
                json_set_string(own_file_json, "app", r->app);
                file = own_file_json;
        }
        rc = json_canonical(file, out, reterr);
        if (rc < 0)
                return rc;
        rc = buffer_check(out, "a record's file", reterr);
        if (rc < 0)
                return rc;
        n = snprintf(buf, RECORD_FILE_NAME_MAX, "%s.json", record_kind_names[r->kind]);
        assert(n > 0 && n < RECORD_FILE_NAME_MAX);
        *ret_name = r->file_name ? r->file_name : buf;
        return 0;
}

json_t *record_release(const char *release, const char *version) {
        json_t *o;

        if (!release)
                return made(json_null());
        o = made(json_object());
        put(o, "release", json_text(release));
        put(o, "version", json_text(version));
        return o;
}

json_t *record_change(const char *from, const char *from_version, const char *to, const char *to_version) {
        json_t *o = made(json_object());

        put(o, "from", record_release(from, from_version));
        put(o, "to", record_release(to, to_version));
        return o;
}

json_t *record_error(const char *code, const char *message) {
        json_t *o = made(json_object());

        put(o, "code", json_text(code));
        put(o, "message", json_text(message));
        return o;
}

/*
 * Reading
 */

static bool is_sha256(const char *hex) {
        return hex && hex_is_valid(hex, HEX_DIGITS);
}

/* A link to another envelope: null, or an object with its SHA-256. */
static bool read_link(const json_t *predicate, const char *key, const char **ret) {
        const json_t *link = json_object_get(predicate, key);

        if (!link || (!json_is_null(link) && !is_sha256(json_get_string(link, "sha256"))))
                return false;
        *ret = json_is_null(link) ? NULL : json_get_string(link, "sha256");
        return true;
}

static const char *read_chain(const json_t *predicate, struct record_head *h) {
        const json_t *prev = json_object_get(predicate, "prev");

        h->seq = json_get_integer(predicate, "seq", -1);
        h->epoch = json_get_integer(predicate, "epoch", -1);
        if (h->seq < 0 || h->epoch < 0)
                return "seq and epoch are not numbers from 0";
        if (!read_link(predicate, "prev", &h->prev) || !read_link(predicate, "genesis", &h->genesis))
                return "prev and genesis do not name envelopes";
        if ((h->seq == 0) != (h->prev == NULL) || (h->seq == 0) != (h->genesis == NULL))
                return "prev and genesis are null in record 0, and nowhere else";
        if (h->prev && json_get_integer(prev, "seq", -1) != h->seq - 1)
                return "prev is not the record before";
        if ((h->kind == RECORD_GENESIS) != (h->seq == 0))
                return "a genesis is record 0, and record 0 is a genesis";
        return NULL;
}

static const char *read_host(const json_t *predicate, struct record_head *h) {
        const json_t *host = json_object_get(predicate, "host"), *time = json_object_get(predicate, "time");
        const char *wall = json_get_string(time, "wall");

        h->host = json_get_string(host, "hostId");
        h->key = json_get_string(host, "key");
        h->boot_id = json_get_string(host, "bootId");
        if (!h->boot_id)
                h->boot_id = "";
        if (!h->host || !name_is_valid(h->host) || !h->key)
                return "host does not say who made it";
        h->monotonic_ns = json_get_integer(time, "monotonicNs", -1);
        if (!wall || rfc3339_parse(wall, &h->wall_ms) < 0 || h->monotonic_ns < 0)
                return "time does not say when";
        return NULL;
}

static const char *read_intents(const json_t *predicate, struct record_head *h) {
        size_t i;
        json_t *item;

        h->open_intents = json_object_get(predicate, "openIntents");
        if (!json_is_array(h->open_intents))
                return "openIntents is not a list";
        json_array_foreach(h->open_intents, i,
                           item) if (!json_is_integer(item) || json_integer_value(item) <= 0 ||
                                     json_integer_value(item) >
                                             h->seq) return "openIntents holds what is no number of an earlier record";
        h->closes = json_get_integer(json_object_get(predicate, "execution"), "intentSeq", 0);
        if (h->closes < 0 || (h->closes > 0 && h->closes >= h->seq))
                return "execution.intentSeq is no earlier record";
        return NULL;
}

int record_head_read(const char *name, const json_t *predicate, struct record_head *ret, struct fault *reterr) {
        struct record_head h = { .kind = record_kind_from_string(json_get_string(predicate, "recordType")) };
        const char *wrong = NULL;

        if (!str_eq(json_get_string(predicate, "schema"), RECORD_SCHEMA))
                wrong = "its schema is not " RECORD_SCHEMA;
        else if (h.kind == RECORD_KIND_MAX_)
                wrong = "its recordType is none that there is";
        h.app = json_get_string(predicate, "app");
        if (!wrong && h.app && !name_is_valid(h.app))
                wrong = "app is not a name";
        if (!wrong)
                wrong = read_chain(predicate, &h);
        if (!wrong)
                wrong = read_host(predicate, &h);
        if (!wrong)
                wrong = read_intents(predicate, &h);
        if (wrong)
                return fault_set(reterr, FAULT_CONFIG, 0, "%s is not a record of a ledger: %s", name, wrong);
        *ret = h;
        return 0;
}

/*
 * Paths
 */

const char *record_path(int64_t seq, enum record_kind kind, const char *app, char buf[RECORD_PATH_MAX]) {
        int n;

        assert(seq >= 0 && (!app || name_is_valid(app)));
        n = snprintf(buf, RECORD_PATH_MAX, "evidence/%" PRId64 "/%0*" PRId64 "-%s%s%s" NAME_SUFFIX,
                     seq / RECORDS_A_FOLDER, NAME_DIGITS, seq, record_kind_names[kind], app ? "-" : "", app ? app : "");
        assert(n > 0 && n < RECORD_PATH_MAX);
        return buf;
}

/* "00000042" without its leading zeros; more than eight digits have none. */
static int parse_number(const char *name, size_t digits, int64_t *ret) {
        char text[20];
        size_t zeros = 0;

        if (digits < NAME_DIGITS || digits >= sizeof(text) || (digits > NAME_DIGITS && name[0] == '0'))
                return -EINVAL;
        while (zeros + 1 < digits && name[zeros] == '0')
                zeros++;
        memcpy(text, name + zeros, digits - zeros);
        text[digits - zeros] = '\0';
        return parse_i64(text, ret);
}

/* No kind is the beginning of another up to a '-', so the first that fits is the one. */
static enum record_kind parse_kind(const char *text, size_t size, size_t *ret_size) {
        for (enum record_kind k = 0; k < RECORD_KIND_MAX_; k++) {
                size_t n = strlen(record_kind_names[k]);

                if (n <= size && memcmp(text, record_kind_names[k], n) == 0 && (n == size || text[n] == '-')) {
                        *ret_size = n;
                        return k;
                }
        }
        return RECORD_KIND_MAX_;
}

int record_name_parse(const char *name, int64_t *ret_seq, enum record_kind *ret_kind, const char **ret_app,
                      size_t *ret_app_size) {
        size_t digits = strspn(name, "0123456789"), rest, used = 0;
        char app[LIMIT_NAME_BYTES + 1];
        const char *at = name + digits + 1;
        enum record_kind kind;
        int64_t seq;

        if (name[digits] != '-' || !str_ends_with(at, NAME_SUFFIX) || parse_number(name, digits, &seq) < 0)
                return -EINVAL;
        rest = strlen(at) - strlen(NAME_SUFFIX);
        kind = parse_kind(at, rest, &used);
        if (kind == RECORD_KIND_MAX_)
                return -EINVAL;
        at += used;
        rest -= used;
        if (rest > 0) {
                at++;
                rest--;
                if (rest == 0 || rest > LIMIT_NAME_BYTES)
                        return -EINVAL;
                memcpy(app, at, rest);
                app[rest] = '\0';
                if (!name_is_valid(app))
                        return -EINVAL;
        } else
                at = NULL;
        *ret_seq = seq;
        *ret_kind = kind;
        *ret_app = at;
        *ret_app_size = rest;
        return 0;
}
