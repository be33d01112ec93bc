# What each byte may be, and the small things made of bytes: part of `scan.pyx`. Knows neither lines nor messages.

cdef extern from "strings.h":
    int strncasecmp(const char*, const char*, size_t) nogil

cdef extern from *:
    """
    /* What is inline here is called for each field, from one place; left to itself, gcc finds it too large for that. */
    #if defined(__GNUC__)
    #undef CYTHON_INLINE
    #define CYTHON_INLINE inline __attribute__((always_inline))
    #endif
    static inline int lb_odd_word(const char *p) {
        /* eight bytes at once: is one below 0x20 or 0x7f?  (a false alarm costs a second look, never a pass) */
        unsigned long long w;
        __builtin_memcpy(&w, p, 8);
        const unsigned long long ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
        unsigned long long low = (w - ones * 0x20) & ~w & high;
        unsigned long long x = w ^ (ones * 0x7f);
        unsigned long long del = (x - ones) & ~x & high;
        return (low | del) != 0;
    }
    """
    bint lb_odd_word(const char* p) nogil

# What a byte may be: in a token, in a field value, in a target, in a host.
cdef unsigned char TOKEN[256]
cdef unsigned char VALUE[256]
cdef unsigned char TARGET[256]
cdef unsigned char HOST[256]

cdef void _fill_tables() noexcept:
    cdef int i
    cdef const char* token = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    cdef const char* host = b"-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for i in range(256):
        TOKEN[i] = HOST[i] = 0
        VALUE[i] = (i >= 0x20 and i != 0x7F) or i == 9
        TARGET[i] = i > 0x20 and i != 0x7F and i != c'#'
    i = 0
    while token[i]:
        TOKEN[<unsigned char>token[i]] = 1
        i += 1
    TOKEN[c'_'] = 3  # bit 2 marks it: some apps read it as "-"
    i = 0
    while host[i]:
        HOST[<unsigned char>host[i]] = 1
        i += 1
    # A path that has one of these is examined again before a decision: bit 2 marks them.
    TARGET[c'%'] = TARGET[c'\\'] = TARGET[c';'] = TARGET[c'/'] = 3

_fill_tables()


cdef inline bint same(const char* a, const char* b, Py_ssize_t n) noexcept:
    return strncasecmp(a, b, n) == 0


cdef inline bytes text(const char* p, Py_ssize_t n):
    return PyBytes_FromStringAndSize(p, n)


cdef inline bint is_value(const char* p, const char* end) noexcept:
    while end - p >= 8:
        if lb_odd_word(p):
            break
        p += 8
    while p < end:
        if not VALUE[<unsigned char>p[0]]:
            return False
        p += 1
    return True


cdef inline Py_ssize_t number(const char* p, Py_ssize_t n) noexcept:
    # 1*DIGIT (RFC 9110 8.6), else -1: signs, blanks and lists are no lengths. -2: digits, but too many for a length.
    cdef Py_ssize_t value = 0
    cdef Py_ssize_t i
    if n < 1:
        return -1
    for i in range(n):
        if p[i] < c'0' or p[i] > c'9':
            return -1
        if i < 18:
            value = value * 10 + (p[i] - c'0')
    return value if n <= 18 else -2


cdef bint is_authority(const char* p, Py_ssize_t n) noexcept:
    # uri-host [":" port] with names and addresses as DNS and RFC 3986 3.2.2 have them; no userinfo, no percent-encoding.
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t port
    if n > 0 and p[0] == c'[':
        i = 1
        while i < n and (HOST[<unsigned char>p[i]] or p[i] == c':'):
            i += 1
        if i < 3 or i >= n or p[i] != c']':
            return False
        i += 1
    else:
        while i < n and HOST[<unsigned char>p[i]]:
            i += 1
        if i == 0 and n > 0:
            return False
    if i == n:
        return True
    if p[i] != c':':
        return False
    if i + 1 == n:
        return True
    port = number(p + i + 1, n - i - 1)
    return 0 <= port <= 65535


cdef bint is_request_id(const char* p, Py_ssize_t n) noexcept:
    # 1 to 128 characters of [A-Za-z0-9._-]+=/: typical of ids, and harmless in a log or a shell.
    cdef Py_ssize_t i
    if n < 1 or n > 128:
        return False
    for i in range(n):
        if not (HOST[<unsigned char>p[i]] or p[i] == c'+' or p[i] == c'=' or p[i] == c'/' or p[i] == c':'):
            return False
    return True


cdef int is_odd(char* q, char* end) except -1:
    # Whether the spelling of a target's path needs a closer look: only that of the path matters, not that of the query.
    cdef bint odd = q[0] != c'/' and not (q[0] == c'*' and end - q == 1)
    cdef unsigned char mark
    while q < end:
        mark = TARGET[<unsigned char>q[0]]
        if mark != 1:
            if mark == 0:
                raise _bad("the request target has a byte that must be encoded")
            if q[0] != c'/' or q[1] == c'/' or q[1] == c'.':
                odd = True
        elif q[0] == c'?':
            break
        q += 1
    while q < end:
        if not TARGET[<unsigned char>q[0]]:
            raise _bad("the request target has a byte that must be encoded")
        q += 1
    return odd
