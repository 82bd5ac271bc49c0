/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/compact.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <git2.h>
#include <git2/odb_backend.h>

#include "shared/base/arena.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/child.h"
#include "shared/git/error.h"
#include "shared/git/library.h"

#define FAN_OUT        256  /* folders of loose objects: one per first byte */
#define SAMPLE         "17" /* the one that stands for all, as for git gc --auto */
#define REFS_DEPTH_MAX 16   /* folders below refs/ that are looked through */
#define NAME_DIGITS    38   /* of a loose object's file: 40 less the folder's */
#define PACK_HEADER    12   /* gitformat-pack: "PACK", version, number of objects */
#define PACK_NAME_MAX  64   /* "pack-" and 40 digits, and some room */
#define STALL_MS       (5 * 60 * 1000)
#define TIMEOUT_MS     (30 * 60 * 1000)
#define SETTINGS       "tally-pack.config"

const struct compact_limits compact_default = {
        .loose = LIMIT_LOOSE_OBJECTS,
        .packs = LIMIT_PACKS,
        .objects = LIMIT_COMPACT_OBJECTS,
        .object_bytes = LIMIT_COMPACT_BYTES,
};

/* libgit2 would keep 256 MiB of deltas, and windows of any size. */
static const char settings[] = "[pack]\n\tdeltaCacheSize = 2097152\n\twindowMemory = 16777216\n\tthreads = 1\n";

DEFINE_OWN(git_config, git_config_free)
DEFINE_OWN(git_odb, git_odb_free)

static inline void own_dir_p(DIR **d) {
        if (*d)
                (void)closedir(*d);
}

/* A folder below @dirfd; NULL when it isn't there. */
static DIR *open_folder(int dirfd, const char *name) {
        int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir && fd >= 0)
                (void)close(fd);
        return dir;
}

static bool is_hex(const char *s, size_t n) {
        return strspn(s, "0123456789abcdef") == n && s[n] == '\0';
}

/*
 * What is there
 */

struct pack {
        const char *name; /* "pack-<hex>", without what comes behind it */
        size_t objects;
};

struct pack_list {
        struct pack *items;
        size_t n;
};

static int compare_packs(const void *a, const void *b) {
        const struct pack *x = a, *y = b;

        return x->objects == y->objects ? strcmp(x->name, y->name) : x->objects < y->objects ? -1 : 1;
}

/* The number of objects by its header; 0 when it is no pack of ours. */
static size_t count_of(int packfd, const char *file) {
        own_fd int fd = openat(packfd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        unsigned char head[PACK_HEADER];

        if (fd < 0 || pread(fd, head, sizeof(head), 0) != PACK_HEADER || memcmp(head, "PACK", 4) != 0)
                return 0;
        return (size_t)head[8] << 24 | (size_t)head[9] << 16 | (size_t)head[10] << 8 | head[11];
}

/* All packs with an index, smallest first. False when somebody else maintains them. */
static bool list_packs(int packfd, bool counted, struct arena *a, struct pack_list *ret) {
        own(own_dir_p) DIR *dir = open_folder(packfd, ".");
        struct pack_list list = { 0 };

        for (const struct dirent *e; dir && (e = readdir(dir));) {
                const char *digits = str_after(e->d_name, "pack-");
                struct pack pack = { 0 };

                if (str_eq(e->d_name, "multi-pack-index") || str_ends_with(e->d_name, ".keep"))
                        return false;
                if (!digits || !str_ends_with(digits, ".pack"))
                        continue;
                pack.name = arena_strndup(a, e->d_name, strlen(e->d_name) - strlen(".pack"));
                if (strlen(pack.name) >= PACK_NAME_MAX ||
                    faccessat(packfd, arena_printf(a, "%s.idx", pack.name), F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                pack.objects = counted ? count_of(packfd, e->d_name) : 1;
                if (pack.objects > 0)
                        *(struct pack *)arena_push(a, &list.items, &list.n, sizeof(pack)) = pack;
        }
        if (list.n > 1)
                qsort(list.items, list.n, sizeof(*list.items), compare_packs);
        *ret = list;
        return dir;
}

static size_t count_sample(int objectsfd) {
        own(own_dir_p) DIR *dir = open_folder(objectsfd, SAMPLE);
        size_t n = 0;

        for (const struct dirent *e; dir && (e = readdir(dir));)
                n += is_hex(e->d_name, NAME_DIGITS);
        return n;
}

/* By the sample: exact enough for a threshold, and one small folder to read. */
static bool loose_is_due(int objectsfd, const struct compact_limits *limits) {
        return count_sample(objectsfd) > (limits->loose + FAN_OUT - 1) / FAN_OUT;
}

/*
 * The work, in the child
 */

struct compact {
        const char *path; /* of the repository */
        const struct compact_limits *limits;
        struct child *child;
        struct arena *arena;
        git_repository *repo;
        git_odb *odb; /* of the repository */
        git_packbuilder *builder;
        int objectsfd, packfd;
        git_oid *loose; /* to be packed; in the arena */
        size_t n_loose;
        struct pack *packs; /* likewise */
        size_t n_packs;
        size_t total;             /* of both, before those that are there twice are seen */
        char made[PACK_NAME_MAX]; /* the new pack's name */
};

struct outcome {
        bool done;
};

/* Whether an object can go into the pack. One that cannot be read is left to whoever misses it. */
static bool is_packable(const struct compact *c, const git_oid *id) {
        git_object_t type;
        size_t size;

        return git_odb_read_header(&size, &type, c->odb, id) == 0 && size <= c->limits->object_bytes;
}

static void list_folder(struct compact *c, unsigned first) {
        char name[3], hex[GIT_OID_HEXSZ + 1];
        own(own_dir_p) DIR *dir = NULL;

        (void)snprintf(name, sizeof(name), "%02x", first & 0xff);
        dir = open_folder(c->objectsfd, name);
        for (const struct dirent *e; dir && c->total < c->limits->objects && (e = readdir(dir));) {
                git_oid id;

                if (!is_hex(e->d_name, NAME_DIGITS))
                        continue;
                (void)snprintf(hex, sizeof(hex), "%s%.38s", name, e->d_name);
                if (git_oid_fromstr(&id, hex) < 0 || !is_packable(c, &id))
                        continue;
                *(git_oid *)arena_push(c->arena, &c->loose, &c->n_loose, sizeof(id)) = id;
                c->total++;
        }
}

/* The objects of one pack alone. */
static int open_pack(const struct compact *c, const char *name, git_odb **ret, struct fault *reterr) {
        own(git_odb_free_p) git_odb *odb = NULL;
        git_odb_backend *backend = NULL;
        const char *index = arena_printf(c->arena, "%s/objects/pack/%s.idx", c->path, name);
        int rc = git_odb_new(&odb);

        if (rc >= 0)
                rc = git_odb_backend_one_pack(&backend, index);
        if (rc >= 0)
                rc = git_odb_add_backend(odb, backend, 1);
        if (rc < 0)
                return git_fault(reterr, rc, "reading %s", index);
        *ret = take(odb);
        return 0;
}

static int see_size(const git_oid *id, void *data) {
        const struct compact *c = data;

        return is_packable(c, id) ? 0 : GIT_EUSER;
}

/* Whether all of a pack can go into another one. */
static bool pack_is_packable(const struct compact *c, const struct pack *p) {
        own(git_odb_free_p) git_odb *odb = NULL;
        own_fault struct fault ignored = FAULT_INIT;

        return open_pack(c, p->name, &odb, &ignored) == 0 && git_odb_foreach(odb, see_size, (void *)c) == 0;
}

/*
 * Packs, smallest first: so many that half of the limit is free again, and then as long as one isn't large beside
 * all before it together. So an object is written again only when the pack that it is in at least grows by half.
 */
static void choose_packs(struct compact *c, const struct pack_list *all) {
        size_t must = all->n > c->limits->packs ? all->n - c->limits->packs / 2 : 0;

        for (size_t i = 0; i < all->n; i++) {
                const struct pack *p = &all->items[i];

                if (c->total + p->objects > c->limits->objects || (i >= must && p->objects > 2 * c->total))
                        return;
                if (!pack_is_packable(c, p))
                        continue;
                *(struct pack *)arena_push(c->arena, &c->packs, &c->n_packs, sizeof(*p)) = *p;
                c->total += p->objects;
                child_alive(c->child);
        }
}

static int insert(const git_oid *id, void *data) {
        struct compact *c = data;

        return git_packbuilder_insert(c->builder, id, NULL);
}

static int on_progress(int stage, uint32_t current, uint32_t total, void *data) {
        struct compact *c = data;

        child_alive(c->child);
        return 0;
}

static int open_builder(struct compact *c, struct fault *reterr) {
        own(git_config_free_p) git_config *config = NULL;
        const char *path = arena_printf(c->arena, "%s/%s", c->path, SETTINGS);
        int rc, r = file_write(AT_FDCWD, path, settings, strlen(settings), 0600, reterr);

        if (r < 0)
                return r;
        rc = git_repository_config(&config, c->repo);
        if (rc >= 0)
                rc = git_config_add_file_ondisk(config, path, GIT_CONFIG_LEVEL_APP, c->repo, 0);
        if (rc >= 0)
                rc = git_packbuilder_new(&c->builder, c->repo);
        if (rc >= 0)
                rc = git_packbuilder_set_callbacks(c->builder, on_progress, c);
        if (rc < 0)
                return git_fault(reterr, rc, "packing %s", c->path);
        (void)git_packbuilder_set_threads(c->builder, 1);
        return 0;
}

static int insert_all(struct compact *c, struct fault *reterr) {
        int r = 0, rc = 0;

        for (size_t i = 0; rc >= 0 && i < c->n_loose; i++)
                rc = insert(&c->loose[i], c);
        for (size_t i = 0; r >= 0 && rc >= 0 && i < c->n_packs; i++) {
                own(git_odb_free_p) git_odb *odb = NULL;

                r = open_pack(c, c->packs[i].name, &odb, reterr);
                if (r >= 0)
                        rc = git_odb_foreach(odb, insert, c);
        }
        return rc < 0 ? git_fault(reterr, rc, "packing %s", c->path) : r;
}

/* fsync'd, index and folder too: git_begin() has asked for it. */
static int write_pack(struct compact *c, struct fault *reterr) {
        const char *folder = arena_printf(c->arena, "%s/objects/pack", c->path);
        int rc, r = open_builder(c, reterr);

        if (r >= 0)
                r = insert_all(c, reterr);
        if (r < 0)
                return r;
        rc = git_packbuilder_write(c->builder, folder, 0, NULL, NULL);
        if (rc < 0)
                return git_fault(reterr, rc, "writing a pack of %s", c->path);
        (void)snprintf(c->made, sizeof(c->made), "pack-%s", git_packbuilder_name(c->builder));
        return fsync(c->packfd) < 0 ? fault_set(reterr, FAULT_TRANSIENT, errno, "cannot write to %s", folder) : 0;
}

/*
 * Nothing is removed but what is seen in the new pack.
 */

static int see_object(const git_oid *id, void *data) {
        return git_odb_exists(data, id) == 1 ? 0 : GIT_EUSER;
}

static int check_written(const struct compact *c, struct fault *reterr) {
        own(git_odb_free_p) git_odb *made = NULL;
        bool complete = true;
        int r = open_pack(c, c->made, &made, reterr);

        for (size_t i = 0; r >= 0 && complete && i < c->n_loose; i++)
                complete = see_object(&c->loose[i], made) == 0;
        for (size_t i = 0; r >= 0 && complete && i < c->n_packs; i++) {
                own(git_odb_free_p) git_odb *old = NULL;

                r = open_pack(c, c->packs[i].name, &old, reterr);
                complete = r >= 0 && git_odb_foreach(old, see_object, made) == 0;
        }
        if (r >= 0 && !complete)
                r = fault_set(reterr, FAULT_INTERNAL, EIO, "the new pack of %s is not complete", c->path);
        return r;
}

/* The index first: without it nobody looks for the pack. */
static void remove_pack(const struct compact *c, const char *name) {
        static const char *const ends[] = { "idx", "rev", "bitmap", "pack" };

        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
                (void)unlinkat(c->packfd, arena_printf(c->arena, "%s.%s", name, ends[i]), 0);
}

/* What cannot be removed is there twice, and tried again with the next pack. */
static void remove_old(const struct compact *c) {
        char path[GIT_OID_HEXSZ + 2];

        for (size_t i = 0; i < c->n_packs; i++)
                if (!str_eq(c->packs[i].name, c->made))
                        remove_pack(c, c->packs[i].name);
        for (size_t i = 0; i < c->n_loose; i++) {
                (void)git_oid_pathfmt(path, &c->loose[i]);
                path[GIT_OID_HEXSZ + 1] = '\0';
                (void)unlinkat(c->objectsfd, path, 0);
        }
        (void)fsync(c->packfd);
}

static int open_all(struct compact *c, struct fault *reterr) {
        int rc = git_repository_open_bare(&c->repo, c->path);

        if (rc >= 0)
                rc = git_repository_odb(&c->odb, c->repo);
        return rc < 0 ? git_fault(reterr, rc, "opening the repository %s", c->path) : 0;
}

static int pack_and_remove(struct compact *c, bool *ret_done, struct fault *reterr) {
        struct pack_list all = { 0 };
        int r = open_all(c, reterr);

        if (r < 0)
                return r;
        for (unsigned i = 0; i < FAN_OUT; i++) {
                list_folder(c, i);
                child_alive(c->child);
        }
        if (list_packs(c->packfd, true, c->arena, &all))
                choose_packs(c, &all);
        if (c->n_loose == 0 && c->n_packs < 2)
                return 0;
        r = write_pack(c, reterr);
        if (r >= 0)
                r = check_written(c, reterr);
        if (r < 0)
                return r;
        remove_old(c);
        *ret_done = true;
        return 0;
}

static int run(struct child *child, void *data, void *result, struct fault *reterr) {
        own_arena struct arena *a = arena_new();
        struct outcome *outcome = result;
        struct compact c = *(const struct compact *)data;
        int r = git_begin_child(NULL, NULL, reterr);

        if (r < 0)
                return r;
        c.child = child;
        c.arena = a;
        r = pack_and_remove(&c, &outcome->done, reterr);
        git_packbuilder_free(c.builder);
        git_odb_free(c.odb);
        git_repository_free(c.repo);
        git_end();
        return r;
}

/*
 * The caller's side
 */

static int open_objects(const struct mirror *m, int *ret_objectsfd, int *ret_packfd, struct fault *reterr) {
        own_fd int dirfd = -1, objectsfd = -1, packfd = -1;
        int r = dir_open(AT_FDCWD, mirror_path(m), &dirfd, reterr);

        if (r >= 0)
                r = dir_open(dirfd, "objects", &objectsfd, reterr);
        if (r >= 0)
                r = dir_open(objectsfd, "pack", &packfd, reterr);
        if (r < 0)
                return r;
        *ret_objectsfd = take_fd(&objectsfd);
        *ret_packfd = take_fd(&packfd);
        return 0;
}

static bool is_due(int objectsfd, int packfd, const struct compact_limits *limits) {
        own_arena struct arena *a = arena_new();
        struct pack_list packs = { 0 };

        if (!list_packs(packfd, false, a, &packs))
                return false;
        return packs.n > limits->packs || loose_is_due(objectsfd, limits);
}

int mirror_compact(struct mirror *m, const struct compact_limits *limits, bool *ret_done, struct fault *reterr) {
        own_fd int objectsfd = -1, packfd = -1;
        struct compact c = { .path = mirror_path(m), .limits = limits };
        struct outcome outcome = { .done = false };
        int r = open_objects(m, &objectsfd, &packfd, reterr);

        if (r < 0)
                return r;
        if (is_due(objectsfd, packfd, limits)) {
                mirror_sweep(m);
                c.objectsfd = objectsfd;
                c.packfd = packfd;
                r = child_run(&(struct child_work){ .what = "packing the objects of a repository",
                                                    .run = run,
                                                    .data = &c,
                                                    .result_size = sizeof(outcome),
                                                    .stall_timeout_ms = STALL_MS,
                                                    .timeout_ms = TIMEOUT_MS },
                              &outcome, reterr);
                if (r >= 0 && outcome.done)
                        r = mirror_refresh(m, reterr);
        }
        if (r >= 0 && ret_done)
                *ret_done = outcome.done;
        return r;
}

/*
 * Leftovers
 */

/* Temporary names of libgit2 and of git; locks of what libgit2 writes. */
static bool is_leftover(const char *name) {
        return str_after(name, "pack_git2_") || str_after(name, "tmp_") || str_after(name, "tmp-") ||
               str_after(name, ".tmp-") || str_ends_with(name, ".lock") || strstr(name, "_git2_");
}

/* An index without its pack, or a pack without its index. Either alone is of no use to anybody. */
static bool is_half(int packfd, const char *name) {
        static const char *const ends[][2] = { { ".idx", ".pack" }, { ".pack", ".idx" } };
        char other[NAME_MAX + 1];

        for (size_t i = 0; i < 2; i++) {
                size_t n = strlen(name), end = strlen(ends[i][0]);

                if (!str_after(name, "pack-") || !str_ends_with(name, ends[i][0]))
                        continue;
                (void)snprintf(other, sizeof(other), "%.*s%s", (int)(n - end), name, ends[i][1]);
                return faccessat(packfd, other, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
        }
        return false;
}

static void sweep_folder(int dirfd, bool packs) {
        own(own_dir_p) DIR *dir = open_folder(dirfd, ".");

        for (const struct dirent *e; dir && (e = readdir(dir));)
                if (is_leftover(e->d_name) || (packs && is_half(dirfd, e->d_name)))
                        (void)unlinkat(dirfd, e->d_name, 0);
}

/* No ref's name ends with .lock (git-check-ref-format(1)). */
static void sweep_refs(int dirfd, int depth) {
        own(own_dir_p) DIR *dir = open_folder(dirfd, ".");

        for (const struct dirent *e; dir && depth > 0 && (e = readdir(dir));) {
                own_fd int below = -1;

                if (e->d_name[0] == '.')
                        continue;
                if (str_ends_with(e->d_name, ".lock"))
                        (void)unlinkat(dirfd, e->d_name, 0);
                below = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (below >= 0)
                        sweep_refs(below, depth - 1);
        }
}

void mirror_sweep(const struct mirror *m) {
        own_fd int rootfd = open(mirror_path(m), O_RDONLY | O_DIRECTORY | O_CLOEXEC), refsfd = -1;
        own_fd int objectsfd = -1, packfd = -1;
        own_fault struct fault ignored = FAULT_INIT;

        refsfd = rootfd >= 0 ? openat(rootfd, "refs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (refsfd >= 0)
                sweep_refs(refsfd, REFS_DEPTH_MAX);
        if (open_objects(m, &objectsfd, &packfd, &ignored) < 0)
                return;
        sweep_folder(objectsfd, false);
        sweep_folder(packfd, true);
}
