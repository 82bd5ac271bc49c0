/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/git/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/reason.h"
#include "shared/base/text.h"
#include "shared/git/error.h"
#include "shared/git/library.h"

#define SSH_PORT        22
#define SSH_USER        "git"
#define HOME_TEMPLATE   "/tally-ssh-XXXXXX"
#define FINGERPRINT_MAX (sizeof("SHA256:") + 44)

/*
 * Preparing
 */

static int fault_setting(struct fault *reterr, const char *message, const char *hint) {
        (void)fault_set(reterr, FAULT_CONFIG, EINVAL, "%s", message);
        fault_hint(reterr, "%s", hint);
        return -EINVAL;
}

/* "ssh-keyscan -p 2222 git.example" */
static void put_keyscan(const struct git_url *u, struct buffer *out) {
        buffer_puts(out, "ssh-keyscan ");
        if (u->port && u->port != SSH_PORT)
                buffer_printf(out, "-p %u ", u->port);
        buffer_puts(out, u->host);
}

static int fault_no_known_hosts(const struct transport *t, struct fault *reterr) {
        own_buffer struct buffer scan = BUFFER_INIT;

        put_keyscan(&t->url, &scan);
        (void)fault_set(reterr, FAULT_CONFIG, EINVAL, "no known_hosts file is configured, so %s cannot be recognised",
                        t->url.host);
        fault_hint(reterr, "pin its keys: write what `%s` prints to a file, compare it with what its operator says",
                   buffer_str(&scan));
        return -EINVAL;
}

static int check_key_file(const char *path, struct fault *reterr) {
        struct stat st;

        if (stat(path, &st) < 0)
                return fault_set(reterr, FAULT_CONFIG, errno, "cannot find the SSH key %s", path);
        if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
                return fault_setting(reterr, "the SSH key is not a regular file that only its owner can read",
                                     "chmod 600 it");
        return 0;
}

/*
 * libssh2 takes the server's favourite type of host key unless ~/.ssh/known_hosts names one. It is given a home
 * with the best key that we have pinned. When that cannot be made, the server chooses, and we may have to
 * refuse its choice.
 */
static void make_home(struct transport *t) {
        own_fault struct fault ignored = FAULT_INIT;
        own_buffer struct buffer line = BUFFER_INIT;
        own_fd int home = -1, ssh = -1;
        const char *tmp = secure_getenv("TMPDIR");

        known_hosts_put_preferred(t->hosts, t->url.host, t->url.port, &line);
        if (line.size == 0 || line.failed ||
            asprintf(&t->home, "%s%s", tmp && *tmp == '/' ? tmp : "/tmp", HOME_TEMPLATE) < 0) {
                t->home = NULL;
                return;
        }
        if (!mkdtemp(t->home)) {
                free(t->home);
                t->home = NULL;
                return;
        }
        if (dir_open(AT_FDCWD, t->home, &home, &ignored) >= 0 && dir_make(home, ".ssh", 0700, &ssh, &ignored) >= 0)
                (void)file_write(ssh, "known_hosts", line.data, line.size, 0600, &ignored);
}

static void remove_home(char *home) {
        own_fd int fd = open(home, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        (void)unlinkat(fd, ".ssh/known_hosts", 0);
        (void)unlinkat(fd, ".ssh", AT_REMOVEDIR);
        (void)rmdir(home);
        free(home);
}

static int prepare_ssh(struct transport *t, struct fault *reterr) {
        const struct remote_settings *s = t->settings;
        int r = s->ssh_key ? check_key_file(s->ssh_key, reterr) : 0;

        if (r < 0)
                return r;
        if (!s->known_hosts)
                return fault_no_known_hosts(t, reterr);
        if (!s->ssh_key && !getenv("SSH_AUTH_SOCK"))
                return fault_setting(reterr, "no SSH key is configured, and there is no agent",
                                     "name a private key without passphrase that the server accepts");
        r = known_hosts_read(s->known_hosts, &t->hosts, reterr);
        if (r < 0)
                return r;
        make_home(t);
        return 0;
}

static int prepare_http(struct transport *t, struct fault *reterr) {
        const struct remote_settings *s = t->settings;

        if (t->url.scheme == GIT_SCHEME_HTTP && !s->allow_http)
                return fault_setting(reterr, "http:// is not encrypted, and the configuration does not allow it",
                                     "use https://");
        if (s->ca_file && access(s->ca_file, R_OK) < 0)
                return fault_set(reterr, FAULT_CONFIG, errno, "cannot read the CA file %s", s->ca_file);
        return s->credentials ? credentials_read(s->credentials, &t->credentials, reterr) : 0;
}

static int prepare_scheme(struct transport *t, struct fault *reterr) {
        switch (t->url.scheme) {
        case GIT_SCHEME_SSH:
                return prepare_ssh(t, reterr);
        case GIT_SCHEME_HTTP:
        case GIT_SCHEME_HTTPS:
                return prepare_http(t, reterr);
        case GIT_SCHEME_LOCAL:
        case GIT_SCHEME_MAX_:
                break;
        }
        return 0;
}

int transport_prepare(struct transport *t, const struct remote_settings *settings, const char *url,
                      struct fault *reterr) {
        own_buffer struct buffer shown = BUFFER_INIT;
        int r = git_url_parse(url, &t->url, reterr);

        if (r < 0)
                return r;
        t->settings = settings;
        git_redact(url, &shown);
        t->shown = buffer_steal(&shown, NULL);
        if (!t->shown)
                return fault_set_oom(reterr);
        return prepare_scheme(t, reterr);
}

void transport_done(struct transport *t) {
        git_url_done(&t->url);
        free(t->shown);
        known_hosts_free(t->hosts);
        credentials_free(t->credentials);
        if (t->home)
                remove_home(t->home);
        fault_done(&t->fault);
        *t = (struct transport){ .settings = NULL };
}

int transport_begin(const struct transport *t, struct fault *reterr) {
        switch (t->url.scheme) {
        case GIT_SCHEME_SSH:
                return git_begin_child(t->home, NULL, reterr);
        case GIT_SCHEME_HTTPS:
                return git_begin_child(NULL, t->settings->ca_file, reterr);
        case GIT_SCHEME_HTTP:
        case GIT_SCHEME_LOCAL:
        case GIT_SCHEME_MAX_:
                break;
        }
        return git_begin(reterr);
}

/*
 * Host keys
 */

static void put_fingerprint(const struct host_key *key, struct buffer *out) {
        uint8_t digest[crypto_hash_sha256_BYTES];
        char text[FINGERPRINT_MAX];

        if (key->blob)
                crypto_hash_sha256(digest, key->blob, key->size);
        else
                memcpy(digest, key->sha256, sizeof(digest));
        (void)sodium_bin2base64(text, sizeof(text), digest, sizeof(digest), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
        buffer_printf(out, "SHA256:%s", text);
}

static const char *const verdict_sentences[HOST_KEY_VERDICT_MAX_] = {
        [HOST_KEY_UNKNOWN] = "is not pinned",
        [HOST_KEY_OTHER_TYPE] = "is of a type that is not pinned for it",
        [HOST_KEY_CHANGED] = "is not the one that is pinned",
        [HOST_KEY_REVOKED] = "is revoked",
};

static int fault_host_key(struct transport *t, enum host_key_verdict verdict, const struct host_key *key) {
        own_buffer struct buffer name = BUFFER_INIT, scan = BUFFER_INIT, print = BUFFER_INIT;

        known_hosts_put_name(t->url.host, t->url.port, &name);
        put_keyscan(&t->url, &scan);
        put_fingerprint(key, &print);
        (void)fault_set_code(&t->fault, FAULT_DENIED, REASON_FETCH_HOST_KEY, "the host key of %s %s (%s)",
                             buffer_str(&name), verdict_sentences[verdict], buffer_str(&print));
        if (verdict != HOST_KEY_REVOKED)
                fault_hint(&t->fault, "if its operator confirms that key, merge what `%s` prints into %s",
                           buffer_str(&scan), t->settings->known_hosts);
        return GIT_ECERTIFICATE;
}

static int check_host_key(struct transport *t, const git_cert_hostkey *cert) {
        struct host_key key = { .blob = NULL };
        enum host_key_verdict verdict;

        if (cert->type & GIT_CERT_SSH_RAW) {
                key.blob = cert->hostkey;
                key.size = cert->hostkey_len;
        } else if (cert->type & GIT_CERT_SSH_SHA256) {
                key.sha256 = cert->hash_sha256;
        } else {
                (void)fault_set_code(&t->fault, FAULT_DENIED, REASON_FETCH_HOST_KEY,
                                     "libgit2 shows only weak digests of the host key of %s", t->url.host);
                return GIT_ECERTIFICATE;
        }
        verdict = known_hosts_check(t->hosts, t->url.host, t->url.port, &key);
        return verdict == HOST_KEY_PINNED ? 0 : fault_host_key(t, verdict, &key);
}

/* Called for every connection; what is not explicitly good is refused. */
static int on_certificate(git_cert *cert, int valid, const char *host, void *payload) {
        struct transport *t = payload;

        child_alive(t->child);
        if (t->url.scheme == GIT_SCHEME_SSH && cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2)
                return check_host_key(t, (const git_cert_hostkey *)cert);
        if (t->url.scheme == GIT_SCHEME_HTTPS && cert->cert_type == GIT_CERT_X509 && valid &&
            strcasecmp(host, t->url.host) == 0)
                return 0;
        (void)fault_set_code(&t->fault, FAULT_DENIED, REASON_FETCH_CERTIFICATE, "the certificate of %s does not verify",
                             t->url.host);
        fault_hint(&t->fault, "name the CA's file in the configuration if the server has a private one");
        return GIT_ECERTIFICATE;
}

/*
 * Credentials
 */

static int fault_auth(struct transport *t, const char *why) {
        (void)fault_set_code(&t->fault, FAULT_TRANSIENT, REASON_FETCH_AUTH, "%s: %s", t->shown, why);
        return GIT_EAUTH;
}

static int give_ssh(struct transport *t, git_credential **out, const char *user, unsigned allowed) {
        const char *key = t->settings->ssh_key;

        if (allowed & GIT_CREDENTIAL_USERNAME)
                return git_credential_username_new(out, t->settings->ssh_user ? t->settings->ssh_user : SSH_USER);
        if (!(allowed & GIT_CREDENTIAL_SSH_KEY))
                return fault_auth(t, "the server does not take SSH keys");
        if (t->asked++ > 0)
                return fault_auth(t,
                                  key ? "the server refuses the SSH key" : "the server refuses the keys of the agent");
        return key ? git_credential_ssh_key_new(out, user, NULL, key, NULL)
                   : git_credential_ssh_key_from_agent(out, user);
}

static int give_password(struct transport *t, git_credential **out, unsigned allowed) {
        struct credential c;

        if (!(allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT))
                return fault_auth(t, "the server does not take a password");
        if (!credentials_find(t->credentials, &t->url, &c))
                return fault_auth(t, "the server wants credentials, and the credentials file has none for it");
        if (t->asked++ > 0)
                return fault_auth(t, "the server refuses the credentials");
        return git_credential_userpass_plaintext_new(out, c.user, c.password);
}

static int on_credentials(git_credential **out, const char *url, const char *user, unsigned allowed, void *payload) {
        struct transport *t = payload;

        child_alive(t->child);
        return t->url.scheme == GIT_SCHEME_SSH ? give_ssh(t, out, user, allowed) : give_password(t, out, allowed);
}

/*
 * Signs of life
 */

static int on_sideband(const char *text, int size, void *payload) {
        child_alive(((struct transport *)payload)->child);
        return 0;
}

static int on_receive(const git_indexer_progress *stats, void *payload) {
        struct transport *t = payload;

        child_alive(t->child);
        if (stats->received_bytes <= LIMIT_FETCH_BYTES)
                return 0;
        (void)fault_set_code(&t->fault, FAULT_TRANSIENT, REASON_LOAD_LIMIT, "%s sends more than %lld bytes", t->shown,
                             (long long)LIMIT_FETCH_BYTES);
        return GIT_EUSER;
}

static int on_pack(int stage, uint32_t current, uint32_t total, void *payload) {
        child_alive(((struct transport *)payload)->child);
        return 0;
}

static int on_send(unsigned current, unsigned total, size_t bytes, void *payload) {
        child_alive(((struct transport *)payload)->child);
        return 0;
}

void transport_callbacks(struct transport *t, git_remote_callbacks *ret) {
        ret->payload = t;
        ret->certificate_check = on_certificate;
        ret->credentials = on_credentials;
        ret->sideband_progress = on_sideband;
        ret->transfer_progress = on_receive;
        ret->pack_progress = on_pack;
        ret->push_transfer_progress = on_send;
}

/* libssh2 has one word for a server that has no host key of the type that we asked for. */
static void hint_at_types(const struct transport *t, struct fault *reterr) {
        own_buffer struct buffer types = BUFFER_INIT;

        if (t->url.scheme != GIT_SCHEME_SSH || !t->home || !strstr(reterr->message, "failed to start SSH session"))
                return;
        known_hosts_types(t->hosts, t->url.host, t->url.port, &types);
        fault_hint(reterr, "pinned are keys of type %s: the server may not have that any more", buffer_str(&types));
}

int transport_fault(struct transport *t, struct fault *reterr, int rc, const char *doing) {
        int r;

        if (fault_is_set(&t->fault)) {
                r = t->fault.kind == FAULT_DENIED || t->fault.code == REASON_FETCH_AUTH ? -EACCES : -EIO;
                fault_move(reterr, &t->fault);
                return r;
        }
        r = git_fault(reterr, rc, "%s %s", doing, t->shown);
        /* A broken connection often has no class of its own; at this point nothing else can have failed. */
        if (!reterr->code && reterr->kind == FAULT_TRANSIENT)
                reterr->code = REASON_FETCH_FAILED;
        hint_at_types(t, reterr);
        return r;
}
