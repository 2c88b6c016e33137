// A target of plain C: a process for each connection, blocking reads, an idle connection ends after 3 seconds.
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static char buf[65536];
static size_t have;

static uint32_t crc32(uint32_t c, const char *p, size_t n) {
  for (; n > 0; n--) {
    c ^= (unsigned char)*p++;
    for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
  }
  return c;
}

static void put(int fd, const char *p, size_t n) {
  while (n > 0) {
    ssize_t m = write(fd, p, n);
    if (m <= 0) exit(0);
    p += m;
    n -= m;
  }
}

static void parameter(const char *head, const char *name, char *out, size_t n) {
  *out = 0;
  char key[32];
  snprintf(key, sizeof key, "%s=", name);
  const char *at = strchr(head, '?'), *end = strstr(head, " HTTP");
  while (at && at < end) {
    at++;
    if (!strncmp(at, key, strlen(key))) {
      at += strlen(key);
      size_t m = strcspn(at, "& ");
      if (m >= n) m = n - 1;
      memcpy(out, at, m);
      out[m] = 0;
      return;
    }
    at = strchr(at, '&');
  }
}

static void serve(int fd, const char *name) {
  for (;;) {
    char *end;
    while (buf[have] = 0, !(end = strstr(buf, "\r\n\r\n"))) {
      if (have == sizeof buf - 1) return;
      ssize_t m = read(fd, buf + have, sizeof buf - 1 - have);
      if (m <= 0) return;
      have += m;
    }
    end[2] = 0;
    char nonce[128], size[32], head[512];
    parameter(buf, "n", nonce, sizeof nonce);
    parameter(buf, "size", size, sizeof size);
    int is_head = !strncmp(buf, "HEAD ", 5), is_sum = strstr(buf, " /sum") != NULL;
    long length = 0;
    for (char *l = strstr(buf, "\r\n"); l; l = strstr(l + 2, "\r\n"))
      if (!strncasecmp(l + 2, "content-length:", 15)) length = atol(l + 17);
    size_t used = end + 4 - buf;
    memmove(buf, buf + used, have -= used);
    uint32_t crc = ~0u;
    for (long left = length; left > 0;) {
      if (!have) {
        ssize_t m = read(fd, buf, sizeof buf - 1);
        if (m <= 0) return;
        have = m;
      }
      size_t n = have < (size_t)left ? have : (size_t)left;
      crc = crc32(crc, buf, n);
      left -= n;
      memmove(buf, buf + n, have -= n);
    }
    char text[64];
    long answer = is_sum ? snprintf(text, sizeof text, "%08x %ld\n", ~crc, length) : atol(size);
    int h = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nX-From: %s\r\nX-Nonce: %s\r\nContent-Length: %ld\r\n\r\n", name, nonce, answer);
    put(fd, head, h);
    if (is_sum) put(fd, text, answer);
    for (long i = 0, left = answer; !is_sum && !is_head && left > 0; i++) {
      char line[192];
      long n = snprintf(line, sizeof line, "%s %ld\n", nonce, i);
      if (n > left) n = left;
      put(fd, line, n);
      left -= n;
    }
  }
}

int main(void) {
  const char *name = getenv("SOAK_NAME"), *listen_at = getenv("SOAK_LISTEN");
  signal(SIGCHLD, SIG_IGN);
  int ls = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(strrchr(listen_at, ':') + 1))};
  if (bind(ls, (struct sockaddr *)&a, sizeof a) || listen(ls, 128)) return 1;
  for (;;) {
    int fd = accept(ls, NULL, NULL);
    if (fd < 0) continue;
    if (fork() == 0) {
      close(ls);
      struct timeval t = {.tv_sec = 3};
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
      serve(fd, name);
      exit(0);
    }
    close(fd);
  }
}
