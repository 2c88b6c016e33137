// Package streams puts HTTP/2 on event loops: package http2's connections on sockets of package reactor.
//
// A Session is a connection, for either side. Its owner says when there is something to read; what its streams write leaves
// together, once all that had something to write in this turn of the loop have. A Stream is what one fiber, or one that
// reads and one that writes, use like a connection: reading and writing wait, with deadlines, and can be interrupted.
package streams
