/* The few OpenSSL functions that a TLS connection needs, found at run time in the library that Python's own `_ssl` has loaded.

   Contexts, certificates and the choice by SNI stay with Python's `ssl`; only the bytes of a connection go to OpenSSL directly. The SSL of an
   `ssl.SSLObject` is read out of CPython's PySSLSocket, whose first fields are the same from 3.11 to 3.14; `lb_ssl_of` checks their sizes
   and the fields against the context before it trusts them, so an unknown layout means the slower way, not a crash.

   OpenSSL reads and writes through a BIO of ours (`lb_pipe`), because only there the work of one call can be bounded: SSL_read and SSL_do_handshake
   continue for as long as records without data come. Records are counted there by their headers: their content is not visible from outside,
   but the reader of the data knows which of them were worth it. */
#ifndef LB_OPENSSL_H
#define LB_OPENSSL_H
#include <Python.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef struct lb_ssl SSL;
typedef struct lb_bio BIO;
typedef struct lb_bio_method BIO_METHOD;

static int lb_bio_type;
static BIO_METHOD *lb_pipe_method;
static int (*lb_BIO_get_new_index)(void);
static BIO_METHOD *(*lb_BIO_meth_new)(int, const char *);
static int (*lb_BIO_meth_set_read)(BIO_METHOD *, int (*)(BIO *, char *, int));
static int (*lb_BIO_meth_set_write)(BIO_METHOD *, int (*)(BIO *, const char *, int));
static int (*lb_BIO_meth_set_ctrl)(BIO_METHOD *, long (*)(BIO *, int, long, void *));
static int (*lb_BIO_meth_set_destroy)(BIO_METHOD *, int (*)(BIO *));
static BIO *(*lb_BIO_new)(const BIO_METHOD *);
static void (*lb_BIO_set_data)(BIO *, void *);
static void *(*lb_BIO_get_data)(BIO *);
static void (*lb_BIO_set_init)(BIO *, int);
static void (*lb_BIO_set_flags)(BIO *, int);
static void (*lb_BIO_clear_flags)(BIO *, int);
static void (*lb_SSL_set_bio)(SSL *, BIO *, BIO *);
static int (*lb_SSL_do_handshake)(SSL *);
static int (*lb_SSL_read)(SSL *, void *, int);
static int (*lb_SSL_write)(SSL *, const void *, int);
static int (*lb_SSL_shutdown)(SSL *);
static int (*lb_SSL_get_error)(const SSL *, int);
static int (*lb_SSL_session_reused)(const SSL *);
static int (*lb_SSL_pending)(const SSL *);
static long (*lb_SSL_ctrl)(SSL *, int, long, void *);
static void *(*lb_SSL_get_SSL_CTX)(const SSL *);
static void (*lb_ERR_clear_error)(void);
static unsigned long (*lb_ERR_peek_last_error)(void);
static const char *(*lb_ERR_reason_error_string)(unsigned long);
static long (*lb_SSL_get_verify_result)(const SSL *);
static const char *(*lb_X509_verify_cert_error_string)(long);
static void (*lb_SSL_set_read_ahead)(SSL *, int);

/* Joins one SSL to its socket. `allowance` is how many bytes may still be read in this turn; `cut` says that a call ended because that or the
   limit of records was used up: `idle` counts the records of this turn that have brought no data, `barren` those of the connection that its
   data has not made up for. `dry` says that the socket had less than was requested, so that the next edge reports more (there is none after a
   hang-up). `left` is what is missing of the record that has begun, `head` the part of a record's header that is here. What the socket does
   not take of the last words (`parting`) is kept in `last`. */
#define LB_LAST_WORDS 128
#define LB_RECORD_HEAD 5
#define LB_IDLE 32      /* records without data that a turn may bring before it ends */
#define LB_AHEAD 2048   /* bytes read beyond the record that has begun: OpenSSL takes all records that it has */
typedef struct {
    int fd, eof, cut, dry, hung_up, parting, last_size, idle, head_size;
    Py_ssize_t allowance, barren, left;
    unsigned char head[LB_RECORD_HEAD];
    char last[LB_LAST_WORDS];
} lb_pipe;

#define LB_BIO_READ_RETRY (0x01 | 0x08)  /* BIO_FLAGS_READ and _SHOULD_RETRY */
#define LB_BIO_WRITE_RETRY (0x02 | 0x08)
#define LB_BIO_RETRIES 0x0f
#define LB_BIO_CTRL_EOF 2
#define LB_BIO_CTRL_FLUSH 11

static void lb_count_records(lb_pipe *pipe, const unsigned char *bytes, Py_ssize_t size) {
    Py_ssize_t step;
    unsigned char *head = pipe->head;
    while (size > 0) {
        step = 1;
        if (pipe->left) {
            step = size < pipe->left ? size : pipe->left;
            pipe->left -= step;
        } else {
            head[pipe->head_size++] = *bytes;
            /* A client hello in the form of SSL 2.0, which may only be the first record, has a header of two bytes. */
            if (head[0] & 0x80 ? pipe->head_size == 2 : pipe->head_size == LB_RECORD_HEAD) {
                pipe->left = head[0] & 0x80 ? (head[0] & 0x7f) << 8 | head[1] : head[3] << 8 | head[4];
                pipe->head_size = 0;
                pipe->idle++;
                pipe->barren++;
            }
        }
        bytes += step;
        size -= step;
    }
}

static int lb_pipe_read(BIO *bio, char *into, int size) {
    lb_pipe *pipe = lb_BIO_get_data(bio);
    ssize_t n;
    lb_BIO_clear_flags(bio, LB_BIO_RETRIES);
    if (size <= 0) return 0;
    if (pipe->dry || pipe->allowance <= 0 || pipe->idle >= LB_IDLE) {
        pipe->cut = !pipe->dry;
        lb_BIO_set_flags(bio, LB_BIO_READ_RETRY);
        return -1;
    }
    if (size > pipe->allowance) size = (int)pipe->allowance;
    if (size > pipe->left + LB_AHEAD) size = (int)(pipe->left + LB_AHEAD);
    n = recv(pipe->fd, into, (size_t)size, 0);
    if (n > 0) {
        pipe->allowance -= n;
        lb_count_records(pipe, (unsigned char *)into, n);
        pipe->dry = n < size && !pipe->hung_up;
    } else if (n == 0) {
        pipe->eof = 1;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        pipe->cut = errno == EINTR;
        lb_BIO_set_flags(bio, LB_BIO_READ_RETRY);
    }
    return (int)n;
}

static int lb_pipe_write(BIO *bio, const char *from, int size) {
    lb_pipe *pipe = lb_BIO_get_data(bio);
    ssize_t n;
    lb_BIO_clear_flags(bio, LB_BIO_RETRIES);
    if (size <= 0) return 0;
    n = send(pipe->fd, from, (size_t)size, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        if (pipe->parting && size <= LB_LAST_WORDS - pipe->last_size) {
            memcpy(pipe->last + pipe->last_size, from, (size_t)size);
            pipe->last_size += size;
            return size;
        }
        lb_BIO_set_flags(bio, LB_BIO_WRITE_RETRY);
    }
    return (int)n;
}

static long lb_pipe_ctrl(BIO *bio, int command, long number, void *argument) {
    lb_pipe *pipe = lb_BIO_get_data(bio);
    (void)number; (void)argument;
    if (command == LB_BIO_CTRL_FLUSH) return 1;
    return command == LB_BIO_CTRL_EOF && pipe->eof;
}

static int lb_pipe_destroy(BIO *bio) {
    free(lb_BIO_get_data(bio));
    lb_BIO_set_data(bio, NULL);
    return 1;
}

static int lb_pipe_make_method(void) {
    lb_bio_type = lb_BIO_get_new_index();
    if (lb_bio_type == -1) return 0;
    lb_pipe_method = lb_BIO_meth_new(lb_bio_type | 0x0400, "socket of a connection");  /* BIO_TYPE_SOURCE_SINK */
    return lb_pipe_method && lb_BIO_meth_set_read(lb_pipe_method, lb_pipe_read)
        && lb_BIO_meth_set_write(lb_pipe_method, lb_pipe_write) && lb_BIO_meth_set_ctrl(lb_pipe_method, lb_pipe_ctrl)
        && lb_BIO_meth_set_destroy(lb_pipe_method, lb_pipe_destroy);
}

/* Lets this SSL read from and write to the socket; the pipe lives as long as the SSL. NULL without memory. */
static lb_pipe *lb_join(SSL *ssl, int fd) {
    lb_pipe *pipe = calloc(1, sizeof(lb_pipe));
    BIO *bio = pipe ? lb_BIO_new(lb_pipe_method) : NULL;
    if (!bio) {
        free(pipe);
        return NULL;
    }
    pipe->fd = fd;
    lb_BIO_set_data(bio, pipe);
    lb_BIO_set_init(bio, 1);
    lb_SSL_set_bio(ssl, bio, bio);
    return pipe;
}

static int lb_openssl_load(const char *path) {
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!lib) return 0;
#define LB_FIND(name) if (!(*(void **)(&lb_##name) = dlsym(lib, #name))) return 0;
    LB_FIND(SSL_do_handshake) LB_FIND(SSL_read) LB_FIND(SSL_write) LB_FIND(SSL_shutdown)
    LB_FIND(SSL_get_error) LB_FIND(SSL_session_reused) LB_FIND(SSL_pending) LB_FIND(SSL_ctrl)
    LB_FIND(SSL_get_SSL_CTX) LB_FIND(ERR_clear_error) LB_FIND(ERR_peek_last_error) LB_FIND(ERR_reason_error_string)
    LB_FIND(SSL_get_verify_result) LB_FIND(X509_verify_cert_error_string) LB_FIND(SSL_set_read_ahead) LB_FIND(SSL_set_bio)
    LB_FIND(BIO_get_new_index) LB_FIND(BIO_meth_new) LB_FIND(BIO_meth_set_read) LB_FIND(BIO_meth_set_write)
    LB_FIND(BIO_meth_set_ctrl) LB_FIND(BIO_meth_set_destroy) LB_FIND(BIO_new) LB_FIND(BIO_set_data) LB_FIND(BIO_get_data)
    LB_FIND(BIO_set_init) LB_FIND(BIO_set_flags) LB_FIND(BIO_clear_flags)
#undef LB_FIND
    return lb_pipe_make_method();
}

/* PySSLSocket: PyObject_HEAD, PyObject *Socket, SSL *ssl, PySSLContext *ctx; PySSLContext: PyObject_HEAD, SSL_CTX *ctx. */
static SSL *lb_ssl_of(PyObject *sslsocket, PyObject *context) {
    char *base = (char *)sslsocket + sizeof(PyObject);
    SSL *ssl;
    if (Py_TYPE(sslsocket)->tp_basicsize < (Py_ssize_t)(sizeof(PyObject) + 3 * sizeof(void *))) return NULL;
    if (Py_TYPE(context)->tp_basicsize < (Py_ssize_t)(sizeof(PyObject) + sizeof(void *))) return NULL;
    ssl = *(SSL **)(base + sizeof(void *));
    if (*(PyObject **)(base + 2 * sizeof(void *)) != context || !ssl) return NULL;
    if (lb_SSL_get_SSL_CTX(ssl) != *(void **)((char *)context + sizeof(PyObject))) return NULL;
    return ssl;
}

#define LB_SSL_CTRL_MODE 33
#define LB_SSL_MODE_ENABLE_PARTIAL_WRITE 0x1L
#define LB_SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER 0x2L
#define LB_SSL_MODE_RELEASE_BUFFERS 0x10L
#define LB_SSL_ERROR_WANT_READ 2
#define LB_SSL_ERROR_WANT_WRITE 3
#define LB_SSL_ERROR_ZERO_RETURN 6
#define LB_SSL_ERROR_WANT_CLIENT_HELLO_CB 11
#endif
