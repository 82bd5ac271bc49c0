/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A repository in memory, for tests of trust: objects by id, signed commits in one call
 *
 * Ids are the first 20 bytes of SHA-256 over type and content: nothing under test computes or checks them.
 */

#include "shared/git/object.h"
#include "shared/sign/sshsig.h"
#include "tests/unit/sign/support.h"

#define STORE_SLOTS (1u << 17)
#define NOW_MS      1800000000000 /* 2027-01-15T08:00:00Z */

struct stored {
        struct object_id id;
        enum object_type type;
        char *bytes;
        size_t size;
};

struct repository {
        struct stored *slots;
        unsigned n_reads;
        struct object_reader reader;
};

static inline struct stored *repository_slot(const struct repository *r, const struct object_id *id) {
        uint32_t at;

        memcpy(&at, id->raw, sizeof(at));
        for (at %= STORE_SLOTS; r->slots[at].bytes; at = (at + 1) % STORE_SLOTS)
                if (object_id_equal(&r->slots[at].id, id))
                        break;
        return &r->slots[at];
}

static inline int repository_read(void *data, const struct object_id *id, enum object_type type, size_t limit,
                                  const void **ret_bytes, size_t *ret_size, struct fault *reterr) {
        struct repository *r = data;
        struct stored *s = repository_slot(r, id);

        r->n_reads++;
        if (!s->bytes || s->type != type || s->size > limit)
                return fault_set(reterr, FAULT_TRANSIENT, ENOENT, "no such object");
        *ret_bytes = s->bytes;
        *ret_size = s->size;
        return 0;
}

static inline void repository_init(struct repository *r) {
        *r = (struct repository){ .slots = calloc(STORE_SLOTS, sizeof(struct stored)) };
        assert_non_null(r->slots);
        r->reader = (struct object_reader){ repository_read, r };
}

static inline void repository_done(struct repository *r) {
        for (size_t i = 0; r->slots && i < STORE_SLOTS; i++)
                free(r->slots[i].bytes);
        free(r->slots);
        r->slots = NULL;
}

static inline struct object_id repository_put(struct repository *r, enum object_type type, const void *data,
                                              size_t size) {
        crypto_hash_sha256_state state;
        unsigned char digest[32];
        struct object_id id;
        struct stored *s;

        crypto_hash_sha256_init(&state);
        crypto_hash_sha256_update(&state, (const unsigned char *)object_type_to_string(type), 4);
        crypto_hash_sha256_update(&state, data, size);
        crypto_hash_sha256_final(&state, digest);
        memcpy(id.raw, digest, sizeof(id.raw));
        s = repository_slot(r, &id);
        if (!s->bytes) {
                *s = (struct stored){ id, type, malloc(size + 1), size };
                assert_non_null(s->bytes);
                memcpy(s->bytes, data, size);
        }
        return id;
}

static inline void repository_forget(struct repository *r, const struct object_id *id) {
        struct stored *s = repository_slot(r, id);

        /* Another type, so that probing beyond it still works. */
        assert_non_null(s->bytes);
        s->type = OBJECT_TYPE_MAX_;
}

static inline void put_tree_entry(struct buffer *out, const char *mode_and_name, const struct object_id *id) {
        buffer_append(out, mode_and_name, strlen(mode_and_name) + 1);
        buffer_append(out, id->raw, sizeof(id->raw));
}

/* A root tree whose trust/allowed_signers has @mode ("100644") and holds @signers. */
static inline struct object_id repository_tree_mode(struct repository *r, const char *mode, const char *signers,
                                                    unsigned content) {
        own_buffer struct buffer folder = BUFFER_INIT, root = BUFFER_INIT, entry = BUFFER_INIT;
        struct object_id blob = repository_put(r, OBJECT_BLOB, signers, strlen(signers));
        struct object_id app = repository_put(r, OBJECT_BLOB, &content, sizeof(content)), trust;

        buffer_printf(&entry, "%s allowed_signers", mode);
        put_tree_entry(&folder, buffer_str(&entry), &blob);
        trust = repository_put(r, OBJECT_TREE, folder.data, folder.size);
        put_tree_entry(&root, "100644 app.yaml", &app);
        put_tree_entry(&root, "40000 trust", &trust);
        return repository_put(r, OBJECT_TREE, root.data, root.size);
}

static inline struct object_id repository_tree(struct repository *r, const char *signers, unsigned content) {
        return repository_tree_mode(r, "100644", signers, content);
}

struct commit_spec {
        const char *subject;
        const char *signers; /* the content of its trust/allowed_signers, unless tree is given */
        const struct object_id *tree;
        const struct object_id *parents[20]; /* NULL-terminated */
        unsigned char seed;                  /* of the signing key; 0: unsigned */
        bool sk;                             /* as a security key with sk_flags */
        uint8_t sk_flags;
        int64_t time_s;           /* 0: an hour before NOW_MS */
        const char *namespace;    /* NULL: git */
        const char *message_tail; /* after the subject's line */
};

/* The commit without a signature, its header's end at *@ret_header. */
static inline void put_plain_commit(struct repository *r, const struct commit_spec *c, struct buffer *out,
                                    size_t *ret_header) {
        struct object_id tree = c->tree ? *c->tree : repository_tree(r, c->signers, 0);
        int64_t time_s = c->time_s ? c->time_s : NOW_MS / 1000 - 3600;
        char hex[OBJECT_ID_TEXT_MAX];

        buffer_printf(out, "tree %s\n", object_id_format(&tree, hex));
        for (const struct object_id *const *p = c->parents; *p; p++)
                buffer_printf(out, "parent %s\n", object_id_format(*p, hex));
        buffer_printf(out, "author A <a@x> %lld +0000\ncommitter C <c@x> %lld +0000\n", (long long)time_s,
                      (long long)time_s);
        *ret_header = out->size;
        buffer_printf(out, "\n%s\n%s", c->subject, c->message_tail ? c->message_tail : "");
}

static inline struct object_id repository_commit(struct repository *r, const struct commit_spec *c) {
        own_buffer struct buffer plain = BUFFER_INIT, armour = BUFFER_INIT, raw = BUFFER_INIT;
        const char *namespace = c->namespace ? c->namespace : "git";
        size_t header;

        put_plain_commit(r, c, &plain, &header);
        if (!c->seed)
                return repository_put(r, OBJECT_COMMIT, plain.data, plain.size);
        if (c->sk) {
                struct sshkey_private k = sk_key_of_seed(c->seed);

                sk_sign(&k, namespace, plain.data, plain.size, c->sk_flags, 1, &armour);
        } else {
                struct sshkey_private k = key_of_seed(c->seed);

                assert_fine(sshsig_sign(&k, namespace, plain.data, plain.size, &armour, &fault));
                armour.size--;
        }
        buffer_append(&raw, plain.data, header);
        buffer_puts(&raw, "gpgsig ");
        for (size_t i = 0; i < armour.size; i++) {
                buffer_putc(&raw, armour.data[i]);
                if (armour.data[i] == '\n')
                        buffer_putc(&raw, ' ');
        }
        buffer_putc(&raw, '\n');
        buffer_append(&raw, plain.data + header, plain.size - header);
        return repository_put(r, OBJECT_COMMIT, raw.data, raw.size);
}
