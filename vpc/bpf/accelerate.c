// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Joins the two sockets of a connection between the node and an instance of the same machine: what one sends is put
// into the other's queue, past TCP and IP. The Go side is ../accelerate.go, the reasons are in
// docs/decisions/0009-socket-acceleration.md.
//
// Each connection has two ends: the node's and the instance's. An end that takes part is in two maps under the same key:
// socks, from which the kernel takes the socket to hand a message to, and ends, which tells what its sender must know.
// A message may skip TCP exactly when its reader has read everything that went by TCP before, and its queue has room.

#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define KERNEL __attribute__((preserve_access_index))

// Maps are described by the types of fields.
#define NUMBER(name, value) int(*name)[value]
#define TYPE(name, type) type *name

#define AF_INET 2
#define AF_INET6 10
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define O_NONBLOCK 00004000 // on x86 and arm64
#define SPLICE_X86 275
#define SPLICE_ARM64 76

// The kernel's functions that these programs use (bpf-helpers(7)).
static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const map_update)(void *map, const void *key, const void *value, __u64 flags) = (void *)BPF_FUNC_map_update_elem;
static long (*const map_delete)(void *map, const void *key) = (void *)BPF_FUNC_map_delete_elem;
static long (*const sock_hash_update)(struct bpf_sock_ops *ops, void *map, void *key, __u64 flags) = (void *)BPF_FUNC_sock_hash_update;
static long (*const msg_redirect_hash)(struct sk_msg_md *msg, void *map, void *key, __u64 flags) = (void *)BPF_FUNC_msg_redirect_hash;
static void *(*const sk_storage_get)(void *map, void *sk, void *value, __u64 flags) = (void *)BPF_FUNC_sk_storage_get;
static long (*const sk_storage_delete)(void *map, void *sk) = (void *)BPF_FUNC_sk_storage_delete;
static __u64 (*const get_netns_cookie)(void *ctx) = (void *)BPF_FUNC_get_netns_cookie;
static long (*const cb_flags_set)(struct bpf_sock_ops *ops, int flags) = (void *)BPF_FUNC_sock_ops_cb_flags_set;
static void *(*const get_current_task_btf)(void) = (void *)BPF_FUNC_get_current_task_btf;
static void *(*const task_pt_regs)(void *task) = (void *)BPF_FUNC_task_pt_regs;
static struct tcp_sock *(*const skc_to_tcp_sock)(void *sk) = (void *)BPF_FUNC_skc_to_tcp_sock;

// What is read of the kernel's own types; the loader finds where the fields are in the running kernel.
struct file {
	unsigned int f_flags;
} KERNEL;

struct sock;

struct socket {
	struct file *file;
	struct sock *sk;
} KERNEL;

typedef struct {
	int counter;
} atomic_t;

enum sock_flags { SOCK_ZEROCOPY = 1 }; // the loader puts the running kernel's value in

struct sock_common {
	unsigned long skc_flags;
} KERNEL;

struct sock {
	struct sock_common __sk_common;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	int sk_rcvbuf;
	struct socket *sk_socket;
} KERNEL;

struct inet_sock {
	struct sock sk;
} KERNEL;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	void *icsk_ulp_ops; // a protocol in the kernel on top of TCP: TLS, MPTCP
} KERNEL;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 copied_seq; // the first byte that the reader has not read
	__u32 write_seq;  // the first byte that the writer has not written
} KERNEL;

struct task_struct;

// Where the kernel keeps the number of the system call that a thread is in, which differs by architecture.
struct pt_regs___x86 {
	unsigned long orig_ax;
} KERNEL;

struct pt_regs___arm64 {
	int syscallno;
} KERNEL;

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __attribute__((section(".ksyms")));

// Whether the running kernel has a field, and its value of a name.
#define KERNEL_HAS(field) __builtin_preserve_field_info(field, 2)
#define KERNEL_VALUE(type, name) __builtin_preserve_enum_value(*(type *)name, 1)

// type_id of a type of the running kernel.
#define KERNEL_TYPE(type) __builtin_btf_type_id(*(type *)0, 1)

// What a namespace may take part in, and as whom. accelerate.go has the same numbers.
enum { LEG_TARGET = 1, LEG_CLIENT = 2, NODE = 4 };

// space is an admitted network namespace.
struct space {
	__u32 vpc;
	__u32 may; // LEG_TARGET, LEG_CLIENT, NODE
};

// address is IPv6, or IPv4 as ::ffff:a.b.c.d.
struct address {
	__u32 word[4]; // as on the wire
};

// home is an instance's address in a VPC.
struct home {
	__u32 vpc;
	struct address address;
};

// service is what a server listens at.
struct service {
	struct home home;
	__u32 port;
};

// key names one end of a connection. Who may have which key is decided where it is put into the maps, in established.
struct key {
	__u32 vpc;
	__u32 node; // 1: the node's end, 0: the instance's
	struct address near, far;
	__u32 near_port, far_port;
};

// end is what the sender at the other end must know.
struct end {
	__u64 sock;    // where the kernel's struct tcp_sock lies
	__u32 spoke;   // it has sent something, so it was accepted and its manners can be seen
	__u32 splices; // it uses splice(2), which when it reads sees only what came by TCP
	__u32 opaque;  // it began with TLS, which the kernel may come to read itself
	__u32 queued;  // messages put into its queue since that was last seen empty
};

// link is a socket's own knowledge. It ends with the socket.
struct link {
	struct key self, peer;
	__u32 joined;   // 0: only watched
	__u32 leg;      // LEG_TARGET or LEG_CLIENT
	__u32 pair;     // this end came second, and counts for both
	__u32 spoke, splices, opaque; // as in an end
	struct service service; // of a server's socket: whose manners are watched
};

// Counters. accelerate.go has the same order.
enum {
	JOINED_TARGET, JOINED_CLIENT, LEFT_TARGET, LEFT_CLIENT,
	REDIRECTED_TARGET, REDIRECTED_CLIENT, BYTES_TARGET, BYTES_CLIENT,
	PASSED_ALONE, PASSED_UNREAD, PASSED_FULL, PASSED_MANNERS, REFUSED, RELEASED, HELD_UP, COUNTERS
};

// manners of servers: one whose reads wait has to show often that they don't, one that splices is forgotten at the most.
enum { SELDOM = -16, NEVER = -(1 << 30) };

// Each message costs the kernel about 1 KiB that is on nobody's account, so a queue has a limit in messages too.
#define QUEUE_MESSAGES 1024

// A queue towards an instance holds so many bytes at least: the node looks for room once in a millisecond.
#define QUEUE_BYTES (1 << 20)

struct {
	NUMBER(type, BPF_MAP_TYPE_HASH);
	NUMBER(max_entries, 16384);
	NUMBER(map_flags, BPF_F_NO_PREALLOC);
	TYPE(key, __u64); // network namespace cookie
	TYPE(value, struct space);
} spaces SEC(".maps");

struct {
	NUMBER(type, BPF_MAP_TYPE_HASH);
	NUMBER(max_entries, 32768);
	NUMBER(map_flags, BPF_F_NO_PREALLOC);
	TYPE(key, struct home);
	TYPE(value, __u64); // network namespace cookie
} homes SEC(".maps");

struct {
	NUMBER(type, BPF_MAP_TYPE_SOCKHASH);
	NUMBER(max_entries, 131072);
	TYPE(key, struct key);
	TYPE(value, __u64);
} socks SEC(".maps");

struct {
	NUMBER(type, BPF_MAP_TYPE_HASH);
	NUMBER(max_entries, 131072);
	NUMBER(map_flags, BPF_F_NO_PREALLOC);
	TYPE(key, struct key);
	TYPE(value, struct end);
} ends SEC(".maps");

struct {
	NUMBER(type, BPF_MAP_TYPE_SK_STORAGE);
	NUMBER(map_flags, BPF_F_NO_PREALLOC);
	TYPE(key, int);
	TYPE(value, struct link);
} links SEC(".maps");

struct {
	NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
	NUMBER(max_entries, 8192);
	TYPE(key, struct service);
	TYPE(value, int); // above 0: its sockets don't block
} manners SEC(".maps");

struct {
	NUMBER(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	NUMBER(max_entries, COUNTERS);
	TYPE(key, __u32);
	TYPE(value, __u64);
} counters SEC(".maps");

char licence[] SEC("license") = "Dual BSD/GPL";

INLINE void count(__u32 which, __u64 n)
{
	__u64 *c = map_lookup(&counters, &which);
	if (c)
		*c += n;
}

INLINE struct address mapped(__u32 ip4)
{
	struct address a = {{0, 0, __builtin_bswap32(0xffff), ip4}};
	return a;
}

// in_block tells whether an address is one of the node's for VPC Lattice: 169.254.171.0/24, fd00:ec2:80::/64.
INLINE int in_block(const struct address *a)
{
	if (a->word[0] == 0 && a->word[1] == 0 && a->word[2] == __builtin_bswap32(0xffff))
		return (a->word[3] & __builtin_bswap32(0xffffff00)) == __builtin_bswap32(0xa9feab00);
	return a->word[0] == __builtin_bswap32(0xfd000ec2) && a->word[1] == __builtin_bswap32(0x00800000);
}

// is_source tells whether it is the one that connections to targets come from: 169.254.171.1, fd00:ec2:80::a9fe:ab01.
INLINE int is_source(const struct address *a)
{
	return in_block(a) && a->word[3] == __builtin_bswap32(0xa9feab01) &&
	       (a->word[2] == 0 || a->word[2] == __builtin_bswap32(0xffff));
}

// waits tells whether a read of a socket waits: 0 no, 1 yes, -1 nobody has accepted it yet.
INLINE int waits(struct tcp_sock *tcp)
{
	struct socket *s = tcp->inet_conn.icsk_inet.sk.sk_socket;
	if (!s)
		return -1;
	struct file *f = s->file;
	if (!f)
		return -1;
	return !(f->f_flags & O_NONBLOCK);
}

// at is the socket of an end.
INLINE struct tcp_sock *at(struct end *e)
{
	return bpf_rdonly_cast((void *)e->sock, KERNEL_TYPE(struct tcp_sock));
}

// leave takes an end that has ended out of the maps; the kernel does it for socks.
INLINE void leave(struct link *l, __u64 sock)
{
	struct end *e = map_lookup(&ends, &l->self);
	if (e && e->sock == sock)
		map_delete(&ends, &l->self);
	if (l->pair)
		count(l->leg == LEG_TARGET ? LEFT_TARGET : LEFT_CLIENT, 1);
	l->pair = 0;
	l->joined = 0;
}

// release makes an instance's end an ordinary socket again, when it has come to wait in its reads and its queue is empty: a kernel
// that wakes such a read with nothing to read lets it fail with EAGAIN.
INLINE void release(struct key *of)
{
	struct key key = *of;
	struct end *e = map_lookup(&ends, &key);
	if (!e || e->queued || waits(at(e)) != 1)
		return;
	map_delete(&ends, &key);
	map_delete(&socks, &key);
	count(RELEASED, 1);
}

// established decides whether a socket takes part. This is the only place where ends get into the maps, so the only one that
// keeps VPCs and instances apart: the VPC is that of the socket's namespace, and an address is only its owner's.
INLINE void established(struct bpf_sock_ops *ops, int active)
{
	__u64 cookie = get_netns_cookie(ops);
	struct space *space = map_lookup(&spaces, &cookie);
	if (!space)
		return;
	struct bpf_sock *sk = ops->sk;
	if (!sk)
		return;
	struct tcp_sock *tcp = skc_to_tcp_sock(sk);
	if (!tcp || tcp->inet_conn.icsk_ulp_ops)
		return;
	struct link l = {};
	l.self.vpc = space->vpc;
	if (ops->family == AF_INET) {
		l.self.near = mapped(ops->local_ip4);
		l.self.far = mapped(ops->remote_ip4);
	} else if (ops->family == AF_INET6) {
		l.self.near.word[0] = ops->local_ip6[0];
		l.self.near.word[1] = ops->local_ip6[1];
		l.self.near.word[2] = ops->local_ip6[2];
		l.self.near.word[3] = ops->local_ip6[3];
		l.self.far.word[0] = ops->remote_ip6[0];
		l.self.far.word[1] = ops->remote_ip6[1];
		l.self.far.word[2] = ops->remote_ip6[2];
		l.self.far.word[3] = ops->remote_ip6[3];
	} else {
		return;
	}
	l.self.near_port = ops->local_port;
	l.self.far_port = __builtin_bswap32(ops->remote_port);
	if (active ? is_source(&l.self.near) : is_source(&l.self.far))
		l.leg = LEG_TARGET;
	else if (active ? in_block(&l.self.far) : in_block(&l.self.near))
		l.leg = LEG_CLIENT;
	if (!(space->may & l.leg))
		return;
	l.self.node = l.leg == LEG_TARGET ? active : !active;
	if (l.self.node) {
		if (!(space->may & NODE))
			return;
	} else {
		struct home home = {.vpc = l.self.vpc, .address = l.self.near};
		__u64 *owner = map_lookup(&homes, &home);
		if (!owner || *owner != cookie)
			return;
	}
	l.peer.vpc = l.self.vpc;
	l.peer.node = !l.self.node;
	l.peer.near = l.self.far;
	l.peer.far = l.self.near;
	l.peer.near_port = l.self.far_port;
	l.peer.far_port = l.self.near_port;
	if (l.leg == LEG_TARGET) {
		l.service.home.vpc = l.self.vpc;
		l.service.home.address = active ? l.self.far : l.self.near;
		l.service.port = active ? l.self.far_port : l.self.near_port;
	}

	if (!active) {
		// The end that connects was established before, and has decided.
		l.joined = l.pair = map_lookup(&ends, &l.peer) != 0;
		if (!l.joined && l.self.node)
			return;
	} else if (l.self.node) {
		int *good = map_lookup(&manners, &l.service);
		l.joined = good && *good > 0;
	} else {
		l.joined = waits(tcp) == 0;
	}
	if (!l.joined && (active || l.self.node))
		return;
	if (!sk_storage_get(&links, sk, &l, BPF_SK_STORAGE_GET_F_CREATE))
		return;
	int flags = ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTT_CB_FLAG;
	if (l.joined) {
		struct end e = {.sock = (__u64)tcp};
		flags |= BPF_SOCK_OPS_STATE_CB_FLAG;
		if (map_update(&ends, &l.self, &e, BPF_ANY)) {
			count(REFUSED, 1);
			sk_storage_delete(&links, sk);
			return;
		}
		if (sock_hash_update(ops, &socks, &l.self, BPF_ANY)) {
			count(REFUSED, 1);
			map_delete(&ends, &l.self);
			sk_storage_delete(&links, sk);
			return;
		}
		if (l.pair)
			count(l.leg == LEG_TARGET ? JOINED_TARGET : JOINED_CLIENT, 1);
	}
	cb_flags_set(ops, flags);
}

// watch looks at how an instance's program treats its socket, when something that was sent by TCP was acknowledged.
INLINE void watch(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	if (!sk)
		return;
	struct link *l = sk_storage_get(&links, sk, 0, 0);
	if (!l)
		return;
	if (l->self.node) {
		release(&l->peer);
		return;
	}
	struct tcp_sock *tcp = skc_to_tcp_sock(sk);
	if (!tcp)
		return;
	int w = waits(tcp);
	if (w < 0)
		return;
	if (l->leg == LEG_TARGET) {
		int *was = map_lookup(&manners, &l->service);
		int now = !was ? (w ? SELDOM : 1) : *was < SELDOM ? *was : w ? SELDOM : *was < 1 ? *was + 1 : 1;
		if (!was || *was != now)
			map_update(&manners, &l->service, &now, BPF_ANY);
	}
	if (l->joined) {
		release(&l->self);
	} else {
		cb_flags_set(ops, ops->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_RTT_CB_FLAG);
		sk_storage_delete(&links, sk);
	}
}

// changed follows the states of a joined socket.
INLINE void changed(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	if (!sk)
		return;
	struct tcp_sock *tcp = skc_to_tcp_sock(sk);
	struct link *l = sk_storage_get(&links, sk, 0, 0);
	if (!l || !l->joined || !tcp)
		return;
	if (ops->args[1] == TCP_CLOSE)
		leave(l, (__u64)tcp);
	else if (ops->args[1] == TCP_FIN_WAIT1 && !l->self.node)
		release(&l->self); // before it reads on: the acknowledgement of its FIN would wake it
}

SEC("sockops")
int connections(struct bpf_sock_ops *ops)
{
	switch (ops->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		established(ops, 1);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		established(ops, 0);
		break;
	case BPF_SOCK_OPS_RTT_CB:
		watch(ops);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		changed(ops);
		break;
	}
	return 1;
}

// in_splice tells whether the running thread is in splice(2). A program that relays both ways uses it for both.
INLINE int in_splice(void)
{
	void *registers = task_pt_regs(get_current_task_btf());
	struct pt_regs___x86 *x86 = registers;
	if (KERNEL_HAS(x86->orig_ax))
		return x86->orig_ax == SPLICE_X86;
	struct pt_regs___arm64 *arm64 = registers;
	if (KERNEL_HAS(arm64->syscallno))
		return arm64->syscallno == SPLICE_ARM64;
	return 1; // not known: better not
}

// begins_tls tells whether a connection's first message is a TLS handshake, or cannot be seen. A program may hand its keys to the
// kernel at any time, which then would not see what is in the other queue.
INLINE int begins_tls(struct sk_msg_md *msg)
{
	__u8 *first = msg->data;
	return (void *)(first + 1) > msg->data_end || *first == 22;
}

// choose tells whether a message may skip TCP.
INLINE int choose(struct sk_msg_md *msg, struct bpf_sock *sk, struct link *l)
{
	struct tcp_sock *mine = skc_to_tcp_sock(sk);
	if (!mine)
		return PASSED_ALONE;
	if (!l->spoke || (!l->self.node && !l->splices)) {
		if (!l->spoke)
			l->opaque = begins_tls(msg);
		l->splices = !l->self.node && in_splice();
		if (l->splices && l->leg == LEG_TARGET) {
			int never = NEVER;
			map_update(&manners, &l->service, &never, BPF_ANY);
		}
		if (!l->spoke || l->splices) {
			struct end *me = map_lookup(&ends, &l->self);
			if (me) {
				me->spoke = 1;
				me->splices = l->splices;
				me->opaque = l->opaque;
			}
		}
		l->spoke = 1;
	}
	struct end *peer = map_lookup(&ends, &l->peer);
	if (!peer)
		return PASSED_ALONE;
	struct tcp_sock *reader = at(peer);
	struct sock *queue = &reader->inet_conn.icsk_inet.sk;
	int held = queue->sk_backlog.rmem_alloc.counter;
	if (held == 0)
		peer->queued = 0;
	if (reader->copied_seq != mine->write_seq)
		return PASSED_UNREAD;
	if (mine->inet_conn.icsk_ulp_ops || reader->inet_conn.icsk_ulp_ops ||
	    mine->inet_conn.icsk_inet.sk.__sk_common.skc_flags & 1UL << KERNEL_VALUE(enum sock_flags, SOCK_ZEROCOPY))
		return PASSED_MANNERS;
	// A program that waits by edges takes a read that fills less than its buffer for the end (epoll(7)), so it would not see what went
	// by TCP behind a queue that it empties. The node, whose loops try again, never sends so. One who has closed gets it, for a reset.
	int w = waits(l->self.node ? reader : mine);
	int behind = l->self.node && held > 0 && w >= 0;
	if (w != 0 || (l->self.node && (!peer->spoke || peer->splices || peer->opaque || l->opaque)))
		return behind ? HELD_UP : PASSED_MANNERS;
	int room = queue->sk_rcvbuf;
	if (l->self.node && room < QUEUE_BYTES)
		room = QUEUE_BYTES;
	if (held > room || peer->queued >= QUEUE_MESSAGES)
		return behind ? HELD_UP : PASSED_FULL;
	peer->queued++;
	return REDIRECTED_TARGET;
}

SEC("sk_msg")
int messages(struct sk_msg_md *msg)
{
	struct bpf_sock *sk = msg->sk;
	if (!sk)
		return SK_PASS;
	struct link *l = sk_storage_get(&links, sk, 0, 0);
	if (!l)
		return SK_PASS;
	int chosen = choose(msg, sk, l);
	if (chosen == REDIRECTED_TARGET) {
		__u64 size = msg->size;
		if (msg_redirect_hash(msg, &socks, &l->peer, BPF_F_INGRESS) == SK_PASS) {
			count(l->leg == LEG_TARGET ? REDIRECTED_TARGET : REDIRECTED_CLIENT, 1);
			count(l->leg == LEG_TARGET ? BYTES_TARGET : BYTES_CLIENT, size);
			return SK_PASS;
		}
		chosen = PASSED_ALONE;
	}
	if (chosen == HELD_UP) {
		// SK_DROP would be the verdict on all that the socket ever sends from now on. The wall refuses this message alone.
		struct key wall = {};
		if (msg_redirect_hash(msg, &socks, &wall, 0) != SK_PASS)
			chosen = PASSED_FULL; // who would try again has ended
	}
	count(chosen, 1);
	return SK_PASS;
}
