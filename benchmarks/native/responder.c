/* The instance behind every proxy in the benchmarks: a minimal epoll server whose cost is small and always the same.
 *
 *   responder HTML_FILE PORTS      prints the PORTS port numbers it took on 127.0.0.1, then serves until it is ended
 *
 *   GET  /bytes/N    N bytes of application/octet-stream
 *   GET  /html/N     the first N bytes of HTML_FILE as text/html
 *   GET  anything    126 bytes in all
 *   POST anything    takes Content-Length bytes in, then the 126 bytes
 *
 * It knows only what the proxies under test send: HTTP/1.1, heads under 16 KiB, Content-Length, keep-alive. A request with a
 * chunked body gets 411. One thread, level-triggered; ends with its parent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, CHUNK = 262144, PREPARED_MAX = 4194304, CACHED = 64 };

struct connection {
    int fd;
    uint32_t events;       /* what epoll watches for now */
    size_t have;           /* bytes of `head` that are filled */
    uint64_t discard;      /* body bytes of the request still to come */
    int answer_due;        /* a body is being taken in; the reply comes after it */
    const char *out;       /* what goes out now */
    size_t out_left;
    uint64_t filler_left;  /* and then so much of `filler` */
    char head[HEAD_MAX];
};

struct prepared {
    int html;
    uint64_t size;
    char *bytes;
    size_t length;
};

static char filler[CHUNK];
static char scratch[CHUNK];
static char small[127];
static char *html;
static size_t html_size;
static struct prepared cache[CACHED];
static int cached;
static int epoll_fd;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void make_small(void)
{
    int head = snprintf(small, sizeof small,
                        "HTTP/1.1 200 OK\r\nServer: responder\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n", 27);
    memset(small + head, 'x', sizeof small - 1 - head);
    if (head + 27 != 126)
        fail("the small response is not 126 bytes");
}

static void make_filler(void)
{
    uint32_t state = 1; /* noise, so that nobody compresses it by chance */
    for (size_t i = 0; i < CHUNK; i++) {
        state = state * 1664525u + 1013904223u;
        filler[i] = (char)(state >> 24);
    }
}

static void read_html(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path);
    html = malloc(PREPARED_MAX);
    html_size = fread(html, 1, PREPARED_MAX, file);
    fclose(file);
}

/* One response, made once: head and, up to PREPARED_MAX, body in one buffer. */
static struct prepared *prepare(int is_html, uint64_t size)
{
    for (int i = 0; i < cached; i++)
        if (cache[i].html == is_html && cache[i].size == size)
            return &cache[i];
    if (cached == CACHED || (is_html && size > html_size))
        return NULL;
    struct prepared *made = &cache[cached++];
    uint64_t whole = size <= PREPARED_MAX ? size : 0;
    made->html = is_html;
    made->size = size;
    made->bytes = malloc(512 + whole);
    made->length = (size_t)sprintf(made->bytes, "HTTP/1.1 200 OK\r\nServer: responder\r\nContent-Type: %s\r\nContent-Length: %llu\r\n\r\n",
                                   is_html ? "text/html; charset=utf-8" : "application/octet-stream", (unsigned long long)size);
    for (uint64_t at = 0; at < whole; at += CHUNK)
        memcpy(made->bytes + made->length + at, is_html ? html + at : filler, whole - at < CHUNK ? whole - at : CHUNK);
    made->length += whole;
    return made;
}

static void answer(struct connection *c, const char *path)
{
    struct prepared *made = NULL;
    if (!strncmp(path, "/bytes/", 7))
        made = prepare(0, strtoull(path + 7, NULL, 10));
    else if (!strncmp(path, "/html/", 6))
        made = prepare(1, strtoull(path + 6, NULL, 10));
    c->out = made ? made->bytes : small;
    c->out_left = made ? made->length : 126;
    c->filler_left = made && made->size > PREPARED_MAX ? made->size : 0;
}

static void refuse_chunked(struct connection *c)
{
    static const char reply[] = "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    c->out = reply;
    c->out_left = sizeof reply - 1;
}

/* Takes one request out of `head`; 0 when it is not whole yet. */
static int take_request(struct connection *c)
{
    char *end = memmem(c->head, c->have, "\r\n\r\n", 4);
    if (!end)
        return 0;
    *end = 0;
    char *path = strchr(c->head, ' ');
    if (!path)
        return -1;
    uint64_t body = 0;
    if (c->head[0] == 'P') { /* only POST and PUT bring a body here: the common GET pays for no search */
        char *length = strcasestr(c->head, "\r\nContent-Length:");
        if (length)
            body = strtoull(length + 17, NULL, 10);
        else if (strcasestr(c->head, "\r\nTransfer-Encoding:")) {
            refuse_chunked(c);
            return 1;
        }
    }
    answer(c, path + 1);
    size_t used = (size_t)(end - c->head) + 4, rest = c->have - used;
    size_t in_body = body < rest ? body : rest;
    c->discard = body - in_body;
    c->answer_due = c->discard > 0;
    c->have = rest - in_body;
    memmove(c->head, c->head + used + in_body, c->have);
    return 1;
}

static void watch(struct connection *c, uint32_t events)
{
    if (c->events == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->events = events;
}

/* 1: all is out, 0: the socket is full, -1: broken. */
static int push(struct connection *c)
{
    while (c->out_left) {
        ssize_t n = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        c->out += n;
        c->out_left -= (size_t)n;
        if (!c->out_left && c->filler_left) {
            c->out = filler;
            c->out_left = c->filler_left < CHUNK ? c->filler_left : CHUNK;
            c->filler_left -= c->out_left;
        }
    }
    return 1;
}

static int pull(struct connection *c)
{
    ssize_t n;
    if (c->discard) {
        n = recv(c->fd, scratch, c->discard < CHUNK ? c->discard : CHUNK, 0);
        if (n > 0)
            c->discard -= (uint64_t)n;
    } else {
        n = recv(c->fd, c->head + c->have, HEAD_MAX - 1 - c->have, 0);
        if (n > 0)
            c->have += (size_t)n;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return -1;
    return 0;
}

/* Everything that can be done for a connection now; -1 closes it. */
static int serve(struct connection *c, uint32_t events)
{
    if (!c->out_left || c->answer_due) {
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && pull(c) < 0)
            return -1;
        if (c->discard)
            return 0;
        if (!c->answer_due) {
            int took = take_request(c);
            if (took <= 0)
                return took < 0 || c->have == HEAD_MAX - 1 ? -1 : 0;
            if (c->answer_due)
                return 0;
        }
        c->answer_due = 0;
    }
    for (;;) {
        int done = push(c);
        if (done < 0)
            return -1;
        watch(c, done ? EPOLLIN : EPOLLOUT);
        if (!done || !c->have || take_request(c) != 1 || c->answer_due)
            return 0;
    }
}

static void accept_all(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        c->events = EPOLLIN;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_somewhere(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096))
        fail("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: responder HTML_FILE PORTS\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    make_small();
    make_filler();
    read_html(argv[1]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int ports = atoi(argv[2]);
    /* A listener is told from a connection by where it is kept. */
    int *listeners = calloc((size_t)ports, sizeof *listeners);
    for (int i = 0; i < ports; i++) {
        listeners[i] = listen_somewhere();
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listeners[i]};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listeners[i], &event);
    }
    fflush(stdout);
    struct epoll_event ready[256];
    for (;;) {
        int n = epoll_wait(epoll_fd, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            int *listener = ready[i].data.ptr;
            if (listener >= listeners && listener < listeners + ports) {
                accept_all(*listener);
                continue;
            }
            struct connection *c = ready[i].data.ptr;
            if (serve(c, ready[i].events) < 0) {
                close(c->fd);
                free(c);
            }
        }
    }
}
