// A clock that a test moves, for a server that it starts with this library in LD_PRELOAD: the number of nanoseconds since 1970
// in the file STOPPED_CLOCK replaces the system's time. Monotonic clocks are not changed, so timeouts and the event loop go on.
//
// Valkey 9.1 asks the system once a millisecond and counts the processor's ticks in between, unless it cannot learn how fast these
// are: so it cannot.
//
// libfaketime does the same for any program, but deadlocks with jemalloc, which Debian's redis-server uses.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *stopped;

__attribute__((constructor)) static void map_the_clock(void) {
  const char *path = getenv("STOPPED_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *mapped = mmap(NULL, sizeof *stopped, PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) _exit(70);
  close(file);
  stopped = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (stopped && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    int64_t now = *stopped;
    *time = (struct timespec){now / 1000000000, now % 1000000000};
    return 0;
  }
  return (int)syscall(SYS_clock_gettime, clock, time);
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *result) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

typedef FILE *opening(const char *, const char *);

static FILE *opened(const char *name, const char *path, const char *mode) {
  opening *next = (opening *)dlsym(RTLD_NEXT, name);
  return next(strcmp(path, "/proc/cpuinfo") ? path : "/dev/null", mode);
}

FILE *fopen(const char *restrict path, const char *restrict mode) { return opened("fopen", path, mode); }

#ifdef __GLIBC__
FILE *fopen64(const char *restrict path, const char *restrict mode) { return opened("fopen64", path, mode); }
#endif
