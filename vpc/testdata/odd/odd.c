// A peer for TestOddPeers in C: odd listen|connect ADDRESS PORT STYLE
//
// STYLE is how it waits: block, poll, select, epoll, edge (epoll, edge-triggered), or toggle (does not block until it has
// spoken, then blocks). The words that it is told, and what it prints, stand in odd_test.go.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *style;
static int epfd = -1;
static char buf[1 << 16];

// name is how an errno is printed.
static const char *name(int e)
{
	switch (e) {
	case EAGAIN: return "EAGAIN";
	case ECONNRESET: return "ECONNRESET";
	case EPIPE: return "EPIPE";
	case EINTR: return "EINTR";
	}
	return strerror(e);
}

// ready waits in the way of the style.
static void ready(int fd, int out)
{
	if (!strcmp(style, "select")) {
		fd_set set;
		FD_ZERO(&set);
		FD_SET(fd, &set);
		select(fd + 1, out ? NULL : &set, out ? &set : NULL, NULL, NULL);
	} else if (!strcmp(style, "epoll") || !strcmp(style, "edge")) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | (strcmp(style, "edge") ? 0 : EPOLLET)};
		if (strcmp(style, "edge")) {
			e.events = out ? EPOLLOUT : EPOLLIN;
			epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &e);
		}
		epoll_wait(epfd, &e, 1, -1);
	} else {
		struct pollfd p = {fd, out ? POLLOUT : POLLIN, 0};
		poll(&p, 1, -1);
	}
}

static int blocking(void) { return !strcmp(style, "block") || !strcmp(style, "toggle"); }

// rd is recv, which waits in the way of the style. A style that blocks is told of EAGAIN.
static ssize_t rd(int fd, void *p, size_t n, int flags)
{
	for (;;) {
		ssize_t r = recv(fd, p, n, flags);
		if (r >= 0 || errno != EAGAIN || blocking())
			return r;
		ready(fd, 0);
	}
}

// wr writes all.
static int wr(int fd, const void *p, size_t n)
{
	size_t at = 0;
	while (at < n) {
		ssize_t r = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
		if (r >= 0)
			at += r;
		else if (errno == EAGAIN && !blocking())
			ready(fd, 1);
		else
			return -1;
	}
	return 0;
}

static void line(int fd, char *at, int most)
{
	int n = 0;
	while (n < most - 1 && rd(fd, at + n, 1, 0) == 1 && at[n] != '\n')
		n++;
	at[n] = 0;
}

// rest reads to the end and says how it came.
static void rest(int fd)
{
	long sum = 0;
	for (;;) {
		ssize_t r = rd(fd, buf, sizeof buf, 0);
		if (r > 0) {
			sum += r;
			continue;
		}
		printf(" %ld bytes, then %s", sum, r == 0 ? "end" : name(errno));
		return;
	}
}

static void pattern(long n)
{
	for (long i = 0; i < n && i < (long)sizeof buf; i++)
		buf[i] = i % 251;
}

static int woken;

// wake tells the other end that the signal came.
static void wake(int sig)
{
	(void)sig;
	if (write(woken, "s", 1) < 0)
		abort();
}

static void serve(int fd, int first)
{
	char word[64], command[32];
	long n = 0;
	int one = 1, flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, !strcmp(style, "block") ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (!strcmp(style, "epoll") || !strcmp(style, "edge")) {
		epfd = epoll_create1(0);
		struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
		epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e);
	}
	if (first) {
		const char *was = style;
		if (!strcmp(style, "toggle"))
			style = "poll";
		line(fd, word, sizeof word);
		style = was;
	}
	wr(fd, "ok\n", 3);
	if (!strcmp(style, "toggle"))
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	line(fd, word, sizeof word);
	sscanf(word, "%31s %ld", command, &n);
	printf("%s %ld:", command, n);
	if (!strcmp(command, "echo")) {
		long sum = 0;
		while (sum < n) {
			ssize_t r = rd(fd, buf, sizeof buf, 0);
			if (r <= 0 || wr(fd, buf, r))
				break;
			sum += r;
		}
		rest(fd);
	} else if (!strcmp(command, "half")) {
		pattern(n);
		wr(fd, buf, n);
		shutdown(fd, SHUT_WR);
		rest(fd);
	} else if (!strcmp(command, "reset")) {
		struct linger l = {1, 0};
		pattern(n);
		wr(fd, buf, n);
		rd(fd, buf, 1, 0);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	} else if (!strcmp(command, "aborted") || !strcmp(command, "signal")) {
		struct sigaction a = {.sa_handler = wake, .sa_flags = SA_RESTART};
		woken = fd;
		sigaction(SIGALRM, &a, NULL);
		if (!strcmp(command, "signal"))
			ualarm(20000, 0);
		else
			wr(fd, "w", 1);
		rest(fd);
	} else if (!strcmp(command, "unread")) {
		rd(fd, buf, 1, 0);
	} else if (!strcmp(command, "slow")) {
		int small = 4096;
		unsigned h = 0;
		long sum = 0;
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		while (sum < n) {
			ssize_t r = rd(fd, buf, 512, 0);
			if (r <= 0)
				break;
			for (int i = 0; i < r; i++)
				h = h * 31 + (unsigned char)buf[i];
			sum += r;
		}
		printf(" %ld bytes, sum %u", sum, h);
		rest(fd);
	} else if (!strcmp(command, "bytes")) {
		for (long i = 0; i < n; i++) {
			char c = i % 251;
			if (wr(fd, &c, 1))
				break;
		}
		rest(fd);
	} else if (!strcmp(command, "peek")) {
		static char again[4096];
		long sum = 0, bad = 0;
		while (sum < n) {
			ssize_t p = rd(fd, buf, 1 + sum % 4000, MSG_PEEK);
			if (p <= 0)
				break;
			ssize_t r = rd(fd, again, p, 0);
			bad += r != p || memcmp(buf, again, p);
			if (r <= 0)
				break;
			sum += r;
		}
		printf(" %ld bytes, %ld differ", sum, bad);
		rest(fd);
	} else if (!strcmp(command, "waitall")) {
		long sum = 0;
		while (sum < n) {
			long want = n - sum < 60000 ? n - sum : 60000;
			ssize_t r = rd(fd, buf, want, MSG_WAITALL);
			if (r <= 0)
				break;
			if (blocking() && r != want)
				printf(" short");
			sum += r;
		}
		printf(" %ld bytes", sum);
		rest(fd);
	} else if (!strcmp(command, "queued")) {
		long sum = 0;
		int most = 0;
		while (sum < n) {
			int q = 0;
			struct pollfd p = {fd, POLLIN, 0};
			poll(&p, 1, -1);
			ioctl(fd, FIONREAD, &q);
			most |= q > 0;
			ssize_t r = rd(fd, buf, q > 0 && q < (int)sizeof buf ? q : 1, 0);
			if (r <= 0)
				break;
			sum += r;
		}
		printf(" %ld bytes, queued seen: %d", sum, most);
		rest(fd);
	} else if (!strcmp(command, "file")) {
		FILE *f = tmpfile();
		off_t at = 0;
		for (long i = 0; i < n; i++)
			putc(i % 251, f);
		fflush(f);
		while (at < n) {
			if (sendfile(fd, fileno(f), &at, n - at) < 0) {
				if (errno != EAGAIN || blocking())
					break;
				ready(fd, 1);
			}
		}
		fclose(f);
		rest(fd);
	} else if (!strcmp(command, "vector")) {
		for (long i = 0; i < n;) {
			char c[8];
			struct iovec v[8];
			int k = 0;
			for (; k < 8 && i + k < n; k++) {
				c[k] = (i + k) % 251;
				v[k] = (struct iovec){&c[k], 1};
			}
			ssize_t r = writev(fd, v, k);
			if (r > 0)
				i += r;
			else if (errno == EAGAIN && !blocking())
				ready(fd, 1);
			else
				break;
		}
		rest(fd);
	} else if (!strcmp(command, "patience")) {
		struct timeval t = {0, 50000};
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
		ssize_t r = recv(fd, buf, 1, 0);
		printf(" first %s", r < 0 ? name(errno) : "data");
		wr(fd, "x", 1);
		t.tv_sec = 10;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
		rest(fd);
	}
	printf("\n");
	fflush(stdout);
	close(fd);
	if (epfd >= 0)
		close(epfd);
	epfd = -1;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	style = argv[4];
	int six = strchr(argv[2], ':') != NULL, one = 1;
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = a4.sin_port};
	if (inet_pton(six ? AF_INET6 : AF_INET, argv[2], six ? (void *)&a6.sin6_addr : (void *)&a4.sin_addr) != 1)
		return 2;
	struct sockaddr *a = six ? (void *)&a6 : (void *)&a4;
	socklen_t size = six ? sizeof a6 : sizeof a4;
	int family = six ? AF_INET6 : AF_INET;
	if (!strcmp(argv[1], "listen")) {
		int ln = socket(family, SOCK_STREAM, 0);
		setsockopt(ln, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		if (bind(ln, a, size) || listen(ln, 128))
			return perror("listen"), 1;
		printf("ready\n");
		fflush(stdout);
		for (;;)
			serve(accept(ln, NULL, NULL), 1);
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int fd = socket(family, SOCK_STREAM | (strcmp(style, "block") ? SOCK_NONBLOCK : 0), 0);
		if (connect(fd, a, size) && errno != EINPROGRESS)
			return 0;
		struct pollfd p = {fd, POLLOUT, 0};
		poll(&p, 1, -1);
		int e = 0;
		socklen_t l = sizeof e;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &l);
		if (e)
			return 0;
		serve(fd, 0);
	}
}
