/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/sign/sshsig.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/base64.h"
#include "shared/sign/wire.h"

#define ARMOUR_HEAD    "-----BEGIN SSH SIGNATURE-----\n"
#define ARMOUR_FOOT    "\n-----END SSH SIGNATURE-----"
#define ARMOUR_COLUMNS 70
#define MAGIC          "SSHSIG"
#define VERSION        1

static const char *const hash_names[SSHSIG_HASH_MAX_] = {
        [SSHSIG_SHA512] = "sha512",
        [SSHSIG_SHA256] = "sha256",
};

const char *sshsig_hash_to_string(enum sshsig_hash hash) {
        assert(hash < SSHSIG_HASH_MAX_);
        return hash_names[hash];
}

static int refuse(struct fault *reterr, const char *why) {
        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_BAD_SIGNATURE, "the SSH signature is malformed: %s",
                              why);
}

/*
 * Reading
 */

/* Base64 of the armour without its line ends; lines of any width, but none is empty. */
static int armour_join(const char *text, size_t size, struct buffer *out) {
        while (size > 0) {
                const char *eol = memchr(text, '\n', size);
                size_t n = eol ? (size_t)(eol - text) : size;

                if (n == 0 || n + 1 == size)
                        return -EINVAL;
                buffer_append(out, text, n);
                text += eol ? n + 1 : n;
                size -= eol ? n + 1 : n;
        }
        return out->size > 0 ? 0 : -EINVAL;
}

static int armour_open(const char *text, size_t size, struct buffer *ret_blob, struct fault *reterr) {
        static const char head[] = ARMOUR_HEAD, foot[] = ARMOUR_FOOT;
        own_buffer struct buffer joined = BUFFER_INIT;

        if (size > LIMIT_SIGNATURE_BYTES)
                return refuse(reterr, "it is too large");
        if (size >= 10 && memcmp(text, "-----BEGIN", 10) == 0 && (size < 15 || memcmp(text + 10, " SSH ", 5) != 0))
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_ALGORITHM,
                                      "the signature is not an SSH signature");
        if (size > 0 && text[size - 1] == '\n')
                size--;
        if (size < sizeof(head) + sizeof(foot) || memcmp(text, head, sizeof(head) - 1) != 0)
                return refuse(reterr, "it does not start with its BEGIN line");
        if (memcmp(text + size - (sizeof(foot) - 1), foot, sizeof(foot) - 1) != 0)
                return refuse(reterr, "it does not end with its END line");
        text += sizeof(head) - 1;
        size -= sizeof(head) - 1 + sizeof(foot) - 1;
        if (armour_join(text, size, &joined) < 0 ||
            base64_decode(buffer_str(&joined), joined.size, false, ret_blob) < 0)
                return refuse(reterr, "its text is not canonical base64");
        return buffer_check(ret_blob, "signature", reterr);
}

/* The inner signature: `string type, string 64 bytes`, and flags and counter for a security key. */
static int parse_inner(struct wire w, struct sshsig *s, struct fault *reterr) {
        struct wire type;

        if (!wire_take_string(&w, &type))
                return refuse(reterr, "its inner signature is cut off");
        if (!wire_equals(&type, sshkey_type_to_string(s->key.type)))
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_ALGORITHM,
                                      "the signature is of type %.*s, its key of type %s",
                                      (int)(type.size < 64 ? type.size : 64), (const char *)type.data,
                                      sshkey_type_to_string(s->key.type));
        if (!wire_take_fixed(&w, s->sig, sizeof(s->sig)))
                return refuse(reterr, "its inner signature does not hold 64 bytes");
        if (s->key.type == SSHKEY_SK_ED25519 && (!wire_take(&w, &s->flags, 1) || !wire_take_be32(&w, &s->counter)))
                return refuse(reterr, "the security key's flags or counter are missing");
        if (w.size > 0)
                return refuse(reterr, "bytes follow the inner signature");
        return 0;
}

static int parse_key(const struct wire *key, struct sshsig *s, struct fault *reterr) {
        own_fault struct fault fault = FAULT_INIT;

        if (sshkey_parse_blob(key->data, key->size, &s->key, &fault) == 0)
                return 0;
        if (!fault.code)
                return refuse(reterr, fault.message);
        fault_move(reterr, &fault);
        reterr->kind = FAULT_DENIED;
        return -EINVAL;
}

static int parse_hash(const struct wire *name, struct sshsig *s, struct fault *reterr) {
        for (int h = 0; h < SSHSIG_HASH_MAX_; h++)
                if (wire_equals(name, hash_names[h])) {
                        s->hash = (enum sshsig_hash)h;
                        return 0;
                }
        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_ALGORITHM,
                              "the signature's hash is neither sha512 nor sha256");
}

int sshsig_parse_blob(const void *blob, size_t size, struct sshsig *ret, struct fault *reterr) {
        struct wire w = { blob, size }, key, namespace, reserved, hash, inner;
        struct sshsig s = { 0 };
        uint32_t version;
        int r;

        if (!wire_take_literal(&w, MAGIC) || !wire_take_be32(&w, &version))
                return refuse(reterr, "its magic is missing");
        if (version != VERSION)
                return refuse(reterr, "its version is not 1");
        if (!wire_take_string(&w, &key) || !wire_take_string(&w, &namespace) || !wire_take_string(&w, &reserved) ||
            !wire_take_string(&w, &hash) || !wire_take_string(&w, &inner))
                return refuse(reterr, "it is cut off");
        if (w.size > 0)
                return refuse(reterr, "bytes follow it");
        if (reserved.size > 0)
                return refuse(reterr, "its reserved field is not empty");
        if (namespace.size == 0 || !wire_copy_text(&namespace, s.namespace, sizeof(s.namespace)))
                return refuse(reterr, "its namespace is empty, too long or not text");

        r = parse_key(&key, &s, reterr);
        if (r == 0)
                r = parse_hash(&hash, &s, reterr);
        if (r == 0)
                r = parse_inner(inner, &s, reterr);
        if (r == 0)
                *ret = s;
        return r;
}

int sshsig_parse(const void *armour, size_t size, struct sshsig *ret, struct fault *reterr) {
        own_buffer struct buffer blob = BUFFER_INIT;
        int r;

        r = armour_open(armour, size, &blob, reterr);
        if (r < 0)
                return r;
        return sshsig_parse_blob(blob.data, blob.size, ret, reterr);
}

/*
 * What is signed
 */

static size_t message_hash(enum sshsig_hash hash, const struct iovec *parts, size_t n, unsigned char *out) {
        crypto_hash_sha512_state sha512;
        crypto_hash_sha256_state sha256;

        if (hash == SSHSIG_SHA256) {
                crypto_hash_sha256_init(&sha256);
                for (size_t i = 0; i < n; i++)
                        crypto_hash_sha256_update(&sha256, parts[i].iov_base, parts[i].iov_len);
                crypto_hash_sha256_final(&sha256, out);
                return crypto_hash_sha256_BYTES;
        }
        crypto_hash_sha512_init(&sha512);
        for (size_t i = 0; i < n; i++)
                crypto_hash_sha512_update(&sha512, parts[i].iov_base, parts[i].iov_len);
        crypto_hash_sha512_final(&sha512, out);
        return crypto_hash_sha512_BYTES;
}

/* The bytes that the key signs: always with an empty `reserved`. */
static void put_signed_data(const char *namespace, enum sshsig_hash hash, const struct iovec *parts, size_t n,
                            struct buffer *out) {
        unsigned char digest[crypto_hash_sha512_BYTES];
        size_t size = message_hash(hash, parts, n, digest);

        buffer_puts(out, MAGIC);
        buffer_put_string(out, namespace, strlen(namespace));
        buffer_put_string(out, "", 0);
        buffer_put_string(out, hash_names[hash], strlen(hash_names[hash]));
        buffer_put_string(out, digest, size);
}

/* A security key signs SHA256(application), flags, counter, SHA256(data): PROTOCOL.u2f, "SSH U2F Signatures". */
static void wrap_for_security_key(const struct sshsig *s, struct buffer *data) {
        unsigned char application[32], digest[32];

        crypto_hash_sha256(application, (const unsigned char *)s->key.application, strlen(s->key.application));
        crypto_hash_sha256(digest, (const unsigned char *)data->data, data->size);
        buffer_clear(data);
        buffer_append(data, application, sizeof(application));
        buffer_append(data, &s->flags, 1);
        buffer_put_be32(data, s->counter);
        buffer_append(data, digest, sizeof(digest));
}

int sshsig_verify_parts(const struct sshsig *s, const char *namespace, const struct iovec *parts, size_t n,
                        struct fault *reterr) {
        own_buffer struct buffer data = BUFFER_INIT;
        int r;

        if (!str_eq(s->namespace, namespace))
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_NAMESPACE,
                                      "the signature is for the namespace \"%s\", not \"%s\"", s->namespace, namespace);
        put_signed_data(namespace, s->hash, parts, n, &data);
        if (s->key.type == SSHKEY_SK_ED25519 && !data.failed)
                wrap_for_security_key(s, &data);
        r = buffer_check(&data, "signed data", reterr);
        if (r < 0)
                return r;
        if (crypto_sign_verify_detached(s->sig, (const unsigned char *)data.data, data.size, s->key.pk) != 0)
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_BAD_SIGNATURE,
                                      "the signature does not belong to these bytes");
        return 0;
}

/*
 * Writing
 */

int sshsig_sign(const struct sshkey_private *k, const char *namespace, const void *data, size_t size,
                struct buffer *out, struct fault *reterr) {
        own_buffer struct buffer message = BUFFER_INIT, key = BUFFER_INIT, inner = BUFFER_INIT, blob = BUFFER_INIT;
        struct iovec part = { (void *)data, size };
        unsigned char sig[64];
        int r;

        assert(*namespace && strlen(namespace) < SSHSIG_NAMESPACE_MAX);

        put_signed_data(namespace, SSHSIG_SHA512, &part, 1, &message);
        r = buffer_check(&message, "signed data", reterr);
        if (r < 0)
                return r;
        sshkey_sign(k, message.data, message.size, sig);

        sshkey_put_blob(&k->key, &key);
        buffer_put_string(&inner, sshkey_type_to_string(k->key.type), strlen(sshkey_type_to_string(k->key.type)));
        buffer_put_string(&inner, sig, sizeof(sig));

        buffer_puts(&blob, MAGIC);
        buffer_put_be32(&blob, VERSION);
        buffer_put_string(&blob, key.data, key.size);
        buffer_put_string(&blob, namespace, strlen(namespace));
        buffer_put_string(&blob, "", 0);
        buffer_put_string(&blob, hash_names[SSHSIG_SHA512], strlen(hash_names[SSHSIG_SHA512]));
        buffer_put_string(&blob, inner.data, inner.size);
        if (key.failed || inner.failed || blob.failed)
                return fault_set_oom(reterr);

        buffer_puts(out, ARMOUR_HEAD);
        base64_encode_lines(blob.data, blob.size, ARMOUR_COLUMNS, out);
        buffer_puts(out, ARMOUR_FOOT "\n");
        return buffer_check(out, "signature", reterr);
}
