/* Lets a process under callgrind say where counting begins: see counted.py. */
#include <valgrind/callgrind.h>

void begin_counting(void)
{
    CALLGRIND_START_INSTRUMENTATION;
}
