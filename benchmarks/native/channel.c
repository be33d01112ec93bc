/* The bytes of one connection, plain or TLS 1.3: see load.h. Built without -DWITH_TLS it knows plain connections only. */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *context;
/* Every resumption offers the newest ticket that has come, in a copy: OpenSSL marks a session as spent when its connection gets
 * another ticket, and that must not reach the others. */
static SSL_SESSION *newest;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = SSL_SESSION_dup(session);
    return 0;
}

int channel_prepare(void)
{
    if (options.tls == TLS_NONE)
        return 0;
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (options.tls == TLS_RESUMED) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
    return 0;
}

int channel_have_session(void)
{
    return newest != NULL;
}

static long settle(struct slot *slot, int result)
{
    int why = SSL_get_error(slot->ssl, result);
    ERR_clear_error(); /* what is left of one connection's error would be taken for the next one's */
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int channel_handshake(struct slot *slot)
{
    if (!slot->ssl) {
        SSL *ssl = SSL_new(context);
        SSL_set_fd(ssl, slot->fd);
        SSL_set_tlsext_host_name(ssl, options.host);
        if (newest) {
            SSL_SESSION *copy = SSL_SESSION_dup(newest);
            SSL_set_session(ssl, copy);
            SSL_SESSION_free(copy);
        }
        slot->ssl = ssl;
    }
    int done = SSL_connect(slot->ssl);
    if (done != 1)
        return (int)settle(slot, done);
    int reused = SSL_session_reused(slot->ssl);
    if (reused)
        resumed_handshakes++;
    else
        full_handshakes++;
    /* A figure for the wrong kind of handshake is none: the first of all connections alone has nothing to resume. */
    int wanted = options.tls == TLS_RESUMED && full_handshakes + resumed_handshakes > 1;
    return reused == wanted ? 1 : -1;
}

static void end_tls(struct slot *slot)
{
    if (slot->ssl) {
        /* The proxy has closed already: nothing to send, but without this OpenSSL takes the session for one that must not be resumed. */
        SSL_set_shutdown(slot->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(slot->ssl);
    }
    slot->ssl = NULL;
}
#else
int channel_prepare(void)
{
    return options.tls == TLS_NONE ? 0 : -1;
}

int channel_have_session(void)
{
    return 0;
}

int channel_handshake(struct slot *slot)
{
    (void)slot;
    return -1;
}

static void end_tls(struct slot *slot)
{
    (void)slot;
}
#endif

int channel_connect(struct slot *slot)
{
    static uint32_t turn;
    int on = 1;
    slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (slot->fd < 0)
        return -1;
    setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (options.close_each) {
        /* 64 source addresses: connections that wait in TIME_WAIT do not use up the ports of one. */
        struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn++ % 64)};
        setsockopt(slot->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(slot->fd, (struct sockaddr *)&here, sizeof here))
            return -1;
    }
    if (connect(slot->fd, (struct sockaddr *)&there, sizeof there) && errno != EINPROGRESS)
        return -1;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = slot};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, slot->fd, &event);
}

long channel_write(struct slot *slot, const char *data, size_t size)
{
#ifdef WITH_TLS
    if (slot->ssl) {
        int n = SSL_write(slot->ssl, data, (int)size);
        return n > 0 ? n : settle(slot, n);
    }
#endif
    ssize_t n = send(slot->fd, data, size, MSG_NOSIGNAL);
    return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == ENOTCONN) ? 0 : -1;
}

long channel_read(struct slot *slot, char *data, size_t size)
{
#ifdef WITH_TLS
    if (slot->ssl) {
        int n = SSL_read(slot->ssl, data, (int)size);
        return n > 0 ? n : settle(slot, n);
    }
#endif
    ssize_t n = recv(slot->fd, data, size, 0);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

void channel_close(struct slot *slot)
{
    end_tls(slot);
    if (slot->fd >= 0)
        close(slot->fd);
    slot->fd = -1;
    slot->stage = AT_REST;
}
