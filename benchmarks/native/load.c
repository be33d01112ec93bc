/* The load that wrk cannot make: new connections, handshakes with and without resumption, uploads, whole counts of large
 * downloads, a constant rate, and connections that stay idle.
 *
 *   load --port P [--host NAME] [--path /small] [--connections 64] [--requests N | --seconds S]
 *        [--tls full|resumed] [--close] [--rate R] [--upload BYTES] [--fields FILE] [--hold]
 *
 * Prints one JSON object. With --rate the start of every request is fixed beforehand (open loop) and its latency is counted from
 * there, so that a proxy that stalls is charged for all who waited (no coordinated omission). With --hold every connection makes one
 * request and stays open until standard input ends. See load.h for the other files.
 */
#define _GNU_SOURCE
#include "load.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { OPENING_AT_ONCE = 32, GRACE_NS = 2000000000 };
static const char *const failure_names[FAILURES] = {"connect", "tls", "write", "read", "status", "timeout"};

struct options options = {.connections = 64, .host = "localhost", .path = "/small", .fields = ""};
uint64_t failures[FAILURES], full_handshakes, resumed_handshakes, bytes_in;
int epoll_fd;

static struct slot *slots, **resting;
static int at_rest, timer_fd, out_now;
static uint64_t began, ends, begun, answered, last_answer;
static uint32_t *latencies; /* tenths of a microsecond */
static size_t latency_room;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void keep_latency(uint64_t ns)
{
    if (answered == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 65536;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
    }
    latencies[answered++] = ns / 100 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 100);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(double p)
{
    if (!answered)
        return 0;
    size_t at = (size_t)(p / 100 * (double)answered);
    return latencies[at < answered ? at : answered - 1] / 10.0;
}

static uint64_t failed_so_far(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < FAILURES; i++)
        sum += failures[i];
    return sum;
}

/* When the next request is meant to start; UINT64_MAX: never. */
static uint64_t next_due(void)
{
    if (options.requests && begun >= options.requests)
        return UINT64_MAX;
    if (options.hold && begun >= (uint64_t)options.connections)
        return UINT64_MAX;
    uint64_t due = options.rate > 0 ? began + (uint64_t)((double)begun * 1e9 / options.rate) : now_ns();
    return due < ends ? due : UINT64_MAX;
}

static void settle(struct slot *slot, int result, uint64_t now)
{
    if (result == 0)
        return;
    out_now--;
    if (result == 1) {
        keep_latency(now - slot->due);
        last_answer = now;
    }
    if (result < 0 || !options.hold) /* a held connection is not used again */
        resting[at_rest++] = slot;
}

/* Starts what is due, as far as slots are free. */
static void start_due(void)
{
    int limit = options.hold ? OPENING_AT_ONCE : options.connections;
    if (options.tls == TLS_RESUMED && !channel_have_session())
        limit = 1; /* the first ticket is earned alone; all others resume */
    while (at_rest && out_now < limit) {
        uint64_t due = next_due(), now = now_ns();
        if (due > now)
            return;
        struct slot *slot = resting[--at_rest];
        slot->due = options.rate > 0 ? due : now;
        begun++;
        out_now++;
        settle(slot, exchange_start(slot), now_ns());
    }
}

/* Wakes the loop for the next start of a constant rate, or for the end. */
static void arm(void)
{
    uint64_t due = options.rate > 0 ? next_due() : UINT64_MAX, now = now_ns();
    uint64_t wake = due == UINT64_MAX || !at_rest ? now + 50000000u : due > now ? due : now + 1;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(wake / 1000000000u), .tv_nsec = (long)(wake % 1000000000u)}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int finished(void)
{
    if (options.hold || options.requests)
        return out_now == 0 && next_due() == UINT64_MAX;
    uint64_t now = now_ns();
    return now >= ends && (out_now == 0 || now >= ends + GRACE_NS);
}

static void run(void)
{
    struct epoll_event ready[256];
    uint64_t gives_up = now_ns() + 120000000000u;
    while (!finished() && now_ns() < gives_up && failed_so_far() < 1000) {
        start_due();
        arm();
        int n = epoll_wait(epoll_fd, ready, 256, 1000);
        for (int i = 0; i < n; i++) {
            struct slot *slot = ready[i].data.ptr;
            if (!slot)
                continue; /* the timer: setting it again clears it */
            if (slot->stage != AT_REST)
                settle(slot, exchange_advance(slot), now_ns());
        }
    }
    if (options.rate <= 0 && !options.requests && !options.hold)
        return; /* what was under way at the end of the time is no failure */
    failures[FAIL_TIMEOUT] += (uint64_t)out_now;
}

static void report(void)
{
    qsort(latencies, answered, sizeof *latencies, compare);
    uint64_t meant = options.rate > 0 ? (uint64_t)(options.rate * options.seconds) : begun;
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"bytes_in\": %llu, \"unsent\": %llu, \"full\": %llu, \"resumed\": %llu",
           (unsigned long long)answered, (double)(last_answer - began) / 1e9, (unsigned long long)bytes_in,
           (unsigned long long)(meant > begun ? meant - begun : 0), (unsigned long long)full_handshakes,
           (unsigned long long)resumed_handshakes);
    printf(", \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f, \"errors\": {", percentile(50), percentile(90),
           percentile(99), percentile(99.9), percentile(100));
    for (int i = 0; i < FAILURES; i++)
        printf("%s\"%s\": %llu", i ? ", " : "", failure_names[i], (unsigned long long)failures[i]);
    printf("}}\n");
    fflush(stdout);
}

static const char *read_text(const char *path)
{
    static char text[3072];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static void read_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        int takes = 1;
        if (!strcmp(name, "--port"))
            options.port = atoi(value);
        else if (!strcmp(name, "--host"))
            options.host = value;
        else if (!strcmp(name, "--path"))
            options.path = value;
        else if (!strcmp(name, "--connections"))
            options.connections = atoi(value);
        else if (!strcmp(name, "--requests"))
            options.requests = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--seconds"))
            options.seconds = atof(value);
        else if (!strcmp(name, "--rate"))
            options.rate = atof(value);
        else if (!strcmp(name, "--upload"))
            options.upload = strtoull(value, NULL, 10);
        else if (!strcmp(name, "--fields"))
            options.fields = read_text(value);
        else if (!strcmp(name, "--tls"))
            options.tls = !strcmp(value, "resumed") ? TLS_RESUMED : TLS_FULL;
        else if (takes = 0, !strcmp(name, "--close"))
            options.close_each = 1;
        else if (!strcmp(name, "--hold"))
            options.hold = 1;
        else {
            fprintf(stderr, "load: unknown option %s\n", name);
            exit(2);
        }
        i += takes;
    }
}

int main(int argc, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    read_options(argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    exchange_prepare();
    if (channel_prepare()) {
        fprintf(stderr, "load: built without OpenSSL's headers\n");
        return 3;
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &event);
    slots = calloc((size_t)options.connections, sizeof *slots);
    resting = calloc((size_t)options.connections, sizeof *resting);
    for (int i = options.connections - 1; i >= 0; i--) {
        slots[i].fd = -1;
        resting[at_rest++] = &slots[i];
    }
    began = last_answer = now_ns();
    ends = options.seconds > 0 ? began + (uint64_t)(options.seconds * 1e9) : UINT64_MAX;
    run();
    report();
    char byte;
    if (options.hold)
        while (read(0, &byte, 1) > 0)
            ;
    return 0;
}
