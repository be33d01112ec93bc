/* What the load generator's files share: the options, one slot of load, and the channel that carries its bytes.
 *
 * channel.c moves bytes (plain or TLS) and knows nothing of HTTP; exchange.c drives one request after another on a slot and knows
 * nothing of schedules; load.c owns the clock, the slots and the report.
 */
#ifndef LOAD_H
#define LOAD_H
#include <stddef.h>
#include <stdint.h>

enum tls_mode { TLS_NONE, TLS_FULL, TLS_RESUMED };
enum failure { FAIL_CONNECT, FAIL_TLS, FAIL_WRITE, FAIL_READ, FAIL_STATUS, FAIL_TIMEOUT, FAILURES };
enum stage { AT_REST, CONNECTING, HANDSHAKE, SENDING, READING, ENDING };

struct options {
    int port, connections, close_each, hold;
    enum tls_mode tls;
    uint64_t requests;    /* stop after so many; 0: by time alone */
    double seconds, rate; /* rate in requests a second; 0: as fast as answers come */
    uint64_t upload;      /* body bytes of each request; 0: GET */
    const char *host, *path, *fields; /* `fields`: header lines, each with its CRLF */
};

struct slot {
    int fd;
    void *ssl;
    enum stage stage;
    uint64_t due;         /* ns: when the request was meant to start */
    uint64_t sent;        /* bytes of head and body that are out */
    uint64_t body_left;   /* response bytes still to come */
    size_t have;          /* bytes in `head` */
    int head_done;
    char head[4096];
};

extern struct options options;
extern uint64_t failures[FAILURES], full_handshakes, resumed_handshakes, bytes_in;
extern int epoll_fd;

/* channel.c: 0 is "later", -1 is "broken or ended". */
int channel_prepare(void);
int channel_have_session(void);
int channel_connect(struct slot *slot);
int channel_handshake(struct slot *slot);
long channel_write(struct slot *slot, const char *data, size_t size);
long channel_read(struct slot *slot, char *data, size_t size);
void channel_close(struct slot *slot);

/* exchange.c: 1 a response is whole, 0 more has to come, -1 failed (counted, connection closed). */
void exchange_prepare(void);
int exchange_start(struct slot *slot);
int exchange_advance(struct slot *slot);
#endif
