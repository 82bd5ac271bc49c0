/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/mirror.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <git2.h>

#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/error.h"
#include "shared/git/library.h"

#define BROKEN_INFIX ".broken-"
#define FRESH_SUFFIX ".new"
#define DAMAGED      "tally-damaged" /* a mark inside the repository */
#define FOLDER_MODE  0700
#define NAME_BYTES   64 /* of a mirror's own name; the suffixes above fit behind it */
#define REMOVE_DEPTH 32

struct mirror {
        char *path;
        git_repository *repo;
        git_odb *odb;
        git_odb_object *held; /* what the last read of mirror_reader() returned */
};

DEFINE_OWN(git_reference_iterator, git_reference_iterator_free)
DEFINE_OWN(git_reference, git_reference_free)
DEFINE_OWN(git_repository, git_repository_free)
DEFINE_OWN(git_odb_object, git_odb_object_free)

static inline void own_dir_p(DIR **d) {
        if (*d)
                (void)closedir(*d);
}

/*
 * Folders
 */

/* Remove a folder and all below it, following no link. What cannot be removed stays: it is only room. */
static void remove_folder(int dirfd, const char *name, unsigned depth) {
        int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        own(own_dir_p) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir) {
                if (fd >= 0)
                        (void)close(fd);
                return;
        }
        for (const struct dirent *e; (e = readdir(dir));) {
                if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
                        continue;
                if (unlinkat(fd, e->d_name, 0) < 0 && depth < REMOVE_DEPTH)
                        remove_folder(fd, e->d_name, depth + 1);
        }
        (void)unlinkat(dirfd, name, AT_REMOVEDIR);
}

/* Remove the `<name>.broken-…` beside @name but @keep. */
static void remove_older(int dirfd, const char *name, const char *keep) {
        int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        own(own_dir_p) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        for (const struct dirent *e; dir && (e = readdir(dir));) {
                const char *rest = str_after(e->d_name, name);

                if (rest && str_after(rest, BROKEN_INFIX) && !str_eq(e->d_name, keep))
                        remove_folder(dirfd, e->d_name, 0);
        }
        if (!dir && fd >= 0)
                (void)close(fd);
}

static int set_aside(int dirfd, const char *name, char ret_broken[MIRROR_NAME_MAX], struct fault *reterr) {
        char broken[MIRROR_NAME_MAX];
        int64_t at = clock_wall_ms() / 1000;

        for (unsigned attempt = 0;; attempt++, at++) {
                (void)snprintf(broken, sizeof(broken), "%s%s%" PRId64, name, BROKEN_INFIX, at);
                if (renameat2(dirfd, name, dirfd, broken, RENAME_NOREPLACE) == 0)
                        break;
                if (errno != EEXIST || attempt > 10) {
                        int r = fault_set(reterr, FAULT_TRANSIENT, errno, "cannot set aside the repository %s", name);

                        reterr->code = REASON_STATE_UNWRITABLE;
                        return r;
                }
        }
        memcpy(ret_broken, broken, sizeof(broken));
        return 0;
}

int mirror_set_aside(const char *folder, const char *name, char ret_broken[MIRROR_NAME_MAX], struct fault *reterr) {
        own_fd int dirfd = -1;
        int r;

        assert(strlen(name) <= NAME_BYTES);
        r = dir_open(AT_FDCWD, folder, &dirfd, reterr);
        return r < 0 ? r : set_aside(dirfd, name, ret_broken, reterr);
}

/*
 * Looking whether a repository can be used
 */

static bool has_bytes(const char *folder, const char *name) {
        own_free char *path = NULL;
        struct stat st;

        return asprintf(&path, "%s/%s", folder, name) > 0 && stat(path, &st) == 0 && st.st_size > 0;
}

static int check_borrowing(const char *path, struct fault *reterr) {
        static const struct {
                const char *file, *means;
        } marks[] = {
                { "shallow", "is shallow" },
                { "info/grafts", "has grafts" },
                { "objects/info/alternates", "borrows objects from another one" },
                { "objects/info/http-alternates", "borrows objects from another one" },
        };

        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
                if (has_bytes(path, marks[i].file))
                        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_SHALLOW, "the repository %s %s", path,
                                              marks[i].means);
        return 0;
}

static int check_replaced(git_repository *repo, const char *path, struct fault *reterr) {
        own(git_reference_iterator_free_p) git_reference_iterator *it = NULL;
        const char *name;
        int rc = git_reference_iterator_glob_new(&it, repo, "refs/replace/*");

        if (rc < 0)
                return git_fault(reterr, rc, "reading the refs of %s", path);
        if (git_reference_next_name(&name, it) == GIT_ITEROVER)
                return 0;
        return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_SHALLOW, "the repository %s has replaced objects",
                              path);
}

int mirror_check(const struct mirror *m, struct fault *reterr) {
        int r = check_borrowing(m->path, reterr);

        return r < 0 ? r : check_replaced(m->repo, m->path, reterr);
}

/* HEAD must be readable, and every ref lead to an object: a power cut or a lost pack shows here. */
static int check_refs(const struct mirror *m, struct fault *reterr) {
        own(git_reference_iterator_free_p) git_reference_iterator *it = NULL;
        own(git_reference_free_p) git_reference *head = NULL;
        int rc = git_reference_lookup(&head, m->repo, "HEAD");

        if (rc >= 0)
                rc = git_reference_iterator_new(&it, m->repo);
        while (rc >= 0) {
                own(git_reference_free_p) git_reference *ref = NULL;
                const git_oid *id;

                rc = git_reference_next(&ref, it);
                if (rc == GIT_ITEROVER)
                        return 0;
                id = rc >= 0 ? git_reference_target(ref) : NULL;
                if (id && !git_odb_exists(m->odb, id))
                        return fault_set_code(reterr, FAULT_TRANSIENT, REASON_STATE_CORRUPT,
                                              "%s of %s points at an object that is gone", git_reference_name(ref),
                                              m->path);
        }
        return git_fault(reterr, rc, "reading the refs of %s", m->path);
}

static int open_repository(const char *path, struct mirror **ret, struct fault *reterr) {
        own_mirror struct mirror *m = calloc(1, sizeof(*m));
        int r, rc;

        if (!m)
                return fault_set_oom(reterr);
        r = git_begin(reterr);
        if (r < 0) {
                free(take(m));
                return r;
        }
        m->path = strdup(path);
        if (!m->path)
                return fault_set_oom(reterr);
        rc = git_repository_open_ext(&m->repo, path, GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE, NULL);
        if (rc >= 0)
                rc = git_repository_odb(&m->odb, m->repo);
        if (rc < 0)
                return git_fault(reterr, rc, "opening the repository %s", path);
        if (has_bytes(path, DAMAGED))
                return fault_set_code(reterr, FAULT_TRANSIENT, REASON_STATE_CORRUPT, "the repository %s is damaged",
                                      path);
        r = mirror_check(m, reterr);
        if (r >= 0)
                r = check_refs(m, reterr);
        if (r < 0)
                return r;
        *ret = take(m);
        return 0;
}

void mirror_free(struct mirror *m) {
        if (!m)
                return;
        git_odb_object_free(m->held);
        git_odb_free(m->odb);
        git_repository_free(m->repo);
        free(m->path);
        free(m);
        git_end();
}

/*
 * Making
 */

/* Under another name first, so that a crash never leaves half a repository under its own. */
static int make_repository(int dirfd, const char *folder, const char *name, struct fault *reterr) {
        own(git_repository_free_p) git_repository *repo = NULL;
        git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
        own_free char *path = NULL;
        char fresh[MIRROR_NAME_MAX];
        int r, rc;

        (void)snprintf(fresh, sizeof(fresh), "%s%s", name, FRESH_SUFFIX);
        if (asprintf(&path, "%s/%s", folder, fresh) < 0)
                return fault_set_oom(reterr);
        remove_folder(dirfd, fresh, 0);
        r = git_begin(reterr);
        if (r < 0)
                return r;
        options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_NO_REINIT;
        options.initial_head = "main";
        rc = git_repository_init_ext(&repo, path, &options);
        if (rc < 0)
                r = git_fault(reterr, rc, "making the repository %s", path);
        git_repository_free(take(repo));
        git_end();
        if (r >= 0 && (renameat(dirfd, fresh, dirfd, name) < 0 || fsync(dirfd) < 0))
                r = fault_set(reterr, FAULT_TRANSIENT, errno, "cannot make the repository %s/%s", folder, name);
        if (r < 0 && reterr->kind == FAULT_TRANSIENT)
                reterr->code = REASON_STATE_UNWRITABLE;
        return r;
}

static bool is_there(int dirfd, const char *name) {
        return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_folder(const char *folder, const char *name, int *ret_fd, char **ret_path, struct fault *reterr) {
        int r;

        if (!path_is_inside(name) || strchr(name, '/') || strlen(name) > NAME_BYTES)
                return fault_set(reterr, FAULT_INTERNAL, EINVAL, "'%s' is no name for a repository", name);
        r = dir_make(AT_FDCWD, folder, FOLDER_MODE, ret_fd, reterr);
        if (r < 0) {
                reterr->code = REASON_STATE_UNWRITABLE;
                return r;
        }
        return asprintf(ret_path, "%s/%s", folder, name) < 0 ? fault_set_oom(reterr) : 0;
}

/* Only what is wrong with the repository itself is mended by a new one; a full disk or missing rights are not. */
static bool is_repairable(int dirfd, const char *name, const struct fault *fault) {
        own_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fault->kind == FAULT_INTERNAL || fault->code == REASON_STATE_UNWRITABLE)
                return false;
        return fd >= 0 || errno == ENOTDIR || errno == ELOOP;
}

int mirror_open(const char *folder, const char *name, struct mirror **ret, char ret_broken[MIRROR_NAME_MAX],
                struct fault *reterr) {
        own_fault struct fault first = FAULT_INIT;
        own_fd int dirfd = -1;
        own_free char *path = NULL;
        char broken[MIRROR_NAME_MAX] = "";
        int r = open_folder(folder, name, &dirfd, &path, reterr);

        if (r < 0)
                return r;
        if (is_there(dirfd, name)) {
                r = open_repository(path, ret, &first);
                if (r < 0 && !is_repairable(dirfd, name, &first)) {
                        fault_move(reterr, &first);
                        return r;
                }
                if (r < 0) {
                        r = set_aside(dirfd, name, broken, reterr);
                        if (r < 0)
                                return r;
                        remove_older(dirfd, name, broken);
                }
        } else {
                r = -ENOENT;
        }
        if (r < 0 || broken[0]) {
                r = make_repository(dirfd, folder, name, reterr);
                if (r >= 0)
                        r = open_repository(path, ret, reterr);
        }
        if (r >= 0 && ret_broken)
                memcpy(ret_broken, broken, sizeof(broken));
        return r;
}

int mirror_open_kept(const char *folder, const char *name, struct mirror **ret, struct fault *reterr) {
        own_fd int dirfd = -1;
        own_free char *path = NULL;
        int r = open_folder(folder, name, &dirfd, &path, reterr);

        if (r < 0)
                return r;
        if (!is_there(dirfd, name)) {
                r = make_repository(dirfd, folder, name, reterr);
                if (r < 0)
                        return r;
        }
        r = open_repository(path, ret, reterr);
        if (r < 0 && reterr->kind == FAULT_TRANSIENT && is_repairable(dirfd, name, reterr)) {
                reterr->code = REASON_STATE_CORRUPT;
                return -EUCLEAN;
        }
        return r;
}

struct git_repository *mirror_repository(const struct mirror *m) {
        return m->repo;
}

const char *mirror_path(const struct mirror *m) {
        return m->path;
}

bool mirror_is_damaged(const struct mirror *m) {
        return has_bytes(m->path, DAMAGED);
}

void mirror_mark_damaged(const struct mirror *m) {
        own_fault struct fault ignored = FAULT_INIT;
        own_fd int dirfd = -1;

        /* When even this cannot be written, the next reader finds the damage again. */
        if (dir_open(AT_FDCWD, m->path, &dirfd, &ignored) < 0)
                return;
        (void)file_write(dirfd, DAMAGED, "damaged\n", strlen("damaged\n"), 0600, &ignored);
}

/*
 * Objects
 */

static const git_oid *oid(const struct object_id *id) {
        static_assert(sizeof(id->raw) == GIT_OID_RAWSZ, "SHA-1 only");
        return (const git_oid *)(const void *)id->raw;
}

static const struct {
        git_object_t type;
        const char *what;
} types[OBJECT_TYPE_MAX_] = {
        [OBJECT_COMMIT] = { GIT_OBJECT_COMMIT, "commit" },
        [OBJECT_TREE] = { GIT_OBJECT_TREE, "tree" },
        [OBJECT_BLOB] = { GIT_OBJECT_BLOB, "file" },
};

bool mirror_has(const struct mirror *m, const struct object_id *id) {
        return git_odb_exists(m->odb, oid(id)) == 1;
}

static int fault_read(struct mirror *m, const struct object_id *id, enum object_type type, int rc,
                      struct fault *reterr) {
        char hex[OBJECT_ID_TEXT_MAX];
        int r = git_fault(reterr, rc, "%s %s", types[type].what, object_id_format(id, hex));

        if (rc == GIT_ENOTFOUND) {
                reterr->code = REASON_TRUST_MISSING_OBJECT;
                return r;
        }
        if (reterr->kind == FAULT_INTERNAL)
                return r;
        mirror_mark_damaged(m);
        reterr->code = REASON_TRUST_BAD_OBJECT;
        return -EIO;
}

/* The size is asked first, so that nothing beyond the limit is ever unpacked. */
static int read_object(struct mirror *m, const struct object_id *id, enum object_type type, size_t limit,
                       git_odb_object **ret, struct fault *reterr) {
        char hex[OBJECT_ID_TEXT_MAX];
        git_object_t found;
        size_t size;
        int rc = git_odb_read_header(&size, &found, m->odb, oid(id));

        if (rc < 0)
                return fault_read(m, id, type, rc, reterr);
        if (found != types[type].type)
                return fault_set_code(reterr, FAULT_DENIED, REASON_TRUST_BAD_OBJECT, "object %s is not a %s",
                                      object_id_format(id, hex), types[type].what);
        if (size > limit) {
                (void)fault_set_code(reterr, FAULT_CONFIG, REASON_LOAD_LIMIT, "%s %s has %zu bytes; the limit is %zu",
                                     types[type].what, object_id_format(id, hex), size, limit);
                return -EFBIG;
        }
        rc = git_odb_read(ret, m->odb, oid(id));
        return rc < 0 ? fault_read(m, id, type, rc, reterr) : 0;
}

int mirror_read(struct mirror *m, const struct object_id *id, enum object_type type, size_t limit, struct buffer *out,
                struct fault *reterr) {
        own(git_odb_object_free_p) git_odb_object *object = NULL;
        int r = read_object(m, id, type, limit, &object, reterr);

        if (r < 0)
                return r;
        buffer_append(out, git_odb_object_data(object), git_odb_object_size(object));
        return buffer_check(out, types[type].what, reterr);
}

static int reader_read(void *data, const struct object_id *id, enum object_type type, size_t limit,
                       const void **ret_bytes, size_t *ret_size, struct fault *reterr) {
        struct mirror *m = data;
        git_odb_object *object = NULL;
        int r = read_object(m, id, type, limit, &object, reterr);

        if (r < 0)
                return r;
        git_odb_object_free(m->held);
        m->held = object;
        *ret_bytes = git_odb_object_data(object);
        *ret_size = git_odb_object_size(object);
        return 0;
}

struct object_reader mirror_reader(struct mirror *m) {
        return (struct object_reader){ .read = reader_read, .data = m };
}

/*
 * Refs
 */

int mirror_ref(const struct mirror *m, const char *name, struct object_id *ret, struct fault *reterr) {
        git_oid id;
        int rc = git_reference_name_to_id(&id, m->repo, name);

        if (rc < 0) {
                int r = git_fault(reterr, rc, "reading %s of %s", name, m->path);

                if (rc == GIT_ENOTFOUND || reterr->kind != FAULT_TRANSIENT)
                        return r;
                mirror_mark_damaged(m);
                reterr->code = REASON_STATE_CORRUPT;
                return -EUCLEAN;
        }
        memcpy(ret->raw, id.id, sizeof(ret->raw));
        return 0;
}

/* A killed writer leaves `<ref>.lock`. We are the only writer, so it is nobody's. */
static void remove_stale_lock(const struct mirror *m, const char *name) {
        own_free char *path = NULL;

        if (asprintf(&path, "%s/%s.lock", m->path, name) > 0)
                (void)unlink(path);
}

int mirror_swap_ref(const struct mirror *m, const char *name, const struct object_id *from, const struct object_id *to,
                    struct fault *reterr) {
        own(git_reference_free_p) git_reference *ref = NULL;
        int rc = GIT_ELOCKED;

        for (unsigned attempt = 0; attempt < 2 && rc == GIT_ELOCKED; attempt++) {
                if (attempt > 0)
                        remove_stale_lock(m, name);
                /* Without an old value it must not be there: that is what creating without force means. */
                rc = from ? git_reference_create_matching(&ref, m->repo, name, oid(to), 1, oid(from), NULL)
                          : git_reference_create(&ref, m->repo, name, oid(to), 0, NULL);
        }
        if (rc == GIT_EEXISTS || rc == GIT_ENOTFOUND)
                rc = GIT_EMODIFIED;
        return rc < 0 ? git_fault(reterr, rc, "moving %s of %s", name, m->path) : 0;
}

int mirror_set_ref(struct mirror *m, const char *name, const struct object_id *id, struct fault *reterr) {
        own(git_reference_free_p) git_reference *ref = NULL;
        int rc = git_reference_create(&ref, m->repo, name, oid(id), 1, NULL);

        if (rc == GIT_ELOCKED) {
                remove_stale_lock(m, name);
                rc = git_reference_create(&ref, m->repo, name, oid(id), 1, NULL);
        }
        /* A power cut left half a ref, which is replaced anyway. */
        if (rc == GIT_ERROR && git_error_last() && git_error_last()->klass == GIT_ERROR_REFERENCE &&
            git_reference_remove(m->repo, name) >= 0)
                rc = git_reference_create(&ref, m->repo, name, oid(id), 1, NULL);
        return rc < 0 ? git_fault(reterr, rc, "moving %s of %s", name, m->path) : 0;
}

int mirror_refresh(struct mirror *m, struct fault *reterr) {
        int rc = git_odb_refresh(m->odb);

        return rc < 0 ? git_fault(reterr, rc, "reading the packs of %s", m->path) : 0;
}
