/* The few OpenSSL functions that a TLS connection needs, found at run time in the library that Python's own `_ssl` has loaded.

   Contexts, certificates and the choice by SNI stay with Python's `ssl`; only the bytes of a connection go to OpenSSL directly. The SSL of an
   `ssl.SSLObject` is read out of CPython's PySSLSocket, whose first fields are the same from 3.11 to 3.14; `lb_ssl_of` checks them
   against the context before anything is believed, so an unknown layout means the slower way, not a crash. */
#ifndef LB_OPENSSL_H
#define LB_OPENSSL_H
#include <Python.h>
#include <dlfcn.h>

typedef struct lb_ssl SSL;

static int (*lb_SSL_set_fd)(SSL *, int);
static int (*lb_SSL_do_handshake)(SSL *);
static int (*lb_SSL_read)(SSL *, void *, int);
static int (*lb_SSL_write)(SSL *, const void *, int);
static int (*lb_SSL_shutdown)(SSL *);
static int (*lb_SSL_get_error)(const SSL *, int);
static int (*lb_SSL_session_reused)(const SSL *);
static int (*lb_SSL_has_pending)(const SSL *);
static long (*lb_SSL_ctrl)(SSL *, int, long, void *);
static void *(*lb_SSL_get_SSL_CTX)(const SSL *);
static void (*lb_ERR_clear_error)(void);
static void (*lb_SSL_set_read_ahead)(SSL *, int);

static int lb_openssl_load(const char *path) {
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!lib) return 0;
#define LB_FIND(name) if (!(*(void **)(&lb_##name) = dlsym(lib, #name))) return 0;
    LB_FIND(SSL_set_fd) LB_FIND(SSL_do_handshake) LB_FIND(SSL_read) LB_FIND(SSL_write) LB_FIND(SSL_shutdown)
    LB_FIND(SSL_get_error) LB_FIND(SSL_session_reused) LB_FIND(SSL_has_pending) LB_FIND(SSL_ctrl)
    LB_FIND(SSL_get_SSL_CTX) LB_FIND(ERR_clear_error) LB_FIND(SSL_set_read_ahead)
#undef LB_FIND
    return 1;
}

/* PySSLSocket: PyObject_HEAD, PyObject *Socket, SSL *ssl, PySSLContext *ctx; PySSLContext: PyObject_HEAD, SSL_CTX *ctx. */
static SSL *lb_ssl_of(PyObject *sslsocket, PyObject *context) {
    char *base = (char *)sslsocket + sizeof(PyObject);
    SSL *ssl = *(SSL **)(base + sizeof(void *));
    PyObject *ctx = *(PyObject **)(base + 2 * sizeof(void *));
    if (ctx != context || !ssl) return NULL;
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
