/* SPDX-License-Identifier: Apache-2.0 */

/* A commit that is taken says the same whichever way it is read, and its parts lie inside it. */

#include <assert.h>

#include "shared/git/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const uint8_t *data, size_t size, const void *part, size_t part_size) {
        const uint8_t *p = part;

        assert(p >= data && p <= data + size && part_size <= (size_t)(data + size - p));
}

static void read_commit(const uint8_t *data, size_t size) {
        own_fault struct fault fault = FAULT_INIT;
        own_buffer struct buffer armour = BUFFER_INIT;
        struct object_id tree, parents[LIMIT_COMMIT_PARENTS];
        struct object_commit c;
        char subject[20];
        size_t n = 0;

        if (object_commit_parse(data, size, &c, &fault) < 0) {
                assert(fault.code);
                return;
        }
        check_inside(data, size, c.message.data, c.message.size);
        check_inside(data, size, c.author.name.data, c.author.name.size);
        check_inside(data, size, c.committer.email.data, c.committer.email.size);
        check_inside(data, size, c.payload[0].iov_base, c.payload[0].iov_len);
        check_inside(data, size, c.payload[1].iov_base, c.payload[1].iov_len);
        assert(!c.signature.data == (c.payload[0].iov_len == size));
        object_commit_put_signature(&c, &armour);
        assert(armour.size <= c.signature.size);
        assert(strlen(object_commit_subject(&c, subject, sizeof(subject))) < sizeof(subject));

        assert(object_commit_links(data, size, &tree, parents, LIMIT_COMMIT_PARENTS, &n, &fault) == 0);
        assert(n == c.n_parents && object_id_equal(&tree, &c.tree));
        for (size_t i = 0; i < n; i++)
                assert(object_id_equal(&parents[i], &c.parents[i]));
}

static void read_tree(const uint8_t *data, size_t size) {
        own_fault struct fault fault = FAULT_INIT;
        struct object_tree t;
        struct object_entry e;
        size_t sum = 0;
        int r;

        object_tree_begin(&t, data, size);
        while ((r = object_tree_next(&t, &e, &fault)) > 0)
                sum += e.name_size + 20;
        assert(r < 0 || sum <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        read_commit(data, size);
        read_tree(data, size);
        return 0;
}
