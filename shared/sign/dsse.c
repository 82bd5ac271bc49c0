/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/sign/dsse.h"

#include <string.h>

#include <sodium.h>

#include "shared/base/limits.h"
#include "shared/data/base64.h"
#include "shared/data/json.h"

void dsse_put_pae(const char *type, const void *body, size_t size, struct buffer *out) {
        buffer_printf(out, "DSSEv1 %zu %s %zu ", strlen(type), type, size);
        buffer_append(out, body, size);
}

/*
 * Writing
 */

static json_t *base64_json(const void *data, size_t size, struct fault *reterr) {
        own_buffer struct buffer text = BUFFER_INIT;
        json_t *json;

        base64_encode(data, size, false, &text);
        if (buffer_check(&text, "base64", reterr) < 0)
                return NULL;
        json = json_stringn(buffer_str(&text), text.size);
        if (!json)
                (void)fault_set_oom(reterr);
        return json;
}

int dsse_sign(const struct sshkey_private *k, const char *type, const void *body, size_t size, struct buffer *out,
              struct fault *reterr) {
        own_buffer struct buffer pae = BUFFER_INIT;
        own_json json_t *payload = NULL, *sig_text = NULL, *envelope = NULL;
        char keyid[FINGERPRINT_TEXT_MAX];
        unsigned char sig[64];
        int r;

        dsse_put_pae(type, body, size, &pae);
        r = buffer_check(&pae, "payload", reterr);
        if (r < 0)
                return r;
        sshkey_sign(k, pae.data, pae.size, sig);

        payload = base64_json(body, size, reterr);
        if (!payload)
                return -ENOMEM;
        sig_text = base64_json(sig, sizeof(sig), reterr);
        if (!sig_text)
                return -ENOMEM;
        envelope = json_pack("{s:O, s:s, s:[{s:s, s:O}]}", "payload", payload, "payloadType", type, "signatures",
                             "keyid", sshkey_fingerprint(&k->key, keyid), "sig", sig_text);
        if (!envelope)
                return fault_set_oom(reterr);
        return json_canonical(envelope, out, reterr);
}

/*
 * Reading
 */

static int refuse(const char *name, const char *why, struct fault *reterr) {
        return fault_set(reterr, FAULT_CONFIG, 0, "%s is not a DSSE envelope: %s", name, why);
}

/* A string member of base64, either alphabet, decoded into the arena with a NUL after it. 0 or -EINVAL. */
static int member_base64(const json_t *object, const char *key, struct arena *a, const void **ret, size_t *ret_size) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        const json_t *value = json_object_get(object, key);
        const char *text = json_string_value(value);
        bool url;

        if (!text)
                return -EINVAL;
        url = strpbrk(text, "-_") != NULL;
        if (base64_decode(text, json_string_length(value), url, &bytes) < 0 || bytes.failed)
                return -EINVAL;
        *ret = arena_strndup(a, buffer_str(&bytes), bytes.size);
        *ret_size = bytes.size;
        return 0;
}

static int parse_signatures(const char *name, const json_t *list, struct arena *a, struct dsse *e,
                            struct fault *reterr) {
        e->n = json_array_size(list);
        if (e->n == 0)
                return refuse(name, "it has no signatures", reterr);
        if (e->n > LIMIT_ENVELOPE_SIGNATURES)
                return refuse(name, "it has too many signatures", reterr);
        e->signatures = arena_array(a, e->n, sizeof(*e->signatures));
        for (size_t i = 0; i < e->n; i++) {
                const json_t *item = json_array_get(list, i), *keyid = json_object_get(item, "keyid");
                const void *sig;

                if (keyid && !json_is_string(keyid) && !json_is_null(keyid))
                        return refuse(name, "a keyid is not a string", reterr);
                if (member_base64(item, "sig", a, &sig, &e->signatures[i].size) < 0)
                        return refuse(name, "a sig is not base64", reterr);
                e->signatures[i].sig = sig;
                e->signatures[i].keyid = json_is_string(keyid) ? arena_strdup(a, json_string_value(keyid)) : "";
        }
        return 0;
}

int dsse_parse(const char *name, const void *bytes, size_t size, struct arena *a, struct dsse *ret,
               struct fault *reterr) {
        own_json json_t *envelope = NULL;
        struct dsse e = { 0 };
        int r;

        if (size > LIMIT_ENVELOPE_BYTES)
                return refuse(name, "it is too large", reterr);
        r = json_parse(name, bytes, size, &envelope, reterr);
        if (r < 0)
                return r;
        e.payload_type = arena_strdup(a, json_get_string(envelope, "payloadType"));
        if (!e.payload_type || !*e.payload_type)
                return refuse(name, "payloadType is missing", reterr);
        if (member_base64(envelope, "payload", a, &e.payload, &e.payload_size) < 0)
                return refuse(name, "payload is not base64", reterr);
        r = parse_signatures(name, json_object_get(envelope, "signatures"), a, &e, reterr);
        if (r < 0)
                return r;
        *ret = e;
        return 0;
}

int dsse_verify(const struct dsse *e, const struct sshkey *key, struct fault *reterr) {
        own_buffer struct buffer pae = BUFFER_INIT;
        char fingerprint[FINGERPRINT_TEXT_MAX];
        int r;

        dsse_put_pae(e->payload_type, e->payload, e->payload_size, &pae);
        r = buffer_check(&pae, "payload", reterr);
        if (r < 0)
                return r;
        for (size_t i = 0; key->type == SSHKEY_ED25519 && i < e->n; i++)
                if (e->signatures[i].size == crypto_sign_BYTES &&
                    crypto_sign_verify_detached(e->signatures[i].sig, (const unsigned char *)pae.data, pae.size,
                                                key->pk) == 0)
                        return 0;
        return fault_set(reterr, FAULT_DENIED, 0, "no signature of the envelope is by the key %s",
                         sshkey_fingerprint(key, fingerprint));
}
