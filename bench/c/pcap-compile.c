/* Times pcap_compile for the expressions on standard input, "NAME<TAB>EXPRESSION" a line: nanoseconds of the best call as JSON. */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(int count, char **arguments) {
  static char line[16384];
  int calls = count > 1 ? atoi(arguments[1]) : 2000, first = 1;
  pcap_t *dead = pcap_open_dead(DLT_RAW, 65535);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    char *expression = strchr(line, '\t');
    if (!expression) return 2;
    *expression++ = 0;
    double best = 1e12;
    for (int i = 0; i < calls; i++) {
      struct bpf_program program;
      struct timespec start, end;
      clock_gettime(CLOCK_MONOTONIC, &start);
      if (pcap_compile(dead, &program, expression, 1, PCAP_NETMASK_UNKNOWN)) {
        pcap_perror(dead, expression);
        return 1;
      }
      pcap_freecode(&program);
      clock_gettime(CLOCK_MONOTONIC, &end);
      double ns = (end.tv_sec - start.tv_sec) * 1e9 + end.tv_nsec - start.tv_nsec;
      if (ns < best) best = ns;
    }
    printf("%s\"%s\":%.0f", first ? "{" : ",", line, best);
    first = 0;
  }
  puts("}");
}
