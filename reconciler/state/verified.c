/* SPDX-License-Identifier: Apache-2.0 */

#include "reconciler/state/verified.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"

#define FILE_NAME   "verified"
#define MARK        "tally-verified-1" /* 16 bytes, without its NUL */
#define MARK_BYTES  16
#define TRUST_BYTES 32

struct entry {
        unsigned char commit[20];
        unsigned char trust[TRUST_BYTES];
};

_Static_assert(sizeof(struct entry) == 52, "as it stands in the file");

/* The entries as they lie in the file, and a hash table of 1 + their index, open addressing. */
struct verified {
        int dirfd;
        bool loaded;
        bool anew;             /* the file must be written as a whole */
        struct entry *entries; /* owned */
        size_t n, room;
        size_t n_saved;
        uint32_t *table; /* owned; a power of two of them, at most half full */
        size_t slots;
};

struct verified *verified_new(int dirfd) {
        struct verified *v = calloc(1, sizeof(*v));

        if (!v)
                abort();
        v->dirfd = dirfd;
        return v;
}

void verified_free(struct verified *v) {
        if (!v)
                return;
        free(v->entries);
        free(v->table);
        free(v);
}

/*
 * The table. A commit id is a hash already; the trust digest keeps apart what was judged twice.
 */

static size_t slot_of(const struct verified *v, const struct entry *e) {
        uint64_t a, b;

        memcpy(&a, e->commit, sizeof(a));
        memcpy(&b, e->trust, sizeof(b));
        return (size_t)(a ^ (b * 0x9e3779b97f4a7c15u)) & (v->slots - 1);
}

static bool table_find(const struct verified *v, const struct entry *e, size_t *ret_slot) {
        size_t slot = slot_of(v, e);

        for (; v->table[slot] != 0; slot = (slot + 1) & (v->slots - 1))
                if (memcmp(&v->entries[v->table[slot] - 1], e, sizeof(*e)) == 0)
                        return true;
        *ret_slot = slot;
        return false;
}

static void table_grow(struct verified *v, size_t n) {
        size_t slots = 64, slot;

        while (slots < 2 * n)
                slots *= 2;
        if (slots <= v->slots)
                return;
        free(v->table);
        v->slots = slots;
        v->table = calloc(slots, sizeof(*v->table));
        if (!v->table)
                abort();
        for (size_t i = 0; i < v->n; i++)
                if (!table_find(v, &v->entries[i], &slot))
                        v->table[slot] = (uint32_t)(i + 1);
}

static void append(struct verified *v, const struct entry *e) {
        size_t slot;

        table_grow(v, v->n + 1);
        if (table_find(v, e, &slot))
                return;
        if (v->n == v->room) {
                v->room = v->room ? 2 * v->room : 64;
                v->entries = reallocarray(v->entries, v->room, sizeof(*v->entries));
                if (!v->entries)
                        abort();
        }
        v->entries[v->n++] = *e;
        v->table[slot] = (uint32_t)v->n;
}

/*
 * The file
 */

/* What cannot be read is verified again: no failure of the cache stops a pass. */
static void load(struct verified *v) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        own_fault struct fault ignored = FAULT_INIT;
        struct entry e;
        size_t n, first;

        v->loaded = true;
        if (file_read(v->dirfd, FILE_NAME, MARK_BYTES + 2 * LIMIT_VERIFIED_RECORDS * sizeof(e), &bytes, &ignored) < 0 ||
            bytes.size < MARK_BYTES || memcmp(bytes.data, MARK, MARK_BYTES) != 0) {
                v->anew = true;
                return;
        }
        n = (bytes.size - MARK_BYTES) / sizeof(e);
        first = n > LIMIT_VERIFIED_RECORDS ? n - LIMIT_VERIFIED_RECORDS / 2 : 0;
        table_grow(v, n - first);
        for (size_t i = first; i < n; i++) {
                memcpy(&e, bytes.data + MARK_BYTES + i * sizeof(e), sizeof(e));
                append(v, &e);
        }
        v->n_saved = v->n;
        /* A torn tail, doubles or too many: the next save writes the file as a whole. */
        v->anew = bytes.size != MARK_BYTES + v->n * sizeof(e);
}

static bool entry_make(const struct object_id *id, const struct digest *trust, struct entry *ret) {
        memcpy(ret->commit, id->raw, sizeof(ret->commit));
        return digest_is_set(trust) && hex_decode(digest_hex(trust), ret->trust, TRUST_BYTES) == 0;
}

bool verified_has(struct verified *v, const struct object_id *id, const struct digest *trust) {
        struct entry e;
        size_t slot;

        if (!v->loaded)
                load(v);
        return v->n > 0 && entry_make(id, trust, &e) && table_find(v, &e, &slot);
}

void verified_add(struct verified *v, const struct object_id *id, const struct digest *trust) {
        struct entry e;

        if (!v->loaded)
                load(v);
        if (entry_make(id, trust, &e))
                append(v, &e);
}

size_t verified_count(struct verified *v) {
        if (!v->loaded)
                load(v);
        return v->n;
}

static int write_anew(const struct verified *v, struct fault *reterr) {
        own_buffer struct buffer bytes = BUFFER_INIT;
        size_t first = v->n > LIMIT_VERIFIED_RECORDS ? v->n - LIMIT_VERIFIED_RECORDS / 2 : 0;
        int r;

        buffer_append(&bytes, MARK, MARK_BYTES);
        buffer_append(&bytes, v->entries + first, (v->n - first) * sizeof(*v->entries));
        r = buffer_check(&bytes, "verified commits", reterr);
        return r < 0 ? r : file_write(v->dirfd, FILE_NAME, bytes.data, bytes.size, 0600, reterr);
}

/* Not synced: what a power cut takes is verified again. */
static int write_more(const struct verified *v, struct fault *reterr) {
        own_fd int fd = openat(v->dirfd, FILE_NAME, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
        int r;

        if (fd < 0)
                return fault_set(reterr, FAULT_TRANSIENT, errno, "cannot open '" FILE_NAME "'");
        r = write_all(fd, v->entries + v->n_saved, (v->n - v->n_saved) * sizeof(*v->entries));
        return r < 0 ? fault_set(reterr, FAULT_TRANSIENT, -r, "cannot write '" FILE_NAME "'") : 0;
}

int verified_save(struct verified *v, struct fault *reterr) {
        int r;

        if (!v->loaded || v->n == v->n_saved)
                return 0;
        r = v->anew || v->n > LIMIT_VERIFIED_RECORDS ? write_anew(v, reterr) : write_more(v, reterr);
        v->anew = r < 0; /* half an entry may stand at its end now */
        if (r < 0) {
                reterr->code = REASON_STATE_UNWRITABLE;
                return r;
        }
        v->n_saved = v->n;
        return 0;
}

/*
 * For trust_verify()
 */

static bool is_verified(void *data, const struct object_id *id, const struct digest *trust) {
        return verified_has(data, id, trust);
}

static void note_verified(void *data, const struct object_id *id, const struct digest *trust) {
        verified_add(data, id, trust);
}

struct trust_memory verified_memory(struct verified *v) {
        return (struct trust_memory){ is_verified, note_verified, v };
}
