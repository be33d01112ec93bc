/* One request after another on one slot: see load.h. Understands the answers of the responder behind a proxy: a status line,
 * Content-Length, a body. Anything else is counted as a failure, never guessed at. */
#define _GNU_SOURCE
#include "load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { CHUNK = 262144 };
static char head[4096];
static size_t head_size;
static char filler[CHUNK], sink[CHUNK];

void exchange_prepare(void)
{
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s", options.upload ? "POST" : "GET", options.path,
                     options.host, options.fields, options.close_each ? "Connection: close\r\n" : "");
    if (options.upload)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Type: application/octet-stream\r\nContent-Length: %llu\r\n",
                      (unsigned long long)options.upload);
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    head_size = (size_t)n;
    memset(filler, 'u', sizeof filler);
}

static int failed(struct slot *slot, enum failure why)
{
    failures[why]++;
    channel_close(slot);
    return -1;
}

int exchange_start(struct slot *slot)
{
    slot->sent = slot->body_left = 0;
    slot->have = 0;
    slot->head_done = 0;
    if (slot->fd >= 0) {
        slot->stage = SENDING;
        return exchange_advance(slot);
    }
    slot->stage = CONNECTING;
    return channel_connect(slot) ? failed(slot, FAIL_CONNECT) : 0;
}

static int send_request(struct slot *slot)
{
    uint64_t whole = head_size + options.upload;
    while (slot->sent < whole) {
        const char *from = slot->sent < head_size ? head + slot->sent : filler;
        uint64_t left = slot->sent < head_size ? head_size - slot->sent : whole - slot->sent;
        long n = channel_write(slot, from, left < CHUNK ? left : CHUNK);
        if (n <= 0)
            return (int)n;
        slot->sent += (uint64_t)n;
    }
    return 1;
}

/* 1 when the head is whole, 0 more, -1 when it is none that the responder would have sent. */
static int read_head(struct slot *slot)
{
    long n = channel_read(slot, slot->head + slot->have, sizeof slot->head - 1 - slot->have);
    if (n <= 0)
        return (int)n;
    bytes_in += (uint64_t)n;
    slot->have += (size_t)n;
    slot->head[slot->have] = 0;
    char *end = memmem(slot->head, slot->have, "\r\n\r\n", 4);
    if (!end)
        return slot->have == sizeof slot->head - 1 ? -1 : 2;
    char *length = strcasestr(slot->head, "\r\nContent-Length:");
    if (!length || length > end)
        return -1;
    uint64_t body = strtoull(length + 17, NULL, 10), here = slot->have - (size_t)(end + 4 - slot->head);
    if (here > body)
        return -1;
    slot->body_left = body - here;
    slot->head_done = 1;
    return 1;
}

static int read_response(struct slot *slot)
{
    while (!slot->head_done) {
        int n = read_head(slot);
        if (n <= 0)
            return n;
    }
    while (slot->body_left) {
        long n = channel_read(slot, sink, slot->body_left < CHUNK ? slot->body_left : CHUNK);
        if (n <= 0)
            return (int)n;
        bytes_in += (uint64_t)n;
        slot->body_left -= (uint64_t)n;
    }
    return 1;
}

static int connected(struct slot *slot)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error ? -1 : 1;
}

int exchange_advance(struct slot *slot)
{
    int n;
    switch (slot->stage) {
    case AT_REST:
        return 0; /* an idle connection that the proxy closes is noticed by the next write */
    case CONNECTING:
        if (connected(slot) < 0)
            return failed(slot, FAIL_CONNECT);
        slot->stage = options.tls == TLS_NONE ? SENDING : HANDSHAKE;
        return exchange_advance(slot);
    case HANDSHAKE:
        if ((n = channel_handshake(slot)) <= 0)
            return n < 0 ? failed(slot, FAIL_TLS) : 0;
        slot->stage = SENDING;
        /* fall through */
    case SENDING:
        if ((n = send_request(slot)) <= 0)
            return n < 0 ? failed(slot, FAIL_WRITE) : 0;
        slot->stage = READING;
        /* fall through */
    case READING:
        if ((n = read_response(slot)) <= 0)
            return n < 0 ? failed(slot, FAIL_READ) : 0;
        if (strncmp(slot->head + 8, " 200", 4))
            return failed(slot, FAIL_STATUS);
        if (!options.close_each) {
            slot->stage = AT_REST;
            return 1;
        }
        slot->stage = ENDING;
        /* fall through */
    case ENDING: /* the proxy closes first; closing before it would reset the connection instead */
        while ((n = (int)channel_read(slot, sink, CHUNK)) > 0)
            ;
        if (n == 0)
            return 0;
        channel_close(slot);
        return 1;
    }
    return 0;
}
