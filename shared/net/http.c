/* SPDX-License-Identifier: Apache-2.0 */

#include "shared/net/http.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "shared/base/limits.h"
#include "shared/base/text.h"

#define CONNECT_TIMEOUT_MS 10000
#define STALL_TIMEOUT_MS   60000

struct http {
        CURL *easy; /* keeps the connections between requests */
        char *unix_socket;
        char *ca_file;
        char *user_agent;
        char error[CURL_ERROR_SIZE];
};

/* What the callbacks of one exchange share. */
struct exchange {
        struct http *http;
        const struct http_request *req;
        struct http_response *response;
        size_t body_limit;
        size_t received;
        bool begun;     /* the empty line behind the headers was there */
        int stopped;    /* the errno for a callback that ended the transfer */
        bool by_caller; /* it was the caller's sink or upload */
};

DEFINE_OWN(struct curl_slist, curl_slist_free_all)
DEFINE_OWN(CURLU, curl_url_cleanup)
DEFINE_OWN(char, curl_free)

static int dup_option(const char *value, char **slot, struct fault *reterr) {
        if (!value)
                return 0;
        *slot = strdup(value);
        return *slot ? 0 : fault_set_oom(reterr);
}

int http_new(const struct http_options *options, struct http **ret, struct fault *reterr) {
        static const struct http_options none = { 0 };
        const struct http_options *o = options ? options : &none;
        own_http struct http *h = NULL;
        int r;

        /* Counted by libcurl itself, for any thread; http_free() gives it back. */
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return fault_set(reterr, FAULT_INTERNAL, ENOMEM, "cannot start libcurl");
        h = calloc(1, sizeof(*h));
        if (!h) {
                curl_global_cleanup();
                return fault_set_oom(reterr);
        }
        h->easy = curl_easy_init();
        if (!h->easy)
                return fault_set_oom(reterr);
        r = dup_option(o->unix_socket, &h->unix_socket, reterr);
        if (r >= 0)
                r = dup_option(o->ca_file, &h->ca_file, reterr);
        if (r >= 0)
                r = dup_option(o->user_agent ? o->user_agent : "tally/" TALLY_VERSION, &h->user_agent, reterr);
        if (r < 0)
                return r;
        *ret = take(h);
        return 0;
}

void http_free(struct http *h) {
        if (!h)
                return;
        if (h->easy)
                curl_easy_cleanup(h->easy);
        free(h->unix_socket);
        free(h->ca_file);
        free(h->user_agent);
        free(h);
        curl_global_cleanup();
}

void http_response_done(struct http_response *r) {
        buffer_done(&r->headers);
        buffer_done(&r->body);
        *r = HTTP_RESPONSE_INIT;
}

/*
 * Callbacks. They return less than they were given to end the transfer.
 */

static size_t stop(struct exchange *x, int errno_value, bool by_caller) {
        x->stopped = errno_value;
        x->by_caller = by_caller;
        return 0;
}

/* Only the last answer's lines are kept: those of an interim one (100) or of a proxy's CONNECT go. */
static size_t on_header(char *bytes, size_t size, size_t n, void *userdata) {
        struct exchange *x = userdata;

        if (n >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
                buffer_clear(&x->response->headers);
                x->begun = false;
        } else if ((n == 2 && memcmp(bytes, "\r\n", 2) == 0) || (n == 1 && bytes[0] == '\n'))
                x->begun = true;
        buffer_append(&x->response->headers, bytes, size * n);
        if (x->response->headers.failed)
                return stop(x, x->response->headers.failed, false);
        return size * n;
}

static bool goes_to_sink(const struct exchange *x) {
        long status = 0;

        (void)curl_easy_getinfo(x->http->easy, CURLINFO_RESPONSE_CODE, &status);
        return x->req->sink && status >= 200 && status < 300;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *userdata) {
        struct exchange *x = userdata;
        size_t got = size * n;

        x->received += got;
        if (goes_to_sink(x)) {
                if (x->req->max_body > 0 && x->received > x->req->max_body)
                        return stop(x, EFBIG, false);
                if (x->req->sink(bytes, got, x->req->userdata) != 0)
                        return stop(x, ECANCELED, true);
                return got;
        }
        if (x->received > x->body_limit)
                return stop(x, EFBIG, false);
        buffer_append(&x->response->body, bytes, got);
        if (x->response->body.failed)
                return stop(x, x->response->body.failed, false);
        return got;
}

static size_t on_upload(char *room, size_t size, size_t n, void *userdata) {
        struct exchange *x = userdata;
        ssize_t k = x->req->upload(room, size * n, x->req->userdata);

        if (k >= 0)
                return (size_t)k;
        (void)stop(x, (int)-k, true);
        return CURL_READFUNC_ABORT;
}

/*
 * What a request is called in messages: no user, no password, no query
 */

static char *get_part(CURLU *u, CURLUPart part) {
        char *text = NULL;

        return curl_url_get(u, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static const char *method_of(const struct http_request *req) {
        if (req->method)
                return req->method;
        return req->body || req->upload ? "POST" : "GET";
}

static void describe(const struct http *h, const char *method, const char *url, struct buffer *out) {
        own(curl_url_cleanup_p) CURLU *u = curl_url();
        own(curl_free_p) char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL;

        if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
                scheme = get_part(u, CURLUPART_SCHEME);
                host = get_part(u, CURLUPART_HOST);
                port = get_part(u, CURLUPART_PORT);
                path = get_part(u, CURLUPART_PATH);
        }
        buffer_printf(out, "%s ", method);
        if (h->unix_socket)
                buffer_printf(out, "%s at %s", path ? path : "", h->unix_socket);
        else
                buffer_printf(out, "%s://%s%s%s%s", scheme ? scheme : "?", host ? host : "?", port ? ":" : "",
                              port ? port : "", path ? path : "");
}

/*
 * Errors
 */

struct cause {
        CURLcode code;
        enum fault_kind kind;
        int errno_value;
        const char *text;
};

static const struct cause causes[] = {
        { CURLE_COULDNT_RESOLVE_HOST, FAULT_TRANSIENT, EHOSTUNREACH, "the host name cannot be resolved" },
        { CURLE_COULDNT_RESOLVE_PROXY, FAULT_TRANSIENT, EHOSTUNREACH, "the proxy's name cannot be resolved" },
        { CURLE_COULDNT_CONNECT, FAULT_TRANSIENT, ECONNREFUSED, "cannot connect" },
        { CURLE_OPERATION_TIMEDOUT, FAULT_TRANSIENT, ETIMEDOUT, "no answer in time" },
        { CURLE_GOT_NOTHING, FAULT_TRANSIENT, ECONNRESET, "the server closed the connection without an answer" },
        { CURLE_RECV_ERROR, FAULT_TRANSIENT, ECONNRESET, "the connection broke" },
        { CURLE_SEND_ERROR, FAULT_TRANSIENT, ECONNRESET, "the connection broke" },
        { CURLE_PARTIAL_FILE, FAULT_TRANSIENT, ECONNRESET, "the answer was cut off" },
        { CURLE_SSL_CONNECT_ERROR, FAULT_TRANSIENT, EPROTO, "TLS could not be set up" },
        { CURLE_PEER_FAILED_VERIFICATION, FAULT_DENIED, EACCES, "the server's certificate does not verify" },
        { CURLE_SSL_CACERT_BADFILE, FAULT_CONFIG, EINVAL, "the CA file cannot be read" },
        { CURLE_URL_MALFORMAT, FAULT_CONFIG, EINVAL, "the URL is malformed" },
        { CURLE_UNSUPPORTED_PROTOCOL, FAULT_TRANSIENT, EPROTO,
          "the answer is not HTTP" }, /* check_url() saw the scheme */
};

static const struct cause *find_cause(CURLcode code) {
        static const struct cause other = { CURLE_OK, FAULT_TRANSIENT, EIO, "the exchange failed" };

        for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
                if (causes[i].code == code)
                        return &causes[i];
        return &other;
}

static int fault_with_reason(struct fault *reterr, const struct http_request *req, int r) {
        if (r < 0 && reterr->kind == FAULT_TRANSIENT && !reterr->code)
                reterr->code = req->reason;
        return r;
}

/* A callback ended it: say why, not that it could not be written. */
static int fault_stopped(const struct exchange *x, const char *what, struct fault *reterr) {
        if (x->by_caller)
                return fault_set(reterr, FAULT_TRANSIENT, x->stopped, "%s: given up", what);
        if (x->stopped == ENOMEM)
                return fault_set_oom(reterr);
        return fault_set(reterr, FAULT_TRANSIENT, EFBIG, "%s: the answer exceeds %zu bytes", what,
                         x->req->sink && x->req->max_body > 0 ? x->req->max_body : x->body_limit);
}

static int fault_curl(const struct exchange *x, CURLcode code, const char *what, struct fault *reterr) {
        const struct cause *c = find_cause(code);
        int errno_value = c->errno_value;
        long os = 0;

        if (x->stopped)
                return fault_stopped(x, what, reterr);
        if (code == CURLE_OUT_OF_MEMORY)
                return fault_set_oom(reterr);
        (void)curl_easy_getinfo(x->http->easy, CURLINFO_OS_ERRNO, &os);
        if (code == CURLE_COULDNT_CONNECT && os > 0)
                errno_value = (int)os;
        /* libcurl's own text may repeat the URL for these two, so it is left out. */
        if (!x->http->error[0] || code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
            code == CURLE_COULDNT_CONNECT)
                return fault_set(reterr, c->kind, errno_value, "%s: %s", what, c->text);
        return fault_set(reterr, c->kind, errno_value, "%s: %s (%s)", what, c->text, x->http->error);
}

/*
 * One request
 */

static bool has_header(const char *const *headers, const char *name) {
        size_t n = strlen(name);

        for (; headers && *headers; headers++)
                if (strncasecmp(*headers, name, n) == 0 && (*headers)[n] == ':')
                        return true;
        return false;
}

static int add_header(struct curl_slist **list, const char *line) {
        struct curl_slist *longer = curl_slist_append(*list, line);

        if (!longer)
                return -ENOMEM;
        *list = longer;
        return 0;
}

static int build_headers(const struct http_request *req, struct curl_slist **ret, struct fault *reterr) {
        own(curl_slist_free_all_p) struct curl_slist *list = NULL;
        int r = add_header(&list, "Expect:"); /* waiting for "100 Continue" only costs a second with most servers */

        /* libcurl would call any body a web form. */
        if (r >= 0 && !has_header(req->headers, "Content-Type"))
                r = add_header(&list, "Content-Type:");
        for (const char *const *h = req->headers; r >= 0 && h && *h; h++) {
                if (strpbrk(*h, "\r\n"))
                        return fault_set(reterr, FAULT_INTERNAL, EINVAL, "a request header holds a line end");
                r = add_header(&list, *h);
        }
        if (r < 0)
                return fault_set_oom(reterr);
        *ret = take(list);
        return 0;
}

static void set_method(CURL *e, const struct http_request *req, struct exchange *x) {
        const char *method = method_of(req);

        if (req->upload) {
                curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
                curl_easy_setopt(e, CURLOPT_READFUNCTION, on_upload);
                curl_easy_setopt(e, CURLOPT_READDATA, x);
                curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->upload_size);
        } else if (req->body || str_eq(method, "POST") || str_eq(method, "PUT")) {
                curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_size);
                curl_easy_setopt(e, CURLOPT_POSTFIELDS, req->body ? req->body : "");
        } else if (str_eq(method, "HEAD")) {
                curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        }
        if (!str_eq(method, "HEAD"))
                curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
}

static void set_limits(CURL *e, const struct http_request *req) {
        int connect = req->connect_timeout_ms > 0 ? req->connect_timeout_ms : CONNECT_TIMEOUT_MS;
        int stall = req->stall_timeout_ms == 0 ? STALL_TIMEOUT_MS : req->stall_timeout_ms;

        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
        if (stall > 0) {
                curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
                curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, ((long)stall + 999) / 1000);
        }
}

static void set_connection(struct http *h) {
        CURL *e = h->easy;

        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(e, CURLOPT_USERAGENT, h->user_agent);
        curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
        if (h->ca_file)
                curl_easy_setopt(e, CURLOPT_CAINFO, h->ca_file);
        if (h->unix_socket) {
                curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, h->unix_socket);
                curl_easy_setopt(e, CURLOPT_PROXY, "");
        }
}

/* libcurl calls an answer that ends inside of its headers a good one without a body. */
static int check_headers(const struct exchange *x, const char *what, struct fault *reterr) {
        if (x->begun)
                return 0;
        return fault_set(reterr, FAULT_TRANSIENT, ECONNRESET, "%s: the answer was cut off in its headers", what);
}

/*
 * RFC 9112, 4: "HTTP/", a version, a space, three digits, and a space or the line's end. libcurl takes fewer digits or
 * what is none, each version in its own way, and ends with a 1xx where it stands for another protocol.
 */
static bool status_is_good(const char *line, long status) {
        const char *p = str_after(line, "HTTP/");
        long n = 0;

        if (!p)
                return false;
        p += strspn(p, "0123456789.");
        if (*p++ != ' ')
                return false;
        for (int i = 0; i < 3; i++, p++) {
                if (*p < '0' || *p > '9')
                        return false;
                n = n * 10 + (*p - '0');
        }
        return n == status && n >= 200 && strchr(" \r\n", *p);
}

static int check_status(const struct exchange *x, long status, const char *what, struct fault *reterr) {
        if (status_is_good(buffer_str(&x->response->headers), status))
                return 0;
        return fault_set(reterr, FAULT_TRANSIENT, EPROTO, "%s: the answer has no good status (%ld)", what, status);
}

static int perform_once(struct exchange *x, const char *url, const char *what, struct fault *reterr) {
        CURL *e = x->http->easy;
        own(curl_slist_free_all_p) struct curl_slist *headers = NULL;
        CURLcode code;
        long status = 0;
        int r;

        r = build_headers(x->req, &headers, reterr);
        if (r < 0)
                return r;
        buffer_clear(&x->response->headers);
        buffer_clear(&x->response->body);
        x->response->status = 0;
        x->received = 0;
        x->begun = false;
        x->http->error[0] = '\0';

        curl_easy_reset(e); /* the options; connections stay */
        set_connection(x->http);
        if (x->req->direct)
                curl_easy_setopt(e, CURLOPT_PROXY, "");
        set_limits(e, x->req);
        set_method(e, x->req, x);
        curl_easy_setopt(e, CURLOPT_URL, url);
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, x);

        code = curl_easy_perform(e);
        (void)curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
        x->response->status = (int)status;
        r = code == CURLE_OK ? check_headers(x, what, reterr) : fault_curl(x, code, what, reterr);
        if (r == 0)
                r = check_status(x, status, what, reterr);
        /* What the handle points at ends here. */
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, NULL);
        return r;
}

/* The URL must be one we can describe without its secrets, so it has none. */
static int check_url(const char *url, struct fault *reterr) {
        own(curl_url_cleanup_p) CURLU *u = curl_url();
        own(curl_free_p) char *scheme = NULL;
        CURLUcode code;

        if (!u)
                return fault_set_oom(reterr);
        code = curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
        if (code == CURLUE_OUT_OF_MEMORY)
                return fault_set_oom(reterr);
        if (code == CURLUE_USER_NOT_ALLOWED)
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "a URL here takes no user or password");
        if (code != CURLUE_OK)
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "the URL is malformed");
        scheme = get_part(u, CURLUPART_SCHEME);
        if (!str_eq(scheme, "http") && !str_eq(scheme, "https"))
                return fault_set(reterr, FAULT_CONFIG, EINVAL, "only http and https are spoken");
        return 0;
}

/*
 * Redirects. libcurl can follow them but not stop at another host, so each hop is ours.
 */

static bool same_part(CURLU *a, CURLU *b, CURLUPart part) {
        own(curl_free_p) char *x = NULL, *y = NULL;

        if (curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) != CURLUE_OK ||
            curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) != CURLUE_OK)
                return false;
        return strcasecmp(x, y) == 0;
}

static bool same_origin(const char *a, const char *b) {
        own(curl_url_cleanup_p) CURLU *x = curl_url();
        own(curl_url_cleanup_p) CURLU *y = curl_url();

        return x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
               curl_url_set(y, CURLUPART_URL, b, CURLU_DISALLOW_USER) == CURLUE_OK &&
               same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) && same_part(x, y, CURLUPART_PORT);
}

static bool is_redirect(int status) {
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* 1: *ret_url is the next one (owned). 0: the answer stands. */
static int next_hop(const struct exchange *x, const char *url, const char *what, char **ret_url, struct fault *reterr) {
        const char *method = method_of(x->req);
        char *target = NULL; /* borrowed from the handle */

        if (x->req->redirect == HTTP_REDIRECT_NO || !is_redirect(x->response->status))
                return 0;
        if (!str_eq(method, "GET") && !str_eq(method, "HEAD"))
                return 0;
        (void)curl_easy_getinfo(x->http->easy, CURLINFO_REDIRECT_URL, &target);
        if (!target)
                return 0;
        if (!same_origin(url, target))
                return fault_set(reterr, FAULT_DENIED, EPERM, "%s: the server redirects to another host", what);
        *ret_url = strdup(target);
        return *ret_url ? 1 : fault_set_oom(reterr);
}

static int follow(struct exchange *x, const char *what, struct fault *reterr) {
        own_free char *url = strdup(x->req->url);

        if (!url)
                return fault_set_oom(reterr);
        for (unsigned hop = 0; hop <= LIMIT_HTTP_REDIRECTS; hop++) {
                own_free char *next = NULL;
                int r = perform_once(x, url, what, reterr);

                if (r >= 0)
                        r = next_hop(x, url, what, &next, reterr);
                if (r <= 0)
                        return r;
                free(url);
                url = take(next);
        }
        return fault_set(reterr, FAULT_DENIED, ELOOP, "%s: more than %d redirects", what, LIMIT_HTTP_REDIRECTS);
}

int http_perform(struct http *h, const struct http_request *req, struct http_response *ret, struct fault *reterr) {
        own_buffer struct buffer what = BUFFER_INIT;
        struct exchange x = { .http = h, .req = req, .response = ret };
        int r;

        assert(req->url);
        http_response_done(ret);
        x.body_limit = req->max_body > 0 && !req->sink ? req->max_body : LIMIT_HTTP_BODY_BYTES;
        ret->headers.max = LIMIT_HTTP_HEADER_BYTES;
        ret->body.max = x.body_limit;

        r = check_url(req->url, reterr);
        if (r < 0)
                return r;
        describe(h, method_of(req), req->url, &what);
        r = buffer_check(&what, "a URL", reterr);
        if (r < 0)
                return r;
        r = follow(&x, buffer_str(&what), reterr);
        return fault_with_reason(reterr, req, r);
}

/*
 * Answers
 */

const char *http_header_nth(const struct http_response *r, const char *name, size_t nth, char *buf, size_t size) {
        const char *p = buffer_str(&r->headers), *end;
        size_t n = strlen(name);

        for (; *p; p = *end ? end + 1 : end) {
                const char *value, *last;

                end = p + strcspn(p, "\n");
                if (strncasecmp(p, name, n) != 0 || p[n] != ':' || nth-- > 0)
                        continue;
                value = p + n + 1;
                value += strspn(value, " \t");
                for (last = end; last > value && strchr(" \t\r", last[-1]);)
                        last--;
                if (last < value || (size_t)(last - value) >= size)
                        return NULL;
                memcpy(buf, value, (size_t)(last - value));
                buf[last - value] = '\0';
                return buf;
        }
        return NULL;
}

const char *http_header(const struct http_response *r, const char *name, char *buf, size_t size) {
        return http_header_nth(r, name, 0, buf, size);
}
