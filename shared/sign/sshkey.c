/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/sign/sshkey.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/data/base64.h"
#include "shared/sign/wire.h"

static const char *const type_names[SSHKEY_TYPE_MAX_] = {
        [SSHKEY_ED25519] = "ssh-ed25519",
        [SSHKEY_SK_ED25519] = "sk-ssh-ed25519@openssh.com",
        [SSHKEY_OTHER] = "other",
};

/* What else may stand in an allowed_signers file: OpenSSH sshkey.c, keyimpls. */
static const char *const other_names[] = {
        "ssh-rsa",
        "ssh-dss",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-xmss@openssh.com",
        "ssh-ed25519-cert-v01@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com",
        "ssh-rsa-cert-v01@openssh.com",
        "ssh-dss-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ssh-xmss-cert-v01@openssh.com",
        NULL,
};

const char *sshkey_type_to_string(enum sshkey_type type) {
        assert(type < SSHKEY_TYPE_MAX_);
        return type_names[type];
}

enum sshkey_type sshkey_type_from_name(const char *name, size_t n) {
        for (int t = 0; t < SSHKEY_OTHER; t++)
                if (strlen(type_names[t]) == n && memcmp(type_names[t], name, n) == 0)
                        return (enum sshkey_type)t;
        for (const char *const *o = other_names; *o; o++)
                if (strlen(*o) == n && memcmp(*o, name, n) == 0)
                        return SSHKEY_OTHER;
        return SSHKEY_TYPE_MAX_;
}

/*
 * Public keys
 */

static int refuse_type(const char *name, size_t n, struct fault *reterr) {
        int r = fault_set_code(reterr, FAULT_CONFIG, REASON_TRUST_ALGORITHM, "the key type %.*s is not accepted",
                               (int)(n < 64 ? n : 64), name);

        fault_hint(reterr, "use an ssh-ed25519 or sk-ssh-ed25519@openssh.com key");
        return r;
}

int sshkey_parse_blob(const void *blob, size_t size, struct sshkey *ret, struct fault *reterr) {
        struct wire w = { blob, size }, name, application;
        struct sshkey k = { 0 };

        if (!wire_take_string(&w, &name))
                return fault_set(reterr, FAULT_CONFIG, 0, "the public key is cut off");
        k.type = sshkey_type_from_name((const char *)name.data, name.size);
        if (k.type >= SSHKEY_OTHER)
                return refuse_type((const char *)name.data, name.size, reterr);
        if (!wire_take_fixed(&w, k.pk, sizeof(k.pk)))
                return fault_set(reterr, FAULT_CONFIG, 0, "the public key does not hold 32 bytes");
        if (k.type == SSHKEY_SK_ED25519 && (!wire_take_string(&w, &application) || application.size == 0 ||
                                            !wire_copy_text(&application, k.application, sizeof(k.application))))
                return fault_set(reterr, FAULT_CONFIG, 0, "the security key's application is not valid");
        if (w.size > 0)
                return fault_set(reterr, FAULT_CONFIG, 0, "%zu bytes follow the public key", w.size);

        crypto_hash_sha256(k.id, blob, size);
        *ret = k;
        return 0;
}

int sshkey_parse(const char *line, struct sshkey *ret, struct fault *reterr) {
        own_buffer struct buffer blob = BUFFER_INIT;
        size_t n = strcspn(line, " "), size;
        const char *text = line[n] ? line + n + 1 : line + n;
        enum sshkey_type type = sshkey_type_from_name(line, n);
        struct sshkey k;
        int r;

        if (type == SSHKEY_TYPE_MAX_)
                return fault_set(reterr, FAULT_CONFIG, 0, "this is not an SSH public key line");
        if (type == SSHKEY_OTHER)
                return refuse_type(line, n, reterr);
        size = strcspn(text, " ");
        if (size == 0 || strpbrk(text, "\r\n") || base64_decode(text, size, false, &blob) < 0)
                return fault_set(reterr, FAULT_CONFIG, 0, "the public key is not canonical base64 on one line");
        r = buffer_check(&blob, "public key", reterr);
        if (r < 0)
                return r;
        r = sshkey_parse_blob(blob.data, blob.size, &k, reterr);
        if (r < 0)
                return r;
        if (k.type != type)
                return fault_set(reterr, FAULT_CONFIG, 0, "the public key says %s outside and %s inside",
                                 type_names[type], type_names[k.type]);
        *ret = k;
        return 0;
}

void sshkey_put_blob(const struct sshkey *k, struct buffer *out) {
        buffer_put_string(out, type_names[k->type], strlen(type_names[k->type]));
        buffer_put_string(out, k->pk, sizeof(k->pk));
        if (k->type == SSHKEY_SK_ED25519)
                buffer_put_string(out, k->application, strlen(k->application));
}

void sshkey_put_line(const struct sshkey *k, const char *comment, struct buffer *out) {
        own_buffer struct buffer blob = BUFFER_INIT;

        sshkey_put_blob(k, &blob);
        if (blob.failed) {
                out->failed = blob.failed;
                return;
        }
        buffer_puts(out, type_names[k->type]);
        buffer_putc(out, ' ');
        base64_encode(blob.data, blob.size, false, out);
        if (comment && *comment) {
                buffer_putc(out, ' ');
                buffer_puts(out, comment);
        }
}

const char *sshkey_fingerprint(const struct sshkey *k, char *buf) {
        memcpy(buf, "SHA256:", 8);
        sodium_bin2base64(buf + 7, FINGERPRINT_TEXT_MAX - 7, k->id, sizeof(k->id),
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
        return buf;
}

bool sshkey_equal(const struct sshkey *a, const struct sshkey *b) {
        return a->type == b->type && memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

/*
 * Private keys (PROTOCOL.key): a magic, cipher and key derivation "none", the public key, and a section that holds a
 * check number twice, the secret, a comment, and padding 1, 2, 3 … to a multiple of 8.
 */

#define KEY_HEAD    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define KEY_FOOT    "-----END OPENSSH PRIVATE KEY-----"
#define KEY_MAGIC   "openssh-key-v1" /* and a NUL */
#define KEY_COLUMNS 70
#define KEY_BLOCK   8

static int key_from_pk(const unsigned char *pk, struct sshkey *ret) {
        own_buffer struct buffer blob = BUFFER_INIT;

        *ret = (struct sshkey){ .type = SSHKEY_ED25519 };
        memcpy(ret->pk, pk, sizeof(ret->pk));
        sshkey_put_blob(ret, &blob);
        if (blob.failed)
                return -blob.failed;
        crypto_hash_sha256(ret->id, (const unsigned char *)blob.data, blob.size);
        return 0;
}

int sshkey_generate(const char *comment, struct sshkey_private *ret, struct fault *reterr) {
        own_sshkey struct sshkey_private k = { 0 };
        unsigned char pk[32];

        if (sodium_init() < 0)
                return fault_set(reterr, FAULT_INTERNAL, 0, "the kernel gives no randomness for a key");
        (void)crypto_sign_keypair(pk, k.secret);
        if (key_from_pk(pk, &k.key) < 0)
                return fault_set_oom(reterr);
        (void)snprintf(k.comment, sizeof(k.comment), "%s", comment ? comment : "");
        *ret = k;
        return 0;
}

static int refuse_private(struct fault *reterr, const char *why) {
        int r = fault_set(reterr, FAULT_CONFIG, 0, "this is not an unencrypted OpenSSH ed25519 private key: %s", why);

        fault_hint(reterr, "make one with `ssh-keygen -t ed25519 -N ''`, or let Tallyman make it");
        return r;
}

/* The base64 between head and foot, its line ends removed. */
static int private_dearmour(const char *text, size_t size, struct buffer *out) {
        static const char head[] = KEY_HEAD, foot[] = KEY_FOOT;
        own_secret struct buffer joined = BUFFER_INIT;

        while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
                size--;
        if (size < sizeof(head) + sizeof(foot) || memcmp(text, head, sizeof(head) - 1) != 0 ||
            memcmp(text + size - (sizeof(foot) - 1), foot, sizeof(foot) - 1) != 0)
                return -EINVAL;
        text += sizeof(head) - 1;
        size -= sizeof(head) - 1 + sizeof(foot) - 1;
        for (size_t i = 0; i < size; i++)
                if (text[i] != '\n')
                        buffer_putc(&joined, text[i]);
        if (joined.failed)
                return -joined.failed;
        return base64_decode(buffer_str(&joined), joined.size, false, out);
}

/* The secret section, without its lengths. NULL, or what is wrong with it. */
static const char *private_read_section(struct wire *w, struct sshkey_private *k) {
        unsigned char pk[32], derived[32], pair[64];
        struct wire type, comment;
        uint32_t check[2];

        if (w->size % KEY_BLOCK != 0 || !wire_take_be32(w, &check[0]) || !wire_take_be32(w, &check[1]) ||
            check[0] != check[1])
                return "its secret part is damaged";
        if (!wire_take_string(w, &type) || !wire_equals(&type, type_names[SSHKEY_ED25519]))
                return "its secret part is for another key type";
        if (!wire_take_fixed(w, pk, sizeof(pk)) || !wire_take_fixed(w, k->secret, sizeof(k->secret)) ||
            !wire_take_string(w, &comment) || !wire_copy_text(&comment, k->comment, sizeof(k->comment)))
                return "its secret part is cut off or too long";
        for (unsigned i = 0; i < w->size; i++)
                if (w->size >= KEY_BLOCK || w->data[i] != i + 1)
                        return "its padding is wrong";

        /* The public half must be the seed's, or a signature would give the secret away. */
        (void)crypto_sign_seed_keypair(derived, pair, k->secret);
        sodium_memzero(pair, sizeof(pair));
        if (memcmp(derived, pk, sizeof(pk)) != 0 || memcmp(derived, k->secret + 32, sizeof(pk)) != 0)
                return "its halves do not belong together";
        return NULL;
}

/* The whole blob. NULL, or what is wrong with it. */
static const char *private_read_blob(struct wire *w, struct sshkey_private *k) {
        struct wire cipher, kdf, options, public, section;
        own_fault struct fault fault = FAULT_INIT;
        const char *wrong;
        char end = 1;
        uint32_t n;

        if (!wire_take_literal(w, KEY_MAGIC) || !wire_take(w, &end, 1) || end != '\0' ||
            !wire_take_string(w, &cipher) || !wire_take_string(w, &kdf) || !wire_take_string(w, &options) ||
            !wire_take_be32(w, &n))
                return "its head is damaged";
        if (!wire_equals(&cipher, "none") || !wire_equals(&kdf, "none") || options.size != 0)
                return "it is protected by a passphrase";
        if (n != 1 || !wire_take_string(w, &public) || !wire_take_string(w, &section) || w->size != 0)
                return "it does not hold exactly one key";
        if (sshkey_parse_blob(public.data, public.size, &k->key, &fault) < 0 || k->key.type != SSHKEY_ED25519)
                return "its type is another one";
        wrong = private_read_section(&section, k);
        if (wrong)
                return wrong;
        return memcmp(k->key.pk, k->secret + 32, sizeof(k->key.pk)) == 0 ? NULL : "its halves do not belong together";
}

int sshkey_private_read(const void *bytes, size_t size, struct sshkey_private *ret, struct fault *reterr) {
        own_sshkey struct sshkey_private k = { 0 };
        own_secret struct buffer blob = BUFFER_INIT;
        const char *wrong;
        struct wire w;

        if (size > LIMIT_PRIVATE_KEY_BYTES)
                return refuse_private(reterr, "it is too large");
        if (private_dearmour(bytes, size, &blob) < 0 || blob.failed)
                return refuse_private(reterr, "its armour is damaged");
        w = (struct wire){ (const unsigned char *)blob.data, blob.size };
        wrong = private_read_blob(&w, &k);
        if (wrong)
                return refuse_private(reterr, wrong);
        *ret = k;
        return 0;
}

void sshkey_private_write(const struct sshkey_private *k, struct buffer *out) {
        own_secret struct buffer blob = BUFFER_INIT, section = BUFFER_INIT;
        own_buffer struct buffer public = BUFFER_INIT;
        uint32_t check = randombytes_random();

        sshkey_put_blob(&k->key, &public);

        buffer_put_be32(&section, check);
        buffer_put_be32(&section, check);
        buffer_append(&section, public.data, public.size);
        buffer_put_string(&section, k->secret, sizeof(k->secret));
        buffer_put_string(&section, k->comment, strlen(k->comment));
        for (char pad = 1; section.size % KEY_BLOCK != 0 && !section.failed; pad++)
                buffer_putc(&section, pad);

        buffer_append(&blob, KEY_MAGIC, sizeof(KEY_MAGIC)); /* with its NUL */
        buffer_put_string(&blob, "none", 4);
        buffer_put_string(&blob, "none", 4);
        buffer_put_string(&blob, "", 0);
        buffer_put_be32(&blob, 1);
        buffer_put_string(&blob, public.data, public.size);
        buffer_put_string(&blob, section.data, section.size);

        if (public.failed || section.failed || blob.failed) {
                out->failed = ENOMEM;
                return;
        }
        buffer_puts(out, KEY_HEAD);
        base64_encode_lines(blob.data, blob.size, KEY_COLUMNS, out);
        buffer_puts(out, "\n" KEY_FOOT "\n");
}

void sshkey_sign(const struct sshkey_private *k, const void *data, size_t size, unsigned char *ret_sig) {
        (void)crypto_sign_detached(ret_sig, NULL, data, size, k->secret);
}

void sshkey_private_wipe(struct sshkey_private *k) {
        sodium_memzero(k->secret, sizeof(k->secret));
}
