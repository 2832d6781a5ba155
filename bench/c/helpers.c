/*
 * The helpers every packet library has, in plain C, to know how fast this machine is: parsing, checksums, a hash of the
 * headers, walking a filter's decision graph. Reads packets and graphs from standard input:
 *
 *   packet HEX                                        any number; the last one of 1500 bytes is for checksums and hash
 *   filter NAME                                       then its tests:
 *   test FIELD OPERATOR VALUE SUCCESS FAILURE INDEX   labels: index of a test, -1 accept, -2 reject
 *
 * Prints nanoseconds per call as JSON.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_PACKETS = 16, MAX_TESTS = 256, MAX_FILTERS = 8, RUNS = 400, RUN_NS = 500000, TCP = 6, UDP = 17, ICMP = 1, ICMPV6 = 58 };
enum { ACCEPT = -1, REJECT = -2 };

struct packet {
  uint8_t bytes[2048];
  int length;
};
struct layout {
  const uint8_t *ipv4, *ipv6, *tcp, *udp, *icmp, *payload;
  int version, protocol, payloadLength;
};
struct test {
  char field[24];
  int kind, operator, success, failure, index;
  uint32_t value;
};
struct filter {
  char name[32];
  struct test tests[MAX_TESTS];
  int count;
};

static struct packet packets[MAX_PACKETS];
static struct filter filters[MAX_FILTERS];
static int packetCount, filterCount, calls;
static volatile uint64_t sink;

static unsigned read16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static uint32_t read32(const uint8_t *at) { return (uint32_t)read16(at) << 16 | read16(at + 2); }

static int isExtension(int protocol) {
  return protocol == 0 || protocol == 43 || protocol == 44 || protocol == 51 || protocol == 60;
}

__attribute__((noinline)) static int parse(const uint8_t *bytes, int length, struct layout *found) {
  memset(found, 0, sizeof *found);
  if (length < 20) return 0;
  int header, end, fragment = 0;
  found->version = bytes[0] >> 4;
  if (found->version == 4) {
    header = (bytes[0] & 15) * 4;
    end = read16(bytes + 2);
    if (header < 20 || end < header) return 0;
    found->ipv4 = bytes;
    found->protocol = bytes[9];
    fragment = read16(bytes + 6) & 0x1fff;
  } else if (found->version == 6 && length >= 40) {
    header = 40;
    end = 40 + read16(bytes + 4);
    found->ipv6 = bytes;
    found->protocol = bytes[6];
    while (isExtension(found->protocol) && header + 8 <= length && !fragment) {
      const uint8_t *extension = bytes + header;
      int is_fragment = found->protocol == 44;
      if (is_fragment) fragment = read16(extension + 2) & 0xfff8;
      header += is_fragment ? 8 : found->protocol == 51 ? (extension[1] + 2) * 4 : (extension[1] + 1) * 8;
      found->protocol = extension[0];
    }
  } else {
    return 0;
  }
  if (end > length) end = length;
  const uint8_t *transport = bytes + header;
  int room = end - header;
  if (!fragment) {
    if (found->protocol == TCP && room >= 20) {
      int size = (transport[12] >> 4) * 4;
      if (size >= 20 && size <= room) found->tcp = transport, header += size;
    } else if (found->protocol == UDP && room >= 8) {
      found->udp = transport, header += 8;
    } else if ((found->protocol == ICMP || found->protocol == ICMPV6) && room >= 8) {
      found->icmp = transport, header += 8;
    }
  }
  found->payload = bytes + header;
  found->payloadLength = end - header;
  return 1;
}

/* RFC 1071, section 4.1. */
static uint64_t sum(const uint8_t *at, int length, uint64_t total) {
  for (; length > 1; at += 2, length -= 2) {
    uint16_t word;
    memcpy(&word, at, 2);
    total += word;
  }
  return length ? total + *at : total;
}

static uint16_t folded(uint64_t total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return ~total;
}

__attribute__((noinline)) static void checksums(uint8_t *bytes, int length) {
  struct layout found;
  if (!parse(bytes, length, &found) || !found.ipv4) return;
  memset(bytes + 10, 0, 2);
  uint16_t value = folded(sum(bytes, (bytes[0] & 15) * 4, 0));
  memcpy(bytes + 10, &value, 2);
  uint8_t *transport = (uint8_t *)found.tcp;
  if (!transport) return;
  int covered = found.payload + found.payloadLength - transport;
  uint8_t pseudo[12] = {[9] = TCP, [10] = covered >> 8, [11] = covered & 0xff};
  memcpy(pseudo, bytes + 12, 8);
  memset(transport + 16, 0, 2);
  value = folded(sum(transport, covered, sum(pseudo, sizeof pseudo, 0)));
  memcpy(transport + 16, &value, 2);
}

static const uint64_t PRIMES[] = {0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0x85ebca77c2b2ae63};

static uint64_t rotated(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }
static uint64_t mixed(uint64_t seed, uint64_t input) {
  return rotated(seed + input * PRIMES[1], 31) * PRIMES[0];
}

/* A hash of addresses, ports and lengths in four lanes. */
__attribute__((noinline)) static uint64_t hash(const uint8_t *bytes, int length, uint64_t seed) {
  struct layout found;
  if (!parse(bytes, length, &found)) return 0;
  uint64_t words[4] = {seed, seed, seed, seed}, total = seed;
  memcpy(words, bytes, found.version == 4 ? 20 : 32);
  const uint8_t *transport = found.tcp ? found.tcp : found.udp ? found.udp : found.icmp;
  if (transport) {
    uint64_t ports;
    memcpy(&ports, transport, 8);
    words[3] ^= ports;
  }
  for (int i = 0; i < 4; i++) words[i] = mixed(seed ^ PRIMES[i], words[i]);
  for (int i = 0; i < 4; i++) total += rotated(words[i], (const int[]){1, 7, 12, 18}[i]);
  for (int i = 0; i < 4; i++) total = (total ^ mixed(0, words[i])) * PRIMES[0] + PRIMES[3];
  total = (total ^ total >> 33) * PRIMES[1];
  total = (total ^ total >> 29) * PRIMES[2];
  return total ^ total >> 32;
}

static const char *FIELDS[] = {"outbound", "tcp.DstPort", "udp.DstPort", "ip.DstAddr", "tcp.PayloadLength", "tcp.Payload32"};
enum { OUTBOUND, TCP_DST_PORT, UDP_DST_PORT, IP_DST_ADDR, TCP_PAYLOAD_LENGTH, TCP_PAYLOAD32 };

/* The field's value; 0 when the packet has no such field. */
static int load(const struct test *test, const struct layout *found, uint32_t *value) {
  switch (test->kind) {
    case OUTBOUND: *value = 1; return 1;
    case TCP_DST_PORT: return found->tcp ? *value = read16(found->tcp + 2), 1 : 0;
    case UDP_DST_PORT: return found->udp ? *value = read16(found->udp + 2), 1 : 0;
    case IP_DST_ADDR: return found->ipv4 ? *value = read32(found->ipv4 + 16), 1 : 0;
    case TCP_PAYLOAD_LENGTH: return found->tcp ? *value = found->payloadLength, 1 : 0;
    default:
      if (!found->tcp || found->payloadLength < test->index + 4) return 0;
      *value = read32(found->payload + test->index);
      return 1;
  }
}

__attribute__((noinline)) static int evaluate(const struct filter *filter, const uint8_t *bytes, int length) {
  struct layout found;
  if (!parse(bytes, length, &found)) return 0;
  for (int at = 0; at >= 0;) {
    const struct test *test = &filter->tests[at];
    uint32_t value;
    int is = 0;
    if (load(test, &found, &value)) {
      switch (test->operator) {
        case 0: is = value == test->value; break;
        case 1: is = value != test->value; break;
        case 2: is = value < test->value; break;
        case 3: is = value <= test->value; break;
        case 4: is = value > test->value; break;
        default: is = value >= test->value;
      }
    }
    at = is ? test->success : test->failure;
    if (at == ACCEPT) return 1;
  }
  return 0;
}

static void readInput(void) {
  static char line[8192], hex[8192];
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "packet %8191s", hex) == 1 && packetCount < MAX_PACKETS) {
      struct packet *packet = &packets[packetCount++];
      packet->length = strlen(hex) / 2;
      for (int i = 0; i < packet->length; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        packet->bytes[i] = byte;
      }
    } else if (!strncmp(line, "filter ", 7) && filterCount < MAX_FILTERS) {
      sscanf(line + 7, "%31[^\n]", filters[filterCount++].name);
    } else if (!strncmp(line, "test ", 5) && filterCount) {
      struct filter *filter = &filters[filterCount - 1];
      if (filter->count == MAX_TESTS) exit(2);
      struct test *test = &filter->tests[filter->count++];
      sscanf(line + 5, "%23s %d %u %d %d %d", test->field, &test->operator, &test->value, &test->success, &test->failure, &test->index);
      while (strcmp(FIELDS[test->kind], test->field))
        if (++test->kind > TCP_PAYLOAD32) exit(3);
    }
  }
}

static void runParse(int i) {
  struct layout found;
  parse(packets[i % packetCount].bytes, packets[i % packetCount].length, &found);
  sink += found.payloadLength;
}
static void runChecksums(int i) {
  (void)i;
  struct packet *last = &packets[packetCount - 1];
  checksums(last->bytes, last->length);
}
static void runHash(int i) {
  (void)i;
  sink += hash(packets[packetCount - 1].bytes, packets[packetCount - 1].length, 0);
}
static const struct filter *current;
static void runEvaluate(int i) {
  sink += evaluate(current, packets[i % packetCount].bytes, packets[i % packetCount].length);
}

static double time_calls(void (*body)(int), int count) {
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int i = 0; i < count; i++) body(i);
  clock_gettime(CLOCK_MONOTONIC, &end);
  return ((end.tv_sec - start.tv_sec) * 1e9 + end.tv_nsec - start.tv_nsec) / count;
}

/* The best of some runs, nanoseconds per call: of half a millisecond, so that some are not interrupted. */
static double measure(void (*body)(int)) {
  double best = time_calls(body, calls);
  int count = RUN_NS / best < calls ? RUN_NS / best / 8 * 8 + 8 : calls;
  for (int run = 0; run < RUNS; run++) {
    double ns = time_calls(body, count);
    if (ns < best) best = ns;
  }
  return best;
}

int main(int count, char **arguments) {
  calls = count > 1 ? atoi(arguments[1]) : 1000000;
  readInput();
  if (!packetCount) return 2;
  printf("{\"parse\":%.2f,\"checksums\":%.2f,\"hash\":%.2f", measure(runParse), measure(runChecksums), measure(runHash));
  for (int i = 0; i < filterCount; i++) {
    current = &filters[i];
    printf(",\"%s\":%.2f", current->name, measure(runEvaluate));
  }
  puts("}");
}
