/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/refs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/git/url.h"

#define SMALL_BYTES  4096         /* a ref, a gitfile, commondir */
#define CONFIG_BYTES (256 * 1024) /* a repository's config */
#define HEADS        "refs/heads/"
#define REF_NAME_MAX (sizeof(HEADS) + LIMIT_BRANCH_BYTES)

static const char *const answer_names[REF_ANSWER_MAX_] = {
        [REF_FOUND] = "found",
        [REF_MISSING] = "missing",
        [REF_DONT_KNOW] = "don't know",
};

const char *ref_answer_to_string(enum ref_answer a) {
        assert(a < REF_ANSWER_MAX_);
        return answer_names[a];
}

/*
 * Names
 */

static bool component_is_valid(const char *s, size_t n) {
        return n > 0 && s[0] != '.' && s[n - 1] != '.' && !(n >= 5 && memcmp(s + n - 5, ".lock", 5) == 0);
}

bool branch_is_valid(const char *branch) {
        size_t n = strlen(branch);

        if (n == 0 || n > LIMIT_BRANCH_BYTES || branch[0] == '-' || str_eq(branch, "@") || str_eq(branch, "HEAD"))
                return false;
        if (strstr(branch, "..") || strstr(branch, "@{") || !utf8_is_valid(branch, n))
                return false;
        for (const char *p = branch; *p; p++)
                if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("~^:?*[\\", *p))
                        return false;
        for (const char *p = branch;;) {
                size_t k = strcspn(p, "/");

                if (!component_is_valid(p, k))
                        return false;
                if (p[k] == '\0')
                        return true;
                p += k + 1;
        }
}

/*
 * Files. 0, or -errno; the fault of reading somebody else's repository interests nobody.
 */

static int read_text(int dirfd, const char *name, size_t limit, struct buffer *out) {
        own_fault struct fault ignored = FAULT_INIT;
        int r = file_read(dirfd, name, limit, out, &ignored);

        if (r < 0)
                return r;
        return out->failed || strlen(buffer_str(out)) != out->size ? -EBADMSG : 0;
}

static bool is_absent(int r) {
        return r == -ENOENT || r == -ENOTDIR || r == -EISDIR;
}

static bool exists(int dirfd, const char *name) {
        return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_folder(int dirfd, const char *path) {
        return openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* One line that starts with @prefix and ends the file; the value is cut out in place. */
static char *single_value(struct buffer *text, const char *prefix) {
        char *value = text->data && str_after(text->data, prefix) ? text->data + strlen(prefix) : NULL;
        size_t n = value ? strlen(value) : 0;

        while (n > 0 && (value[n - 1] == '\n' || value[n - 1] == '\r'))
                value[--n] = '\0';
        return n > 0 && !strchr(value, '\n') ? value : NULL;
}

/* Open the folder that @name, a file in @dirfd, points at. */
static int open_pointed_at(int dirfd, const char *name, const char *prefix) {
        own_buffer struct buffer text = BUFFER_INIT;
        const char *target;

        if (read_text(dirfd, name, SMALL_BYTES, &text) < 0)
                return -1;
        target = single_value(&text, prefix);
        return target ? open_folder(dirfd, target) : -1;
}

static bool looks_like_repository(int dirfd) {
        return exists(dirfd, "HEAD") && (exists(dirfd, "commondir") || exists(dirfd, "objects"));
}

/* The folder with HEAD: <path>/.git, what a file of that name points at, or <path> itself. -1: none. */
static int open_gitdir(const char *path) {
        own_fd int top = open_folder(AT_FDCWD, path);
        own_fd int gitdir = -1;
        struct stat st;

        if (top < 0)
                return -1;
        if (fstatat(top, ".git", &st, AT_SYMLINK_NOFOLLOW) < 0)
                gitdir = take_fd(&top);
        else if (S_ISDIR(st.st_mode))
                gitdir = open_folder(top, ".git");
        else if (S_ISREG(st.st_mode))
                gitdir = open_pointed_at(top, ".git", "gitdir: ");
        return gitdir >= 0 && looks_like_repository(gitdir) ? take_fd(&gitdir) : -1;
}

/* The folder with the branches: the same, or for a linked work tree the main repository's. */
static int open_common(int *gitdir) {
        return exists(*gitdir, "commondir") ? open_pointed_at(*gitdir, "commondir", "") : take_fd(gitdir);
}

/* Refs are files, ids are SHA-1: what no config line about an extension says otherwise. */
static bool has_plain_format(int common) {
        own_buffer struct buffer config = BUFFER_INIT;

        if (exists(common, "reftable") || !exists(common, "refs"))
                return false;
        if (read_text(common, "config", CONFIG_BYTES, &config) < 0)
                return false;
        return !strcasestr(buffer_str(&config), "refstorage") && !strcasestr(buffer_str(&config), "objectformat");
}

/*
 * One ref
 */

/* "<40 hex> <name>\n" in packed-refs. */
static enum ref_answer find_packed(int common, const char *name, struct object_id *ret) {
        own_buffer struct buffer text = { .max = LIMIT_PACKED_REFS_BYTES };
        char needle[REF_NAME_MAX + 2], hex[OBJECT_ID_TEXT_MAX];
        size_t n_needle = strlen(name) + 1, n_hex = OBJECT_ID_TEXT_MAX - 1;
        const char *p;
        int r = read_text(common, "packed-refs", LIMIT_PACKED_REFS_BYTES, &text);

        if (r < 0)
                return r == -ENOENT ? REF_MISSING : REF_DONT_KNOW;
        needle[0] = ' ';
        memcpy(needle + 1, name, n_needle);
        for (p = buffer_str(&text); (p = strstr(p, needle)); p += n_needle) {
                const char *line = p - buffer_str(&text) >= (ptrdiff_t)n_hex ? p - n_hex : NULL;

                if (p[n_needle] != '\n' && p[n_needle] != '\0')
                        continue;
                if (!line || (line > buffer_str(&text) && line[-1] != '\n'))
                        return REF_DONT_KNOW;
                memcpy(hex, line, n_hex);
                hex[n_hex] = '\0';
                return object_id_parse(hex, ret) < 0 ? REF_DONT_KNOW : REF_FOUND;
        }
        return REF_MISSING;
}

/*
 * Loose first: git writes packed-refs before it removes the loose file. 1: *target names another ref.
 */
static enum ref_answer find_once(int common, const char *name, char target[REF_NAME_MAX], struct object_id *ret) {
        own_buffer struct buffer text = BUFFER_INIT;
        const char *value;
        int r = read_text(common, name, SMALL_BYTES, &text);

        target[0] = '\0';
        if (is_absent(r))
                return find_packed(common, name, ret);
        if (r < 0)
                return REF_DONT_KNOW;
        value = single_value(&text, "");
        if (value && object_id_parse(value, ret) == 0)
                return REF_FOUND;
        value = single_value(&text, "ref: ");
        if (!value || strlen(value) >= REF_NAME_MAX || !str_after(value, HEADS) ||
            !branch_is_valid(str_after(value, HEADS)))
                return REF_DONT_KNOW;
        memcpy(target, value, strlen(value) + 1);
        return REF_FOUND;
}

static enum ref_answer find_branch(int common, const char *branch, struct object_id *ret) {
        char name[REF_NAME_MAX], target[REF_NAME_MAX];
        size_t n = strlen(branch);

        memcpy(name, HEADS, sizeof(HEADS) - 1);
        memcpy(name + sizeof(HEADS) - 1, branch, n + 1);
        for (unsigned depth = 0; depth < LIMIT_SYMREF_DEPTH; depth++) {
                struct object_id id;
                enum ref_answer a = find_once(common, name, target, &id);

                if (a != REF_FOUND)
                        return depth == 0 ? a : REF_DONT_KNOW;
                if (target[0] == '\0') {
                        *ret = id;
                        return REF_FOUND;
                }
                memcpy(name, target, sizeof(name));
        }
        return REF_DONT_KNOW;
}

enum ref_answer refs_local_tip(const char *path, const char *branch, struct object_id *ret) {
        own_fault struct fault ignored = FAULT_INIT;
        own_git_url struct git_url url = { 0 };
        own_fd int gitdir = -1, common = -1;

        if (!branch_is_valid(branch) || git_url_parse(path, &url, &ignored) < 0 || url.scheme != GIT_SCHEME_LOCAL)
                return REF_DONT_KNOW;
        gitdir = open_gitdir(url.path);
        if (gitdir < 0)
                return REF_DONT_KNOW;
        common = open_common(&gitdir);
        if (common < 0 || !has_plain_format(common))
                return REF_DONT_KNOW;
        return find_branch(common, branch, ret);
}
