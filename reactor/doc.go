// Package reactor serves sockets on event loops.
//
// A Loop is one goroutine with an epoll instance of its own. What belongs to a loop (connections, fibers, timers) is
// touched by that goroutine alone, so none of it needs a lock; others reach it by Post.
//
// A Conn is a non-blocking socket. While something is done with it, a fiber does it: a coroutine (iter.Pull) with
// straight-line code, whose Read and Write let the loop go on with others until the kernel has news of the socket.
// Changing fibers costs some 30 ns, a fiftieth of a system call and its wake-up by the scheduler. A connection that
// waits for its next message holds no fiber and no buffer: its Owner is told when something comes.
//
// The kernel tells of a socket by edges (epoll(7), EPOLLET): once it is registered, waiting for it costs no system
// call. A read that fills less than its buffer has emptied the socket, so nothing is read in vain.
package reactor
