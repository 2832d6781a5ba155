/*
 * New TCP connections at a rate, each with one byte and a reset at its end, so that no port stays taken.
 *
 *   tcp-flows server PORT                          prints READY
 *   tcp-flows client ADDRESS PORT RATE SECONDS     prints what it did as JSON
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 4096 };
/* Less is not worth a sleep. */
static const double NAP = 50e-6;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void sleep_until(double due) {
  double left = due - now();
  if (left < NAP) return;
  struct timespec t = {(time_t)left, (long)((left - (time_t)left) * 1e9)};
  nanosleep(&t, NULL);
}

static int serve(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&own, sizeof own) || listen(fd, BACKLOG)) {
    perror("listen");
    return 1;
  }
  puts("READY");
  fflush(stdout);
  for (;;) {
    char byte;
    int peer = accept(fd, NULL, NULL);
    if (peer < 0) continue;
    if (read(peer, &byte, 1) < 0) { /* it was reset already */
    }
    close(peer);
  }
}

int main(int count, char **arguments) {
  if (count == 3 && !strcmp(arguments[1], "server")) return serve(atoi(arguments[2]));
  if (count != 6) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[3]))};
  inet_pton(AF_INET, arguments[2], &to.sin_addr);
  double rate = atof(arguments[4]), seconds = atof(arguments[5]);
  unsigned long wanted = rate * seconds, flows = 0, errors = 0;
  struct linger reset = {1, 0};
  double start = now();
  while (flows + errors < wanted) {
    sleep_until(start + (flows + errors) / rate);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) || send(fd, "x", 1, MSG_NOSIGNAL) != 1) errors++;
    else flows++;
    close(fd);
  }
  double took = now() - start;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  double cpu = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
  printf("{\"flows\":%lu,\"errors\":%lu,\"seconds\":%.4f,\"cpuUs\":%.0f}\n", flows, errors, took, cpu);
}
