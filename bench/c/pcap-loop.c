/*
 * Captures with libpcap's own loop (TPACKET_V3) and counts.
 *
 * Environment: INTERFACE, FILTER, SNAPLEN (262144). READY when it captures; JSON on SIGTERM.
 */
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { WHOLE_PACKETS = 262144, BUFFER = 64 << 20, TIMEOUT_MS = 100 };

static pcap_t *capture;
static unsigned long packets, sum;
static void stop(int signal) {
  (void)signal;
  pcap_breakloop(capture);
}
static void count(u_char *own, const struct pcap_pkthdr *header, const u_char *bytes) {
  (void)own;
  packets++;
  sum += header->caplen + bytes[0];
}

int main(void) {
  char message[PCAP_ERRBUF_SIZE];
  const char *snaplen = getenv("SNAPLEN"), *filter = getenv("FILTER");
  capture = pcap_create(getenv("INTERFACE"), message);
  if (!capture) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  pcap_set_snaplen(capture, snaplen ? atoi(snaplen) : WHOLE_PACKETS);
  pcap_set_buffer_size(capture, BUFFER);
  pcap_set_timeout(capture, TIMEOUT_MS);
  struct bpf_program program;
  if (pcap_activate(capture) < 0 ||
      (filter && (pcap_compile(capture, &program, filter, 1, 0) || pcap_setfilter(capture, &program)))) {
    pcap_perror(capture, "pcap");
    return 1;
  }
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, 0);
  puts("READY");
  fflush(stdout);
  pcap_loop(capture, -1, count, 0);
  struct pcap_stat statistics;
  pcap_stats(capture, &statistics);
  printf("{\"captured\":%lu,\"dropped\":%u,\"sum\":%lu}\n", packets, statistics.ps_drop, sum);
}
